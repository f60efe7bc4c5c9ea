package capture

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/stun/v3"
)

// told writes steps in short, one a line.
func told(steps []Step) []string {
	var lines []string
	for _, s := range steps {
		l := fmt.Sprintf("%s %s %s: %s", s.T.Round(time.Millisecond), s.Direction, s.Layer, s.What)
		if s.Count > 1 {
			l += fmt.Sprintf(" ×%d until %s", s.Count, s.Until)
		}
		if s.Fate != Delivered {
			l += ", " + s.Fate.String()
		}
		lines = append(lines, l)
	}
	return lines
}

func expect(t *testing.T, packets []Packet, want ...string) {
	t.Helper()
	steps, truncated := Timeline(packets, began(), 0)
	if d := cmp.Diff(want, told(steps)); d != "" || truncated {
		t.Errorf("truncated %v, (-want +got):\n%s", truncated, d)
	}
}

func TestTimelineOfSignaling(t *testing.T) {
	c := upgraded()
	long := webSocket(0x81, true, offer())
	c.says(Received, webSocket(0x81, false, `{"command":"start"}`)+webSocket(0x01, false, `{"command":"notific`))
	c.says(Received, webSocket(0x80, false, `ation","definition":"joined"}`))
	for len(long) > 0 {
		n := min(len(long), 700)
		c.says(Sent, long[:n])
		long = long[n:]
	}
	for range 3 {
		c.says(Sent, webSocket(0x81, true, `{"command":"ping"}`))
		c.says(Received, webSocket(0x81, false, `{"command":"pong"}`))
	}
	c.says(Sent, webSocket(0x81, true, `{"command":"takeCandidate"}`))
	c.says(Sent, webSocket(0x81, true, `{"command":"takeCandidate"}`))
	c.says(Received, webSocket(0x88, false, "\x03\xe8"))
	c.segment(Received, FIN|ACK, nil)
	expect(t, c.packets,
		"0s sent stream: connect",
		"1ms received stream: connected",
		"2ms sent signaling: HTTP upgrade request",
		"3ms received signaling: HTTP upgrade response",
		"4ms received signaling: start",
		"5ms received signaling: notification (joined)",
		"8ms sent signaling: takeConfiguration (offer)",
		"9ms sent signaling: ping ×3 until 13ms",
		"10ms received signaling: pong ×3 until 14ms",
		"15ms sent signaling: takeCandidate ×2 until 16ms",
		"17ms received signaling: close 1000",
		"18ms received stream: close",
	)
}

func TestTimelineOfBadStreams(t *testing.T) {
	c := upgraded()
	long := webSocket(0x81, true, offer())
	c.says(Sent, long[:700])
	c.says(Sent, long[700:])
	c.packets[4].Fate = Lost
	again := c.packets[4]
	again.At, again.Fate = began().Add(time.Second), Delivered
	c.packets = append(c.packets, again)
	text := webSocket(0x81, false, offer())
	c.says(Received, text[:900])
	c.says(Received, text[900:])
	n := len(c.packets) // out of order
	c.packets[n-1].Payload, c.packets[n-2].Payload = c.packets[n-2].Payload, c.packets[n-1].Payload
	c.packets[n-1].Sequence, c.packets[n-2].Sequence = c.packets[n-2].Sequence, c.packets[n-1].Sequence
	c.says(Received, "\xf5\x05nonsense")
	c.says(Received, "more of it")
	c.segment(Received, RST, nil)
	expect(t, c.packets,
		"0s sent stream: connect",
		"1ms received stream: connected",
		"2ms sent signaling: HTTP upgrade request",
		"3ms received signaling: HTTP upgrade response",
		"4ms sent stream: segment, lost",
		"5ms sent signaling: takeConfiguration (offer)",
		"1s sent stream: retransmission",
		"8ms received signaling: takeConfiguration (offer)",
		"9ms received stream: data",
		"11ms received stream: reset",
	)
}

func TestTimelineOfRefusal(t *testing.T) {
	var c talk
	c.segment(Sent, SYN, nil)
	c.segment(Received, RST|ACK, nil)
	expect(t, c.packets, "0s sent stream: connect", "1ms received stream: refused")
}

func TestTimelineOfTURNOverTCP(t *testing.T) {
	c := newTalk()
	two := string(stunBytes(stun.MethodAllocate, stun.ClassRequest)) + string(stunBytes(stun.MethodCreatePermission, stun.ClassRequest))
	c.says(Sent, two[:15])
	c.says(Sent, two[15:])
	c.says(Received, string(stunBytes(stun.MethodAllocate, stun.ClassErrorResponse, stun.CodeUnauthorized)))
	odd := string(inChannel(append(binding(), 1))) // padded by three
	c.says(Sent, odd+"\x00\x00\x00"+string(inChannel(rtp(96))))
	expect(t, c.packets,
		"0s sent stream: connect",
		"1ms received stream: connected",
		"3ms sent turn: Allocate request",
		"3ms sent turn: CreatePermission request",
		"4ms received turn: Allocate error 401",
		"5ms sent turn: relayed Binding request",
		"5ms sent turn: relayed RTP pt 96",
	)
}

func TestTimelineOfTLS(t *testing.T) {
	c := newTalk()
	c.says(Sent, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
	c.says(Received, "\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x02ab\x17\x03\x03\x00\x02ab")
	c.says(Sent, "\x16\x03\x03\x00\x05\xf3\x99\x99\x99\x99")
	expect(t, c.packets,
		"0s sent stream: connect",
		"1ms received stream: connected",
		"2ms sent stream: TLS ClientHello",
		"3ms received stream: TLS ServerHello",
		"3ms received stream: TLS data ×2 until 3ms",
		"4ms sent stream: TLS encrypted handshake",
	)
}

// TestTimelineFolds keeps one row of checks for each remote, and the first of media.
func TestTimelineFolds(t *testing.T) {
	var packets []Packet
	at := func(ms int, p Packet) {
		p.At = began().Add(time.Duration(ms) * time.Millisecond)
		packets = append(packets, p)
	}
	other := sent(binding())
	other.Destination = local()
	at(0, sent(binding()))
	at(1, other)
	at(200, sent(binding()))
	lost := sent(binding())
	lost.Fate = Blocked
	at(400, lost)
	at(401, received(stunBytes(stun.MethodBinding, stun.ClassSuccessResponse)))
	for i := range 5 {
		at(500+i, sent(rtp(111)))
		at(500+i, sent(rtp(96)))
		at(500+i, received(record(23, 1, []byte("data"))))
	}
	expect(t, packets,
		"0s sent stun: Binding request ×2 until 200ms",
		"1ms sent stun: Binding request",
		"400ms sent stun: Binding request, blocked",
		"401ms received stun: Binding success",
		"500ms sent media: RTP pt 111 ×5 until 504ms",
		"500ms sent media: RTP pt 96 ×5 until 504ms",
		"500ms received dtls: SCTP ×5 until 504ms",
	)
	steps, truncated := Timeline(packets, began().Add(-time.Second), 3)
	if !truncated || len(steps) != 3 || steps[0].T != time.Second || steps[0].Bytes != 20 || steps[0].Remote != "203.0.113.5:3478" {
		t.Errorf("got %v %+v", truncated, steps)
	}
}

// TestTimelineFoldsChecksUnderALimit keeps what came of many checks.
func TestTimelineFoldsChecksUnderALimit(t *testing.T) {
	var packets []Packet
	at := func(ms int, p Packet) {
		p.At = began().Add(time.Duration(ms) * time.Millisecond)
		packets = append(packets, p)
	}
	for i := range 10 {
		at(20*i, sent(binding()))
		at(20*i+10, received(stunBytes(stun.MethodBinding, stun.ClassSuccessResponse)))
	}
	at(300, sent(record(22, 0, handshake(1))))
	if all, truncated := Timeline(packets, began(), 21); len(all) != 21 || truncated {
		t.Errorf("got %d steps, truncated %v, want all 21", len(all), truncated)
	}
	steps, truncated := Timeline(packets, began(), 20)
	want := []string{
		"0s sent stun: Binding request ×10 until 180ms",
		"10ms received stun: Binding success ×10 until 190ms",
		"300ms sent dtls: ClientHello",
	}
	if d := cmp.Diff(want, told(steps)); d != "" || truncated {
		t.Errorf("truncated %v, (-want +got):\n%s", truncated, d)
	}
}

// FuzzTimeline cuts foreign bytes into segments and datagrams.
func FuzzTimeline(f *testing.F) {
	for _, p := range mixed() {
		f.Add(p.Payload, uint16(9), byte(p.Protocol))
	}
	f.Add([]byte(webSocket(0x81, true, offer())), uint16(100), byte(TCP))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"), uint16(5), byte(TCP))
	f.Add([]byte("\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00\x14\x03\x03\x00\x01\x01"), uint16(3), byte(TCP))
	f.Add(inChannel(stunBytes(stun.MethodSend, stun.ClassIndication, attribute(stun.AttrData, binding()))), uint16(7), byte(TCP))
	f.Add(append(record(22, 0, handshake(2, 11)), record(23, 1, nil)...), uint16(200), byte(UDP))
	f.Fuzz(func(t *testing.T, b []byte, size uint16, protocol byte) {
		c := newTalk()
		for len(b) > 0 {
			n := min(len(b), int(size%1500)+1)
			d := Direction(b[0] & 1)
			c.segment(d, PSH|ACK, b[:n])
			c.packets[len(c.packets)-1].Protocol = Protocol(protocol & 1)
			c.packets[len(c.packets)-1].Sequence += uint32(b[0] >> 6)
			b = b[n:]
		}
		steps, _ := Timeline(c.packets, began(), 0)
		for _, s := range steps {
			if s.What == "" || s.Layer == "" || s.Count < 1 || (s.Count > 1) != (s.Until > 0) && s.T > 0 || s.Count > 1 && s.Until < s.T || len(s.What) > 2000 || strings.ContainsFunc(s.What, func(r rune) bool { return r != '…' && (r < ' ' || r > '~') }) {
				t.Errorf("got %+v", s)
			}
		}
	})
}
