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

// lossChain decides random loss. It steps once per packet and draws one number each time.
type lossChain struct {
	mean    float64
	bursty  bool
	p, r    float64
	bad     bool
	running bool // the chain has a state; before, it is drawn from the stationary distribution
}

func (c *lossChain) set(mean, burst float64) {
	c.mean = min(max(mean, 0), 1)
	c.bursty = burst > 1 && c.mean > 0 && c.mean < 1
	if c.bursty {
		c.p, c.r = GilbertElliott(c.mean, burst)
	} else {
		c.running = false
	}
}

func (c *lossChain) lost(rng *rand.Rand) bool {
	if c.mean == 0 {
		return false
	}
	u := rng.Float64()
	if !c.bursty {
		return u < c.mean
	}
	switch {
	case !c.running:
		c.running, c.bad = true, u < c.mean
	case c.bad:
		c.bad = u >= c.r
	default:
		c.bad = u < c.p
	}
	return c.bad
}
