package capture

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/stun/v3"
)

// The addresses and times of the tests.
func local() netip.AddrPort  { return netip.MustParseAddrPort("192.168.1.10:5000") }
func remote() netip.AddrPort { return netip.MustParseAddrPort("203.0.113.5:3478") }
func began() time.Time       { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }

func sent(payload []byte) Packet {
	return Packet{At: began(), Source: local(), Destination: remote(), Payload: payload}
}

func received(payload []byte) Packet {
	return Packet{At: began(), Direction: Received, Source: remote(), Destination: local(), Payload: payload}
}

func stunBytes(method stun.Method, class stun.MessageClass, with ...stun.Setter) []byte {
	id := stun.NewTransactionIDSetter([12]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
	m, err := stun.Build(append([]stun.Setter{id, stun.NewType(method, class)}, with...)...)
	if err != nil {
		panic(err)
	}
	return m.Raw
}

func binding() []byte { return stunBytes(stun.MethodBinding, stun.ClassRequest) }

func attribute(kind stun.AttrType, value []byte) stun.RawAttribute {
	return stun.RawAttribute{Type: kind, Value: value}
}

func inChannel(payload []byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x40, 0}, uint16(len(payload))), payload...)
}

func record(content byte, epoch uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte{content, 0xfe, 0xfd}, epoch)
	b = append(b, 0, 0, 0, 0, 0, 1)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(body))), body...)
}

func handshake(kinds ...byte) []byte {
	var b []byte
	for _, k := range kinds {
		b = append(b, k, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4)
	}
	return b
}

func rtp(pt byte) []byte { return append([]byte{0x80, pt, 0, 1}, make([]byte, 20)...) }

// talk makes the segments of a connection, each a millisecond after the last.
type talk struct {
	packets []Packet
	next    [2]uint32
}

func newTalk() *talk {
	t := &talk{next: [2]uint32{1000, 0xfffffff0}} // the far end's numbers wrap
	t.segment(Sent, SYN, nil)
	t.segment(Received, SYN|ACK, nil)
	return t
}

func (t *talk) segment(d Direction, flags Flags, payload []byte) {
	p := sent(payload)
	if d == Received {
		p = received(payload)
	}
	p.At = began().Add(time.Duration(len(t.packets)) * time.Millisecond)
	p.Protocol, p.Flags, p.Sequence = TCP, flags, t.next[d]
	if flags&ACK != 0 {
		p.Acknowledged = t.next[1-d]
	}
	t.next[d] += uint32(len(payload))
	if flags&(SYN|FIN) != 0 {
		t.next[d]++
	}
	t.packets = append(t.packets, p)
}

func (t *talk) says(d Direction, payload string) { t.segment(d, PSH|ACK, []byte(payload)) }

// upgraded is a connection that speaks WebSocket.
func upgraded() *talk {
	t := newTalk()
	t.says(Sent, "GET /live/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	t.says(Received, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	return t
}

// webSocket is one frame, masked as clients do.
func webSocket(first byte, masked bool, text string) string {
	var b []byte
	length := len(text)
	switch {
	case length < 126:
		b = []byte{first, byte(length)}
	default:
		b = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(length))
	}
	if !masked {
		return string(b) + text
	}
	b[1] |= 0x80
	mask := []byte{7, 77, 177, 27}
	b = append(b, mask...)
	for i := range length {
		b = append(b, text[i]^mask[i%4])
	}
	return string(b)
}

func offer() string {
	return `{"command":"takeConfiguration","streamId":"s","type":"offer","sdp":"` + strings.Repeat("a=x ", 500) + `"}`
}
