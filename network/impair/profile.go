// Package impair decides the fate of a packet on a link: whether it is lost, how long it waits
// and when it arrives. It is pure: no clock, no socket, no goroutine; time is an argument.
//
// A packet passes, in this order: corruption, duplication, random loss, the queue in front of
// the rate (serialisation), propagation delay with jitter, reordering.
package impair

import "time"

// Profile is one direction of a link. The zero value is a perfect link.
type Profile struct {
	RateBPS int64  // serialisation rate in bits on the wire per second; 0: unlimited
	Trace   *Trace // delivery opportunities in place of RateBPS; nil: none

	QueueBytes int           // what may wait for the rate, in wire bytes; 0: QueueTime decides
	QueueTime  time.Duration // what may wait for the rate, as time at that rate; 0 with QueueBytes 0: 100 ms
	AQM        AQM

	Delay        time.Duration // one-way propagation delay
	Jitter       time.Duration // standard deviation of the delay; half-width where Distribution is Uniform
	Distribution Distribution
	Order        Order

	LossRatio float64 // mean loss before the queue, 0 to 1
	Burst     float64 // mean length of a loss burst in packets (Gilbert-Elliott); 0 or 1: independent losses

	DuplicateRatio float64       // probability that a packet arrives twice, 0 to 1
	CorruptRatio   float64       // probability that one bit of a packet is flipped, 0 to 1
	ReorderRatio   float64       // probability that a packet is held back by ReorderBy, 0 to 1
	ReorderBy      time.Duration // extra delay of a reordered packet; 0: 10 ms

	Schedule []Change // in order of At; in force from Link.Start on
}

// Change alters a profile for a while.
type Change struct {
	At       time.Duration // since the link's Start
	For      time.Duration // how long; 0: until the end
	Blackout bool          // nothing passes
	Set      Overlay       // what is different meanwhile
}

// Overlay is the part of a profile that a Change sets; nil fields keep their value.
type Overlay struct {
	RateBPS                                                      *int64
	QueueBytes                                                   *int
	QueueTime                                                    *time.Duration
	AQM                                                          *AQM
	Delay, Jitter, ReorderBy                                     *time.Duration
	Distribution                                                 *Distribution
	Order                                                        *Order
	LossRatio, Burst, DuplicateRatio, CorruptRatio, ReorderRatio *float64
}

// AQM is how a queue decides what to drop.
type AQM string

// The queue disciplines. The zero value means DropTail.
const (
	DropTail AQM = "droptail"
	CoDel    AQM = "codel" // RFC 8289, target 5 ms, interval 100 ms
)

// Distribution is the shape of the jitter.
type Distribution string

// The jitter distributions. The zero value means Normal.
const (
	Normal  Distribution = "normal"  // truncated so that no packet arrives before it was sent
	Uniform Distribution = "uniform" // Jitter is the half-width
	Pareto  Distribution = "pareto"  // heavy tail; Jitter is the standard deviation
)

// Order says whether jitter may make packets overtake each other.
type Order string

// The orders. The zero value means Keep.
const (
	Keep Order = "keep"
	Free Order = "free"
)

// Trace is a Mahimahi packet-delivery trace: at each opportunity 1500 bytes may leave. It wraps
// around at its last opportunity.
type Trace struct {
	Name          string
	Opportunities []time.Duration // since the start of the trace, non-decreasing, the last above 0
}
