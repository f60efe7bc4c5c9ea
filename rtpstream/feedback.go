package rtpstream

import (
	"errors"
	"io"
	"math/bits"
	"os"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// maxRTCP is the largest RTCP packet that is read.
const maxRTCP = 1500

// ServeRTCP reads the feedback on a sender of the track until the sender stops: a generic NACK
// is answered from the history on that connection only (RFC 4585 section 6.2.1), PLI and FIR
// call Keyframe, reception reports update Remote. The caller runs it in a goroutine it owns.
func (t *Track) ServeRTCP(s *webrtc.RTPSender) {
	t.serve(s.Read, func() uint32 { return SSRC(s) })
}

// Serve is ServeRTCP for who has bound the track through a TrackLocal of their own: ssrc and r
// are those of the context given to Bind.
func (t *Track) Serve(ssrc uint32, r interceptor.RTCPReader) {
	t.serve(func(buf []byte) (int, interceptor.Attributes, error) { return r.Read(buf, nil) },
		func() uint32 { return ssrc })
}

func (t *Track) serve(read func([]byte) (int, interceptor.Attributes, error), ssrc func() uint32) {
	buf := make([]byte, maxRTCP)
	var s server
	for {
		n, _, err := read(buf)
		switch {
		case err == nil:
		case errors.Is(err, io.ErrShortBuffer), errors.Is(err, os.ErrDeadlineExceeded):
			continue
		default:
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue // a peer's malformed feedback ends nothing
		}
		if s.b == nil {
			if s.b = t.find(ssrc()); s.b == nil {
				continue
			}
		}
		now := time.Now()
		for _, p := range packets {
			t.handle(&s, p, now)
		}
	}
}

// server is what a goroutine that answers feedback keeps.
type server struct {
	b      *binding
	packet stored
	header rtp.Header
	limit  limit
}

func (t *Track) handle(s *server, p rtcp.Packet, now time.Time) {
	switch p := p.(type) {
	case *rtcp.TransportLayerNack:
		if p.MediaSSRC == s.b.ssrc {
			t.nacks.Add(1)
			t.repair(s, p, now)
		}
	case *rtcp.PictureLossIndication:
		if p.MediaSSRC == s.b.ssrc {
			t.plis.Add(1)
			t.keyframe()
		}
	case *rtcp.FullIntraRequest:
		for _, e := range p.FIR {
			if e.SSRC == s.b.ssrc {
				t.firs.Add(1)
				t.keyframe()
			}
		}
	case *rtcp.ReceiverReport:
		t.reported(s.b, p.Reports, now)
	case *rtcp.SenderReport:
		t.reported(s.b, p.Reports, now)
	}
}

func (t *Track) keyframe() {
	if t.c.Keyframe != nil {
		t.c.Keyframe()
	}
}

func (t *Track) repair(s *server, p *rtcp.TransportLayerNack, now time.Time) {
	s.limit.refill(s.b.packets.Load(), t.history.limit)
	s.limit.follow(s.b.roundTrip())
	for _, pair := range p.Nacks {
		t.again(s, pair.PacketID, now)
		for lost := pair.LostPackets; lost != 0; lost &= lost - 1 {
			t.again(s, pair.PacketID+uint16(bits.TrailingZeros16(uint16(lost)))+1, now)
		}
	}
}

func (t *Track) again(s *server, seq uint16, now time.Time) {
	t.nackedSeqs.Add(1)
	source, ok := s.b.source(seq)
	if !ok || s.b.off.Load() {
		t.unavailable.Add(1)
		return
	}
	if !s.limit.allows(seq, now) {
		t.refused.Add(1)
		return
	}
	if !t.history.get(source, &s.packet) {
		t.unavailable.Add(1)
		return
	}
	// An error means that the connection is going; its sender will stop.
	if n, err := s.b.resend(&s.packet, seq, &s.header); err == nil && n > 0 {
		s.limit.spend(seq, now)
		t.retransmitted.Add(1)
		t.retransmittedBytes.Add(uint64(n))
		s.b.packets.Add(1)
		s.b.octets.Add(uint64(len(s.packet.buf)))
	}
}

func (t *Track) reported(b *binding, reports []rtcp.ReceptionReport, now time.Time) {
	for _, r := range reports {
		if r.SSRC != b.ssrc {
			continue
		}
		t.reports.Add(1)
		remote := Remote{At: now, LossRatio: float64(r.FractionLost) / 256, Lost: signed24(r.TotalLost)}
		if rate := t.Codec().ClockRate; rate > 0 {
			remote.Jitter = time.Duration(r.Jitter) * time.Second / time.Duration(rate)
		}
		if clock := t.mediaClock(); clock.set() {
			remote.RTT, _ = RoundTrip(Middle(clock.ntpAt(now)), r.LastSenderReport, r.Delay)
		}
		b.mu.Lock()
		if remote.RTT == 0 {
			remote.RTT = b.remote.RTT
		}
		b.remote = remote
		b.mu.Unlock()
	}
}

func signed24(v uint32) int32 { return int32(v<<8) >> 8 }
