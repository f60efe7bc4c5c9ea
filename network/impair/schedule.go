package impair

import (
	"math"
	"time"
)

const never = time.Duration(math.MaxInt64)

// active is the profile with the changes in force at a time since Start laid over it, later ones
// over earlier ones, whether nothing passes, and when that may be different next.
func (p *Profile) active(at time.Duration) (now Profile, blackout bool, until time.Duration) {
	now, until = *p, never
	for i := range p.Schedule {
		c := &p.Schedule[i]
		end := never
		if c.For > 0 {
			end = c.At + c.For
		}
		switch {
		case at < c.At:
			until = min(until, c.At)
		case at < end:
			until = min(until, end)
			blackout = blackout || c.Blackout
			now.lay(&c.Set)
		}
	}
	return now, blackout, until
}

// lay sets what the overlay sets. A rate takes the place of a trace.
func (p *Profile) lay(o *Overlay) {
	if o.RateBPS != nil {
		p.Trace = nil
	}
	if o.QueueTime != nil && o.QueueBytes == nil {
		p.QueueBytes = 0
	}
	assign(&p.RateBPS, o.RateBPS)
	assign(&p.QueueBytes, o.QueueBytes)
	assign(&p.QueueTime, o.QueueTime)
	assign(&p.AQM, o.AQM)
	assign(&p.Delay, o.Delay)
	assign(&p.Jitter, o.Jitter)
	assign(&p.ReorderBy, o.ReorderBy)
	assign(&p.Distribution, o.Distribution)
	assign(&p.Order, o.Order)
	assign(&p.LossRatio, o.LossRatio)
	assign(&p.Burst, o.Burst)
	assign(&p.DuplicateRatio, o.DuplicateRatio)
	assign(&p.CorruptRatio, o.CorruptRatio)
	assign(&p.ReorderRatio, o.ReorderRatio)
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
