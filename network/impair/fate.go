package impair

import "time"

// Fate is what happens to one packet.
type Fate struct {
	Drop      Drop      // why it does not arrive; Delivered if it does
	At        time.Time // when it arrives; zero if dropped
	Again     time.Time // when its duplicate arrives; zero if there is none
	Corrupt   bool      // one bit is flipped, in the duplicate too
	Bit       uint64    // which: modulo the number of bits the caller can flip
	Reordered bool      // held back on purpose
}

// Copies is how often the packet arrives: 0, 1 or 2.
func (f *Fate) Copies() int {
	switch {
	case f.Drop != Delivered:
		return 0
	case f.Again.IsZero():
		return 1
	default:
		return 2
	}
}

// Flip carries out the corruption on a payload, in place. It does nothing to a packet that is
// not corrupt or has no payload.
func (f *Fate) Flip(payload []byte) {
	if !f.Corrupt || len(payload) == 0 {
		return
	}
	bit := f.Bit % (uint64(len(payload)) * 8)
	payload[bit/8] ^= 1 << (bit % 8)
}

// Drop is why a packet does not arrive.
type Drop uint8

// The reasons. DropLoss and DropBlackout are losses of the medium, DropQueue and DropCoDel are
// congestion.
const (
	Delivered    Drop = iota
	DropLoss          // random loss in front of the queue
	DropBlackout      // a scheduled blackout
	DropQueue         // no room in front of the rate
	DropCoDel         // the queue's control law
)

// String is the reason in a word.
func (d Drop) String() string {
	switch d {
	case Delivered:
		return "delivered"
	case DropLoss:
		return "loss"
	case DropBlackout:
		return "blackout"
	case DropQueue:
		return "queue"
	case DropCoDel:
		return "codel"
	}
	return "unknown"
}

// Queued reports whether the packet was dropped by the queue in front of the rate.
func (d Drop) Queued() bool { return d == DropQueue || d == DropCoDel }
