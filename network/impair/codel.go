package impair

import (
	"math"
	"time"
)

// RFC 8289 section 4.4.
const (
	codelTarget   = 5 * time.Millisecond
	codelInterval = 100 * time.Millisecond
	codelMTU      = 1500
)

// codel is the control law of RFC 8289 section 5, asked once per packet in the order and at the
// time of dequeueing.
//
// The RFC spares a packet that leaves at most one MTU behind it. What will have arrived behind a
// packet is not known when its fate is settled, so the bytes in front of it at its arrival stand
// for them; in a standing queue the two are equal.
type codel struct {
	above     time.Duration // when the sojourn will have been above target for an interval
	isAbove   bool
	dropping  bool
	next      time.Duration // when to drop next
	advance   bool          // next is to be moved once the packet after a drop is known to qualify
	count     int
	lastCount int
}

func (c *codel) drop(now, sojourn time.Duration, backlog int64) bool {
	ok := c.mayDrop(now, sojourn, backlog)
	if !c.dropping {
		if ok {
			c.enter(now)
		}
		return ok
	}
	if !ok {
		c.dropping, c.advance = false, false
		return false
	}
	if c.advance {
		c.next, c.advance = c.next+spacing(c.count), false
	}
	if now < c.next {
		return false
	}
	c.count++
	c.advance = true
	return true
}

// mayDrop is whether the sojourn has been above target for a whole interval.
func (c *codel) mayDrop(now, sojourn time.Duration, backlog int64) bool {
	if sojourn < codelTarget || backlog <= codelMTU {
		c.isAbove = false
		return false
	}
	if !c.isAbove {
		c.isAbove, c.above = true, now+codelInterval
		return false
	}
	return now >= c.above
}

// enter starts dropping, at the rate that was right if it was left only recently.
func (c *codel) enter(now time.Duration) {
	c.dropping = true
	recent := c.count - c.lastCount
	c.count = 1
	if recent > 1 && now-c.next < 16*codelInterval {
		c.count = recent
	}
	c.next = now + spacing(c.count)
	c.lastCount = c.count
}

func spacing(count int) time.Duration {
	return time.Duration(float64(codelInterval) / math.Sqrt(float64(count)))
}
