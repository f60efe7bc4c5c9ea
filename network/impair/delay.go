package impair

import (
	"math"
	"math/rand/v2"
	"time"
)

// The Pareto jitter has shape 3, the smallest whole shape with a finite variance. With scale s
// its mean is 1.5 s and its standard deviation s·√3/2; the scale is chosen so that the standard
// deviation is Jitter, and the whole is shifted so that the mean is Delay. Its fastest packet is
// then 0.577 Jitter faster than the mean.
const (
	paretoScale = 2 / 1.7320508075688772 // per unit of standard deviation
	paretoMean  = 1.5 * paretoScale
)

// redraws bounds the search for a delay that is not negative. At least half of all draws are
// good, so the bound is never met in practice.
const redraws = 64

// delayer draws propagation delays. A distribution that would reach below zero is truncated
// there: its shape above zero stays, its mean rises.
type delayer struct {
	mean, spread float64 // ns
	shape        Distribution
}

func (d *delayer) draw(rng *rand.Rand) time.Duration {
	if d.spread == 0 {
		return time.Duration(d.mean)
	}
	var ns float64
	switch d.shape {
	case Uniform:
		low := max(d.mean-d.spread, 0)
		ns = low + rng.Float64()*(d.mean+d.spread-low)
	case Pareto:
		// The part of a Pareto distribution above a threshold is the same distribution with
		// the threshold as its scale, so truncation needs no second draw.
		shift := d.mean - paretoMean*d.spread
		scale := max(paretoScale*d.spread, -shift)
		ns = shift + scale/math.Cbrt(1-rng.Float64())
	default:
		ns = d.mean
		for range redraws {
			if x := d.mean + d.spread*rng.NormFloat64(); x >= 0 {
				ns = x
				break
			}
		}
	}
	return time.Duration(math.Round(ns))
}
