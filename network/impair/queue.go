package impair

import (
	"math"
	"time"
)

const (
	defaultQueue = 100 * time.Millisecond
	leastDefault = 3000 // bytes: one packet leaving and one waiting, or a slow link would idle between packets
	longAgo      = time.Duration(math.MinInt64 / 4)
)

// queue is the FIFO in front of the rate: a serialiser with virtual finish times. The packet
// being sent counts towards the limit with all its bytes until its last bit has left; a packet
// that finds nobody there is always taken, however small the limit.
//
// A packet's times are settled when it arrives, because later ones cannot overtake it. A change
// of the rate therefore concerns only packets that arrive after it.
type queue struct {
	rate  int64 // bit/s; 0: unlimited
	limit int64 // bytes
	codel bool
	law   codel
	trace *Trace
	pos   cursor

	free  time.Duration // when the last packet has left
	carry int64         // what integer division left over, in bit·ns below one ns of the rate

	inside  []departure // a ring
	head, n int
	bytes   int64
	streams int64 // of bytes, those of streams
}

// departure is when a packet's bytes leave the queue.
type departure struct {
	at     time.Duration
	size   int64
	stream bool
}

func (q *queue) set(p *Profile, origin time.Duration) {
	q.codel = p.AQM == CoDel
	if p.Trace != q.trace {
		q.trace, q.pos = p.Trace, cursor{base: origin}
	}
	if p.RateBPS != q.rate {
		q.rate, q.carry = p.RateBPS, 0
	}
	rate := float64(p.RateBPS)
	if p.Trace != nil {
		rate = p.Trace.MeanBPS()
	}
	switch {
	case p.QueueBytes > 0:
		q.limit = int64(p.QueueBytes)
	case p.QueueTime > 0:
		q.limit = bytesIn(p.QueueTime, rate)
	default:
		q.limit = max(bytesIn(defaultQueue, rate), leastDefault)
	}
}

// bytesIn is what a rate in bit/s carries in a time.
func bytesIn(d time.Duration, rate float64) int64 {
	return int64(math.Min(math.Round(rate*d.Seconds()/8), math.MaxInt64/4))
}

// limited reports whether a packet may have to wait here.
func (q *queue) limited() bool { return q.rate > 0 || q.trace != nil }

// full reports whether a packet that arrives at t has no room.
func (q *queue) full(t time.Duration, size int64) bool {
	for q.n > 0 && q.inside[q.head].at <= t {
		q.bytes -= q.inside[q.head].size
		if q.inside[q.head].stream {
			q.streams -= q.inside[q.head].size
		}
		q.head = (q.head + 1) & (len(q.inside) - 1)
		q.n--
	}
	return q.limited() && (q.n > 0 && q.bytes+size > q.limit || q.trace != nil && !q.trace.delivers())
}

// pass says when a packet that arrives at t has left, or why it does not.
func (q *queue) pass(t time.Duration, size int64) (time.Duration, Drop) {
	if !q.limited() {
		return max(t, q.free), Delivered // what waited for an earlier rate still goes first
	}
	if q.full(t, size) {
		return 0, DropQueue
	}
	start := max(t, q.free)
	if q.trace != nil {
		start = q.pos.next(q.trace, start)
	}
	if q.codel && q.law.drop(start, start-t, q.bytes) {
		q.enter(departure{at: start, size: size})
		return 0, DropCoDel
	}
	return q.serve(start, size, false), Delivered
}

// share is what streams may take of the queue: half, but at least as much as keeps the rate busy.
func (q *queue) share() int64 { return max(q.limit/2, leastDefault) }

// fullForStream is full for a segment of a stream. Streams refill the queue whenever something
// leaves it: unless they kept to their share, they would leave no room for anything else.
func (q *queue) fullForStream(t time.Duration, size int64) bool {
	return q.full(t, size) || q.limited() && q.streams > 0 && q.streams+size > q.share()
}

// serve sends a packet whose turn comes at start and returns when its last bit leaves.
func (q *queue) serve(start time.Duration, size int64, stream bool) time.Duration {
	if q.trace != nil {
		q.free = q.pos.take(q.trace, size)
	} else {
		if start > q.free {
			q.carry = 0
		}
		work := size*8*int64(time.Second) + q.carry
		q.free = start + time.Duration(work/q.rate)
		q.carry = work % q.rate
	}
	q.enter(departure{q.free, size, stream})
	return q.free
}

func (q *queue) enter(d departure) {
	if q.n == len(q.inside) {
		q.grow()
	}
	q.inside[(q.head+q.n)&(len(q.inside)-1)] = d
	q.n++
	q.bytes += d.size
	if d.stream {
		q.streams += d.size
	}
}

func (q *queue) grow() {
	wider := make([]departure, max(16, 2*len(q.inside)))
	for i := range q.n {
		wider[i] = q.inside[(q.head+i)&(len(q.inside)-1)]
	}
	q.inside, q.head = wider, 0
}
