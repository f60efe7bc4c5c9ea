package rtpstream

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// ReceiverConfig tunes repair. The zero value asks for every missing packet up to four times.
type ReceiverConfig struct {
	SenderSSRC uint32        // in NACKs and reports; may be 0
	NoRepair   bool          // never ask: the far end has not agreed to NACK
	Grace      time.Duration // a packet this late is only reordered; default 15 ms
	Interval   time.Duration // least time between asking twice; default 100 ms, more on long paths
	Attempts   int           // how often a packet is asked for; default 4
	GiveUp     time.Duration // a packet missing this long never arrives; default 1 s
}

func (c ReceiverConfig) withDefaults() ReceiverConfig {
	if c.Grace <= 0 {
		c.Grace = 15 * time.Millisecond
	}
	if c.Interval <= 0 {
		c.Interval = 100 * time.Millisecond
	}
	if c.Attempts <= 0 {
		c.Attempts = 4
	}
	if c.GiveUp <= 0 {
		c.GiveUp = time.Second
	}
	return c
}

// Verdict says what a received packet is.
type Verdict int

// The verdicts.
const (
	Fresh     Verdict = iota // seen for the first time, in order or merely reordered
	Repaired                 // had been asked for, and came
	Duplicate                // seen before
	TooOld                   // came after it was given up, or is not of this stream's present
)

// Counters are monotone and count packets of one stream. Expected = Received + Lost + Pending.
type Counters struct {
	Expected   uint64 // by sequence numbers
	Received   uint64 // distinct ones in time, repaired ones included
	Bytes      uint64 // of all that arrived, as sized by the caller
	WireLost   uint64 // missing past the reordering grace: lost before repair
	Repaired   uint64 // of those, came after having been asked for
	Lost       uint64 // never arrived in time: lost after repair
	Pending    uint64 // missing, neither arrived nor given up yet; not monotone
	Duplicates uint64
	Late       uint64 // arrived after having been given up
	Reordered  uint64 // came after a later one, within grace
	NACKs      uint64 // packets sent
	NACKedSeqs uint64
}

// LossRatio is the share of expected packets that never arrived, those still pending included.
func (c Counters) LossRatio() float64 { return share(c.Lost+c.Pending, c.Expected) }

// WireLossRatio is the share of expected packets that was missing before repair.
func (c Counters) WireLossRatio() float64 { return share(c.WireLost, c.Expected) }

func share(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Receiver is the reception state of one incoming RTP stream (RFC 3550 appendix A.1, A.3, A.8)
// and its repair. It has no goroutine and no timer: whoever owns it calls Feedback every 10 to
// 20 ms. It is safe for concurrent use; its lock is shared with no other stream.
type Receiver struct {
	ssrc uint32
	rate float64 // ticks per second
	c    ReceiverConfig

	mu       sync.Mutex // guards what follows
	started  bool
	max      uint64 // highest extended sequence number
	restart  uint16 // the number that would confirm that the source has restarted
	doubt    bool   // restart is set
	seen     seenWindow
	missing  missing
	all      Counters
	measured window
	jitter   jitter
	repair   time.Duration // smoothed time from asking to arrival
	report   reportState
	nack     rtcp.TransportLayerNack
	asking   []uint16
}

// NewReceiver makes the state of a stream of which nothing has arrived yet.
func NewReceiver(ssrc uint32, clockRate int, c ReceiverConfig) *Receiver {
	return &Receiver{ssrc: ssrc, rate: float64(clockRate), c: c.withDefaults()}
}

// SSRC is the stream's SSRC.
func (r *Receiver) SSRC() uint32 { return r.ssrc }

// Push takes note of a packet: its header, its size in whatever bytes the caller counts, and
// when it arrived.
func (r *Receiver) Push(h *rtp.Header, size int, arrival time.Time) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	seq, ok := r.extend(h.SequenceNumber)
	if !ok {
		return TooOld
	}
	v := r.place(seq, arrival)
	r.add(seq, func(c *Counters) { c.Bytes += uint64(size) })
	if v == Fresh {
		r.jitter.add(h.Timestamp, arrival, r.rate)
	}
	return v
}

// extend is the extended sequence number of a packet. A leap is believed when the packet after
// it confirms it: the source has restarted, and what was missing is lost.
func (r *Receiver) extend(seq uint16) (uint64, bool) {
	if !r.started {
		r.begin(1<<32 + uint64(seq))
		return r.max, true
	}
	d := int16(seq - uint16(r.max))
	if d <= maxJump && d > -seenSize {
		r.doubt = false
		return r.max + uint64(int64(d)), true
	}
	if !r.doubt || seq != r.restart {
		r.restart, r.doubt = seq+1, true
		return 0, false
	}
	r.abandonAll()
	r.begin((r.max>>16+2)<<16 + uint64(seq))
	return r.max, true
}

// begin starts the count with a packet that is about to be placed.
func (r *Receiver) begin(seq uint64) {
	r.started, r.doubt = true, false
	r.max = seq
	r.seen = seenWindow{}
	r.add(seq, func(c *Counters) { c.Expected++ })
	r.jitter.primed = false
	r.report.begin(seq, r.all)
}

func (r *Receiver) place(seq uint64, arrival time.Time) Verdict {
	if seq > r.max {
		r.advance(seq, arrival)
	} else if r.seen.has(seq, r.max) {
		r.add(seq, func(c *Counters) { c.Duplicates++ })
		return Duplicate
	}
	r.seen.set(seq)
	if seq == r.max {
		r.add(seq, func(c *Counters) { c.Received++ })
		return Fresh
	}
	i := r.missing.find(seq)
	if i < 0 {
		r.add(seq, func(c *Counters) { c.Late++ })
		return TooOld
	}
	g := r.missing.gaps[i]
	r.missing.remove(i)
	if g.asks == 0 {
		r.add(seq, func(c *Counters) { c.Received++; c.Pending--; c.Reordered++ })
		return Fresh
	}
	r.learn(arrival.Sub(g.asked), g.asks > 1)
	r.add(seq, func(c *Counters) { c.Received++; c.Pending--; c.Repaired++ })
	return Repaired
}

// advance makes seq the highest number and notices what is missing before it.
func (r *Receiver) advance(seq uint64, arrival time.Time) {
	for s := r.max + 1; s <= seq; s++ {
		r.seen.clear(s)
		if s == seq {
			break
		}
		r.add(s, func(c *Counters) { c.Expected++; c.Pending++ })
		g := gap{seq: s, noticed: arrival, due: arrival.Add(r.c.Grace)}
		if old, overflow := r.missing.add(g); overflow {
			r.abandon(old)
		}
	}
	r.max = seq
	r.add(seq, func(c *Counters) { c.Expected++ })
}

// abandon counts a gap that has left the list as lost.
func (r *Receiver) abandon(g gap) {
	r.add(g.seq, func(c *Counters) {
		c.Pending--
		c.Lost++
		if g.asks == 0 {
			c.WireLost++
		}
	})
}

func (r *Receiver) abandonAll() {
	for _, g := range r.missing.gaps {
		r.abandon(g)
	}
	r.missing.gaps = r.missing.gaps[:0]
}

// learn smooths how long a repair takes, from the first asking on. After a second asking that
// may be too long, as the first or its answer may have been lost: such a time weighs less, but
// without it a round trip longer than the interval would never be known.
func (r *Receiver) learn(d time.Duration, repeated bool) {
	switch {
	case r.repair == 0:
		r.repair = d
	case repeated:
		r.repair += (d - r.repair) / 16
	default:
		r.repair += (d - r.repair) / 4
	}
}

// add counts something about a packet, in the measured window too if it belongs there.
func (r *Receiver) add(seq uint64, f func(*Counters)) {
	f(&r.all)
	if r.measured.holds(seq) {
		f(&r.measured.c)
	}
}

// Stats is what the stream counted so far.
func (r *Receiver) Stats() Counters {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// Jitter is the interarrival jitter of RFC 3550 section 6.4.1 at present, of packets that were
// not asked for.
func (r *Receiver) Jitter() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Duration(r.jitter.value / r.rate * float64(time.Second))
}

// RTT is the smoothed time from first asking for a packet to its arrival; 0 before any repair.
func (r *Receiver) RTT() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repair
}
