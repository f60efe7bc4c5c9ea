package media

import "time"

const maxFramePackets = 4096 // a frame of more is not believed

// assembly is one frame that is being put together. Packets are marked in a bitmap: by their index
// if the frame is stamped, else by their sequence number relative to the first seen.
type assembly struct {
	id      int64 // frame number, or extended RTP timestamp: orders frames
	stamped bool
	key     bool
	ref     int64 // stamped: the frame that must come before
	capture int64 // stamped: Unix ns
	count   int   // stamped: packets of the frame

	first  time.Duration // arrival of the first evidence of this frame: its own or a later one's
	lastNS int64         // arrival of its latest packet, Unix ns
	got    int           // distinct packets
	seen   []uint64      // bitmap of maxFramePackets bits at most
	origin int64         // unstamped: extended sequence number of bit maxFramePackets/2
	lo, hi int64         // unstamped: extended sequence numbers seen
	start  int64         // unstamped: where a keyframe starts; valid if key
	end    int64         // unstamped: of the marker; valid if ended
	ended  bool
	whole  bool // stamped: nothing missing
}

// reset empties a used assembly, keeping its bitmap's memory.
func (a *assembly) reset(id int64, stamped bool, first time.Duration) {
	seen := a.seen
	clear(seen)
	*a = assembly{id: id, stamped: stamped, first: first, seen: seen[:0]}
}

// mark notes packet i and tells whether it is new.
func (a *assembly) mark(i int) bool {
	word, bit := i/64, uint64(1)<<(i%64)
	for word >= len(a.seen) {
		a.seen = append(a.seen, 0)
	}
	if a.seen[word]&bit != 0 {
		return false
	}
	a.seen[word] |= bit
	a.got++
	return true
}

// addStamped notes a packet by its trailer; false: a duplicate, or one that contradicts the frame.
func (a *assembly) addStamped(t Trailer) bool {
	if a.got == 0 {
		a.key, a.ref, a.capture, a.count = t.Key, int64(t.Ref), t.CaptureNS, int(t.Packets)
	}
	if int(t.Packet) >= a.count || !a.mark(int(t.Packet)) {
		return false
	}
	a.whole = a.got == a.count
	return true
}

// addPlain notes a packet of a frame without trailers by its extended sequence number.
func (a *assembly) addPlain(seq int64, key, marker bool) bool {
	if a.got == 0 {
		a.origin, a.lo, a.hi = seq, seq, seq
	}
	i := seq - a.origin + maxFramePackets/2
	if i < 0 || i >= maxFramePackets || !a.mark(int(i)) {
		return false
	}
	a.lo, a.hi = min(a.lo, seq), max(a.hi, seq)
	if key && (!a.key || seq < a.start) {
		a.key, a.start = true, seq
	}
	if marker {
		a.ended, a.end = true, seq
	}
	return true
}

// complete tells whether nothing is missing, given the sequence number that the frame before it
// ended with (unstamped delta frames do not say where they start).
func (a *assembly) complete(doneSeq int64, known bool) bool {
	if a.stamped {
		return a.whole
	}
	if !a.ended || a.got != int(a.hi-a.lo)+1 {
		return false
	}
	return a.key && a.start == a.lo || known && a.lo == doneSeq+1
}
