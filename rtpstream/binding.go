package rtpstream

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// maxStretches bounds how many past switches of a connection can still be repaired.
	maxStretches = 8
	// maxJump is how far sequence numbers may lie apart before the source counts as restarted
	// (MAX_DROPOUT of RFC 3550 appendix A.1).
	maxJump = 3000
)

// stretch is a run of packets between two switches: from sequence number first on, as sent and
// extended, the packets' own number plus offset.
type stretch struct {
	first  uint64
	offset uint16
}

// binding is the track on one connection. Fields of the first group are set once.
type binding struct {
	ssrc    uint32
	codecs  []webrtc.RTPCodecParameters
	mapping [16]uint8 // extension identifier in the source → on this connection; 0: not carried
	writer  webrtc.TrackLocalWriter

	pt              atomic.Int32  // payload type; negative: the codec was not negotiated here
	off             atomic.Bool   // what was asked for; the writing goroutine notices
	next            atomic.Uint64 // extended sequence number after the highest one sent; set by the writing goroutine only
	packets, octets atomic.Uint64

	// Owned by the goroutine that writes.
	header rtp.Header
	on     bool   // sending, since base
	base   uint16 // source sequence number at which sending began
	offset uint16

	mu        sync.Mutex // guards what follows
	stretches []stretch
	remote    Remote
}

func newBinding(ctx webrtc.TrackLocalContext, source []webrtc.RTPHeaderExtensionParameter) *binding {
	b := &binding{ssrc: uint32(ctx.SSRC()), codecs: ctx.CodecParameters(), writer: ctx.WriteStream()}
	// The first number lies in the lower half, so that losses at the start cannot hide a
	// rollover from SRTP (RFC 3711 section 3.3.1). The SSRC is random, so this is, too.
	b.next.Store(1<<16 + uint64(b.ssrc)&0x7fff)
	for _, from := range source {
		if from.ID < 1 || from.ID > 14 || perConnection(from.URI) {
			continue
		}
		for _, to := range ctx.HeaderExtensions() {
			if to.URI == from.URI && to.ID < 15 {
				b.mapping[from.ID] = uint8(to.ID)
			}
		}
	}
	b.header = rtp.Header{Version: 2, SSRC: b.ssrc}
	return b
}

// use takes the payload type of a codec, and returns the parameters pion is told of: those of
// another codec when this one was not negotiated.
func (b *binding) use(c webrtc.RTPCodecCapability) (webrtc.RTPCodecParameters, bool) {
	codec, ok := matchCodec(c, b.codecs)
	if ok {
		b.pt.Store(int32(codec.PayloadType))
		return codec, true
	}
	b.pt.Store(-1)
	if len(b.codecs) > 0 {
		codec = b.codecs[0]
	}
	return codec, false
}

// write sends a packet on the connection, if it belongs there, and tells its size; 0 if it was
// not sent.
func (b *binding) write(h *rtp.Header, payload []byte, ids []uint8) (int, error) {
	pt := b.pt.Load()
	if pt < 0 || b.off.Load() {
		b.on = false
		return 0, nil
	}
	opening := b.place(h.SequenceNumber)
	if !opening && int16(h.SequenceNumber-b.base) < 0 {
		return 0, nil // from before this stretch
	}
	out := &b.header
	out.PayloadType, out.SequenceNumber = uint8(pt), h.SequenceNumber+b.offset
	out.Timestamp, out.Marker = h.Timestamp, h.Marker
	out.Extension, out.Extensions = false, out.Extensions[:0]
	if h.Extension {
		for _, id := range ids {
			if to := b.mapping[id]; to != 0 {
				if value := h.GetExtension(id); value != nil {
					if err := out.SetExtension(to, value); err != nil {
						return 0, err
					}
				}
			}
		}
	}
	n, err := b.writer.WriteRTP(out, payload)
	if err != nil || n == 0 {
		return 0, err // n is 0 until the connection is up
	}
	b.sent(opening, out.SequenceNumber, len(payload))
	return n, nil
}

// place begins a new stretch with a source sequence number if sending was off or the source has
// restarted, and tells whether it did.
func (b *binding) place(seq uint16) (opening bool) {
	next := uint16(b.next.Load())
	if b.on {
		if d := int16(seq - (next - b.offset)); d <= maxJump && d >= -maxJump {
			return false
		}
	}
	b.on = false
	b.base, b.offset = seq, next-seq
	return true
}

func (b *binding) sent(opening bool, seq uint16, payload int) {
	next := b.next.Load()
	if opening {
		b.on = true
		b.open(stretch{first: next, offset: b.offset})
	}
	if d := int16(seq - uint16(next)); d >= 0 {
		next += uint64(d) + 1
		b.next.Store(next)
	}
	// The base follows at a distance, or comparing with it would go wrong after 2¹⁵ packets.
	if newest := uint16(next) - b.offset; int16(newest-b.base) > 2*maxJump {
		b.base = newest - maxJump - 1
	}
	b.packets.Add(1)
	b.octets.Add(uint64(payload))
}

func (b *binding) open(s stretch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.stretches) == maxStretches {
		b.stretches = append(b.stretches[:0], b.stretches[1:]...)
	}
	b.stretches = append(b.stretches, s)
}

// source is the packet's own number for a number as sent on this connection.
func (b *binding) source(seq uint16) (uint16, bool) {
	next := b.next.Load()
	age := uint16(next) - seq
	if age == 0 || age > 1<<15 {
		return 0, false // not sent yet
	}
	extended := next - uint64(age)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(b.stretches) - 1; i >= 0; i-- {
		if s := b.stretches[i]; extended >= s.first {
			return seq - s.offset, true
		}
	}
	return 0, false
}

// roundTrip is the round trip last reported; 0: not known.
func (b *binding) roundTrip() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remote.RTT
}

// resend sends a stored packet again on this connection only, with header as scratch.
func (b *binding) resend(p *stored, seq uint16, header *rtp.Header) (int, error) {
	pt := b.pt.Load()
	if pt < 0 {
		return 0, nil
	}
	header.Version, header.PayloadType, header.SSRC = 2, uint8(pt), b.ssrc
	header.SequenceNumber, header.Timestamp, header.Marker = seq, p.timestamp, p.marker
	header.Extension, header.Extensions = false, header.Extensions[:0]
	rest := p.buf
	for _, e := range p.extensions[:p.count] {
		value := rest[:e.size]
		rest = rest[e.size:]
		if to := b.mapping[e.id]; to != 0 {
			if err := header.SetExtension(to, value); err != nil {
				return 0, err
			}
		}
	}
	return b.writer.WriteRTP(header, rest)
}
