package impair

import "time"

const defaultHold = 10 * time.Millisecond // ReorderBy

// Link is one direction of a link in use: a profile with the state of its loss chains, its queue
// and its random numbers. It has one owner and is not safe for concurrent use.
//
// The packets of a Flow draw from streams of random numbers of their own, so that no packet of
// another flow, one more or one earlier, changes their fate. Within a flow every kind of impairment
// has a stream of its own, and draws for every packet whatever becomes of it, so that switching one
// on leaves the draws of the others as they were.
type Link struct {
	profile  Profile // as set
	now      Profile // with the changes in force
	blackout bool
	until    time.Duration // when the changes in force may be different

	begun   bool
	epoch   time.Time // what durations below count from
	started bool
	start   time.Duration

	loss  lossRule
	delay delayer
	queue queue
	last  time.Duration // the latest arrival in order
	flows flows
}

// NewLink returns a link with its own random numbers: equal seeds and equal offers have equal
// fates.
func NewLink(p Profile, seed uint64) *Link {
	l := &Link{last: longAgo}
	l.queue.free = longAgo
	l.flows.seed = seed
	l.Set(p)
	return l
}

// Set replaces the profile from the next packet on. The queue, the loss chains and the random
// numbers go on from where they are, and packets under way keep their fate.
func (l *Link) Set(p Profile) {
	l.profile = p
	l.until = longAgo // the next packet works out what is in force
}

// Start starts the schedule: its times count from t. A trace begins anew. Before, the
// schedule is not in force and a trace counts from the first packet.
func (l *Link) Start(t time.Time) {
	l.start, l.started = l.since(t), true
	l.queue.pos = cursor{base: l.start}
	l.until = longAgo
}

// Offer is OfferFlow for packets of one flow, the zero one.
func (l *Link) Offer(now time.Time, size int) Fate { return l.OfferFlow(Flow{}, now, size) }

// OfferFlow decides the fate of a packet of size bytes on the wire, headers included, that enters
// the link now. Times of successive packets should not go backwards. It does not allocate,
// except for a new flow and while the queue grows to its longest.
func (l *Link) OfferFlow(flow Flow, now time.Time, size int) Fate {
	t := l.since(now)
	l.refresh(t)
	p := &l.now
	var f Fate
	var lost, held, duplicate bool
	var copyDelay time.Duration
	delay := time.Duration(l.delay.mean)
	if p.random() {
		draw := l.flows.of(flow)
		lost = l.loss.lost(&draw.chain, draw.loss)
		delay = l.delay.draw(draw.jitter)
		held = p.ReorderRatio > 0 && draw.reorder.Float64() < p.ReorderRatio
		duplicate = p.DuplicateRatio > 0 && draw.duplicate.Float64() < p.DuplicateRatio
		if duplicate {
			copyDelay = l.delay.draw(draw.again)
		}
		if p.CorruptRatio > 0 && draw.corrupt.Float64() < p.CorruptRatio {
			f.Corrupt, f.Bit = true, draw.corrupt.Uint64()
		}
	}
	switch {
	case l.blackout:
		return Fate{Drop: DropBlackout}
	case lost:
		return Fate{Drop: DropLoss}
	}
	left, drop := l.queue.pass(t, int64(size))
	if drop != Delivered {
		return Fate{Drop: drop}
	}
	at := l.inOrder(left + delay)
	if held { // after the rule of order, which would undo it for every packet behind
		f.Reordered = true
		at += p.ReorderBy
	}
	f.At = l.epoch.Add(at)
	if duplicate {
		f.Again = l.copy(t, size, copyDelay)
	}
	return f
}

// copy sends a duplicate behind its original. The two share the random loss, being back to back;
// the copy takes its own place in the queue, where it may be dropped, and its own delay.
func (l *Link) copy(t time.Duration, size int, delay time.Duration) time.Time {
	left, drop := l.queue.pass(t, int64(size))
	if drop != Delivered {
		return time.Time{}
	}
	return l.epoch.Add(l.inOrder(left + delay))
}

// inOrder applies the rule of order to an arrival.
func (l *Link) inOrder(at time.Duration) time.Duration {
	if l.now.Order != Free {
		at = max(at, l.last)
	}
	l.last = max(l.last, at)
	return at
}

// refresh puts the changes of the schedule in force that are due.
func (l *Link) refresh(t time.Duration) {
	if t < l.until {
		return
	}
	l.now, l.blackout, l.until = l.profile, false, never
	origin := time.Duration(0)
	if l.started {
		var until time.Duration
		l.now, l.blackout, until = l.profile.active(t - l.start)
		if until != never {
			l.until = l.start + until
		}
		origin = l.start
	}
	if l.now.ReorderBy == 0 {
		l.now.ReorderBy = defaultHold
	}
	l.loss.set(l.now.LossRatio, l.now.Burst)
	l.delay = delayer{mean: float64(l.now.Delay), spread: float64(l.now.Jitter), shape: l.now.Distribution}
	l.queue.set(&l.now, origin)
}

func (l *Link) since(t time.Time) time.Duration {
	if !l.begun {
		l.begun, l.epoch = true, t
	}
	return t.Sub(l.epoch)
}

// mix is a bijection that spreads every bit of x over all others (splitmix64's finaliser), so
// that seeds which differ in one bit have unrelated streams.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
