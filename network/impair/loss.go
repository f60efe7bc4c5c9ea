package impair

import "math/rand/v2"

// GilbertElliott turns mean loss m and mean burst length b into the chain's probabilities per
// packet: p from good to bad, r from bad to good. Every packet in the bad state is lost, none in
// the good one. A burst too short for the mean (b below m/(1-m)) is lengthened until p is 1, so
// that the mean always holds. m has to be below 1.
func GilbertElliott(m, b float64) (p, r float64) {
	if m <= 0 {
		return 0, 1
	}
	r = 1 / max(b, 1)
	p = m * r / (1 - m)
	if p > 1 {
		p, r = 1, (1-m)/m
	}
	return p, r
}

// VarianceInflation is by how much the chain's memory inflates the variance of the loss measured
// over n packets: sd = sqrt(m(1-m)·VIF/n).
func VarianceInflation(p, r float64) float64 {
	rho := 1 - p - r
	return (1 + rho) / (1 - rho)
}

// lossRule is how a link loses packets at random; every flow has a lossChain of its own.
type lossRule struct {
	mean   float64
	bursty bool
	p, r   float64
}

// lossChain is where a flow is in the chain of bursts. It steps once per packet.
type lossChain struct {
	bad     bool
	running bool // the chain has a state; before, it is drawn from the stationary distribution
}

func (l *lossRule) set(mean, burst float64) {
	l.mean = min(max(mean, 0), 1)
	l.bursty = burst > 1 && l.mean > 0 && l.mean < 1
	if l.bursty {
		l.p, l.r = GilbertElliott(l.mean, burst)
	}
}

// lost draws one number for each packet.
func (l *lossRule) lost(c *lossChain, rng *rand.Rand) bool {
	if !l.bursty {
		c.running = false
	}
	if l.mean == 0 {
		return false
	}
	u := rng.Float64()
	if !l.bursty {
		return u < l.mean
	}
	switch {
	case !c.running:
		c.running, c.bad = true, u < l.mean
	case c.bad:
		c.bad = u >= l.r
	default:
		c.bad = u < l.p
	}
	return c.bad
}
