package rtpstream

import (
	"math"
	"time"
)

// seenSize is how far back a packet can be told from a duplicate.
const seenSize = 1024

// seenWindow remembers which of the last seenSize extended sequence numbers have arrived.
type seenWindow [seenSize / 64]uint64

func (w *seenWindow) set(seq uint64)   { w[seq/64%uint64(len(w))] |= 1 << (seq % 64) }
func (w *seenWindow) clear(seq uint64) { w[seq/64%uint64(len(w))] &^= 1 << (seq % 64) }

// has tells whether a number not above highest has arrived; what lies too far back counts as
// arrived.
func (w *seenWindow) has(seq, highest uint64) bool {
	return highest-seq >= seenSize || w[seq/64%uint64(len(w))]&(1<<(seq%64)) != 0
}

// jitter is the estimator of RFC 3550 appendix A.8, in ticks of the media clock.
type jitter struct {
	primed    bool
	timestamp uint32
	arrival   time.Time
	value     float64
}

func (j *jitter) add(timestamp uint32, arrival time.Time, rate float64) {
	if j.primed {
		apart := arrival.Sub(j.arrival).Seconds() * rate
		d := math.Abs(apart - float64(int32(timestamp-j.timestamp)))
		j.value += (d - j.value) / 16
	}
	j.primed, j.timestamp, j.arrival = true, timestamp, arrival
}

// window counts the packets of a measured window: those whose sequence numbers lie between its
// ends, whenever their fate is decided.
type window struct {
	open        bool
	first, last uint64 // inclusive; last is 0 while the window goes on
	c           Counters
}

func (w *window) holds(seq uint64) bool {
	return w.open && seq >= w.first && (w.last == 0 || seq <= w.last)
}

// StartWindow begins a measured window with the next packet in sequence; what is still missing
// from before does not belong to it. A window begun earlier is forgotten.
func (r *Receiver) StartWindow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.measured = window{open: true}
	if r.started {
		r.measured.first = r.max + 1
	}
}

// EndWindow ends the window with the highest packet in sequence so far. Packets of the window
// that are missing then are still waited for: the figures settle within the GiveUp time, if
// Feedback goes on being called.
func (r *Receiver) EndWindow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.measured.open && r.measured.last == 0 {
		r.measured.last = max(r.max, 1)
	}
}

// Window is the account of the measured window: settled tells that it has ended and no packet of
// it is pending any more. An unsettled account counts pending packets as lost in LossRatio.
func (r *Receiver) Window() (c Counters, settled bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.measured.c, r.measured.last != 0 && r.measured.c.Pending == 0
}
