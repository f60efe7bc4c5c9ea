package capture

import "slices"

// mostAhead bounds what is kept of segments that came before an earlier one.
const mostAhead = 256

// half is one direction of a connection: its segments in order, and what their bytes say.
type half struct {
	begun bool
	next  uint32 // sequence number of the first byte that was not seen yet
	ahead []piece

	framing framing // nil before the first bytes told what is spoken
	lost    bool    // what is spoken is unknown, or is no longer understood
	unread  []byte  // of a message that is not whole yet
	skip    int     // bytes still to come that mean nothing
	pieces  fragments
}

type piece struct {
	sequence uint32
	data     []byte
}

// take returns the bytes that a segment adds, those that waited for it included. Old tells a
// segment that brings nothing new.
func (h *half) take(p *Packet) (fresh []byte, old bool) {
	sequence := p.Sequence
	if p.Flags&SYN != 0 {
		sequence++
		h.begun, h.next, h.ahead = true, sequence, nil
	}
	if len(p.Payload) == 0 {
		return nil, false
	}
	if !h.begun {
		h.begun, h.next = true, sequence
	}
	if after(sequence, h.next) {
		if len(h.ahead) < mostAhead {
			h.ahead = append(h.ahead, piece{sequence, slices.Clone(p.Payload)})
		}
		return nil, false
	}
	fresh = h.join(nil, piece{sequence, p.Payload})
	if len(fresh) == 0 {
		return nil, true
	}
	for found := true; found; {
		found = false
		for i, waiting := range h.ahead {
			if !after(waiting.sequence, h.next) {
				fresh = h.join(fresh, waiting)
				h.ahead = slices.Delete(h.ahead, i, i+1)
				found = true
				break
			}
		}
	}
	return fresh, false
}

// join adds what is new of a piece that does not lie ahead.
func (h *half) join(fresh []byte, p piece) []byte {
	known := h.next - p.sequence
	if uint64(known) >= uint64(len(p.data)) {
		return fresh
	}
	h.next = p.sequence + uint32(len(p.data))
	return append(fresh, p.data[known:]...)
}

// after compares sequence numbers, which start again at 0 (RFC 9293 section 3.4).
func after(a, b uint32) bool { return int32(a-b) > 0 }
