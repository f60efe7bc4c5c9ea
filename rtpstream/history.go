package rtpstream

import (
	"sync"

	"github.com/pion/rtp"
)

// maxExtensions bounds the header extensions kept of one packet.
const maxExtensions = 8

// firstHistory is how many packets a history holds before it knows how fast they come.
const firstHistory = 64

// history keeps the last packets of a stream for repair: one for all receivers. Its slots reuse
// their buffers. It begins small and doubles while packets younger than keep would be
// overwritten, so that a slow stream does not hold memory for a fast one's history.
type history struct {
	limit int // slots at most
	keep  int32

	mu    sync.Mutex // guards slots
	slots []stored   // a power of two of them
}

// stored is one packet: what differs between packets of a stream, extensions and payload behind
// one another in buf.
type stored struct {
	used       bool
	marker     bool
	seq        uint16
	timestamp  uint32
	extensions [maxExtensions]struct{ id, size uint8 }
	count      int
	buf        []byte
}

// newHistory makes a history of at most so many packets, rounded up to a power of two. keep is
// in units of the media clock.
func newHistory(packets int, keep uint32) *history {
	n := 1
	for n < packets {
		n <<= 1
	}
	return &history{limit: n, keep: int32(keep), slots: make([]stored, min(n, firstHistory))}
}

// put keeps a copy of a packet with those of its extensions that are named by ids.
func (h *history) put(header *rtp.Header, payload []byte, ids []uint8) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.slot(header.SequenceNumber)
	for s.used && s.seq != header.SequenceNumber && len(h.slots) < h.limit && int32(header.Timestamp-s.timestamp) < h.keep {
		h.grow()
		s = h.slot(header.SequenceNumber)
	}
	s.fill(header, payload, ids)
}

func (h *history) slot(seq uint16) *stored { return &h.slots[int(seq)&(len(h.slots)-1)] }

func (h *history) grow() {
	old := h.slots
	h.slots = make([]stored, 2*len(old))
	for i := range old {
		if old[i].used {
			*h.slot(old[i].seq) = old[i]
		}
	}
}

// get copies a packet into dst, whose buffer is reused, if it is still there.
func (h *history) get(seq uint16, dst *stored) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.slot(seq)
	if !s.used || s.seq != seq {
		return false
	}
	buf := append(dst.buf[:0], s.buf...)
	*dst = *s
	dst.buf = buf
	return true
}

func (s *stored) fill(header *rtp.Header, payload []byte, ids []uint8) {
	s.used, s.marker = true, header.Marker
	s.seq, s.timestamp = header.SequenceNumber, header.Timestamp
	s.count, s.buf = 0, s.buf[:0]
	if header.Extension {
		for _, id := range ids {
			value := header.GetExtension(id)
			if value == nil || s.count == maxExtensions {
				continue
			}
			s.extensions[s.count].id, s.extensions[s.count].size = id, uint8(len(value))
			s.count++
			s.buf = append(s.buf, value...)
		}
	}
	s.buf = append(s.buf, payload...)
}
