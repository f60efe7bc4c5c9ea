package impair

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"
)

// z4 is the two-sided normal quantile at α = 1e-4, the false-alarm rate of every statistical
// assertion here.
const z4 = 3.8906

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// at is a time of a test.
func at(d time.Duration) time.Time { return epoch.Add(d) }

// losses offers n packets, 10 ms apart, and says which were lost.
func losses(p Profile, seed uint64, n int) []bool {
	l, lost := NewLink(p, seed), make([]bool, n)
	for i := range lost {
		f := l.Offer(at(time.Duration(i)*10*time.Millisecond), 1000)
		lost[i] = f.Drop == DropLoss
	}
	return lost
}

func count(lost []bool) (n int) {
	for _, l := range lost {
		if l {
			n++
		}
	}
	return n
}

// wilson is the score interval of k of n.
func wilson(k, n int, z float64) (low, high float64) {
	p, m := float64(k)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return mid - half, mid + half
}

func TestWilsonOracle(t *testing.T) {
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{{500, 10000, .04590, .05444}, {0, 100, 0, .03699}, {12, 400, .01724, .05170}} {
		low, high := wilson(c.k, c.n, 1.959964)
		if math.Abs(low-c.low) > 1e-5 || math.Abs(high-c.high) > 1e-5 {
			t.Errorf("%d of %d: got %.5f..%.5f, want %.5f..%.5f", c.k, c.n, low, high, c.low, c.high)
		}
	}
}

func TestGilbertElliottConversion(t *testing.T) {
	for _, c := range []struct{ m, b, p, r, burstR float64 }{
		{.01, 1.5, .006734, .66667, 1.485},
		{.02, 3, .006803, .33333, 2.94},
		{.05, 2, .026316, .5, 1.9},
		{.05, 5, .010526, .2, 4.75},
		{.10, 8, .013889, .125, 7.2},
	} {
		p, r := GilbertElliott(c.m, c.b)
		if math.Abs(p-c.p) > 1e-6 || math.Abs(r-c.r) > 1e-5 || math.Abs(1/(p+r)-c.burstR) > 1e-3 {
			t.Errorf("%v, %v: got p %.6f r %.5f burstR %.3f, want %.6f %.5f %.3f", c.m, c.b, p, r, 1/(p+r), c.p, c.r, c.burstR)
		}
		if got := VarianceInflation(p, r); math.Abs(got-(2-p-r)/(p+r)) > 1e-12 {
			t.Errorf("%v, %v: variance inflation %v", c.m, c.b, got)
		}
	}
}

func TestShortBurstKeepsTheMean(t *testing.T) {
	p, r := GilbertElliott(.9, 2)
	if p != 1 || math.Abs(p/(p+r)-.9) > 1e-12 {
		t.Errorf("got p %v r %v, want p 1 and mean 0.9", p, r)
	}
	if p, r := GilbertElliott(0, 3); p != 0 || r != 1 {
		t.Errorf("no loss: got p %v r %v", p, r)
	}
}

func TestLossExtremes(t *testing.T) {
	for _, burst := range []float64{0, 1, 5} {
		if got := count(losses(Profile{LossRatio: 1, Burst: burst}, 1, 1000)); got != 1000 {
			t.Errorf("burst %v: %d of 1000 lost at 100 %%", burst, got)
		}
		if got := count(losses(Profile{Burst: burst}, 1, 1000)); got != 0 {
			t.Errorf("burst %v: %d lost at 0 %%", burst, got)
		}
	}
}

func TestLossRate(t *testing.T) {
	for _, m := range []float64{.001, .01, .05, .3, .97} {
		for seed := range uint64(5) {
			const n = 50_000
			k := count(losses(Profile{LossRatio: m}, seed, n))
			if low, high := wilson(k, n, z4); m < low || m > high {
				t.Errorf("seed %d: %d of %d lost, interval %.5f..%.5f misses %v", seed, k, n, low, high, m)
			}
		}
	}
}

func TestBurstyLossRate(t *testing.T) {
	for _, c := range []struct{ m, b float64 }{{.01, 1.5}, {.02, 3}, {.05, 5}, {.1, 8}, {.5, 4}} {
		p, r := GilbertElliott(c.m, c.b)
		for seed := range uint64(5) {
			const n = 100_000
			got := float64(count(losses(Profile{LossRatio: c.m, Burst: c.b}, seed, n))) / n
			sd := math.Sqrt(c.m * (1 - c.m) * VarianceInflation(p, r) / n)
			if math.Abs(got-c.m) > z4*sd {
				t.Errorf("%v burst %v, seed %d: got %.5f, more than %.5f away", c.m, c.b, seed, got, z4*sd)
			}
		}
	}
}

func TestVarianceInflationHolds(t *testing.T) {
	const n, seeds, m = 5000, 200, .05
	p, r := GilbertElliott(m, 5)
	var square float64
	for seed := range uint64(seeds) {
		d := float64(count(losses(Profile{LossRatio: m, Burst: 5}, seed, n)))/n - m
		square += d * d
	}
	ratio := square / seeds / (m * (1 - m) * VarianceInflation(p, r) / n)
	chi := distuv.ChiSquared{K: seeds}
	if low, high := chi.Quantile(5e-5)/seeds, chi.Quantile(1-5e-5)/seeds; ratio < low || ratio > high {
		t.Errorf("measured variance is %.3f of the theory, want %.3f to %.3f", ratio, low, high)
	}
}

func TestChainStartsStationary(t *testing.T) {
	const n, m = 20_000, .1
	k := 0
	for seed := range uint64(n) {
		k += count(losses(Profile{LossRatio: m, Burst: 8}, seed, 1))
	}
	if low, high := wilson(k, n, z4); m < low || m > high {
		t.Errorf("%d of %d first packets lost, interval %.4f..%.4f misses %v", k, n, low, high, m)
	}
}

// runs are the lengths of the complete runs of a value.
func runs(lost []bool, of bool) (lengths []int) {
	length, begun := 0, false
	for _, l := range lost {
		if l == of {
			length++
			continue
		}
		if begun && length > 0 {
			lengths = append(lengths, length)
		}
		begun, length = true, 0
	}
	return lengths
}

// geometricFit is the p-value of the lengths under Geometric(q), bins merged to at least 5.
func geometricFit(lengths []int, q float64) float64 {
	n := float64(len(lengths))
	seen := map[int]int{}
	for _, l := range lengths {
		seen[l]++
	}
	var chi, expected, rest float64
	bins, observed, k := 0, 0, 1
	for rest = 1; ; k++ {
		mass := rest * q
		expected, observed, rest = expected+n*mass, observed+seen[k], rest-mass
		if n*rest < 5 {
			break
		}
		if expected >= 5 {
			chi += (float64(observed) - expected) * (float64(observed) - expected) / expected
			bins, expected, observed = bins+1, 0, 0
		}
	}
	for l, c := range seen {
		if l > k {
			observed += c
		}
	}
	expected += n * rest
	chi += (float64(observed) - expected) * (float64(observed) - expected) / expected
	return distuv.ChiSquared{K: float64(bins)}.Survival(chi)
}

func TestBurstAndGapLengths(t *testing.T) {
	for _, c := range []struct{ m, b float64 }{{.05, 5}, {.02, 3}, {.1, 8}} {
		p, r := GilbertElliott(c.m, c.b)
		for seed := range uint64(3) {
			lost := losses(Profile{LossRatio: c.m, Burst: c.b}, seed, 200_000)
			if got := geometricFit(runs(lost, true), r); got < 1e-4 {
				t.Errorf("%v burst %v seed %d: bursts do not fit, p = %g", c.m, c.b, seed, got)
			}
			if got := geometricFit(runs(lost, false), p); got < 1e-4 {
				t.Errorf("%v burst %v seed %d: gaps do not fit, p = %g", c.m, c.b, seed, got)
			}
		}
	}
}

func TestIndependentLossHasNoMemory(t *testing.T) {
	const n, m = 100_000, .05
	lost := losses(Profile{LossRatio: m, Burst: 1}, 3, n)
	var same, square float64
	for i := range lost {
		x, y := -m, 0.0
		if lost[i] {
			x = 1 - m
		}
		if i > 0 {
			y = -m
			if lost[i-1] {
				y = 1 - m
			}
		}
		same, square = same+x*y, square+x*x
	}
	if rho := same / square; math.Abs(rho) > 3.9/math.Sqrt(n) {
		t.Errorf("lag-1 autocorrelation %.5f", rho)
	}
}

func ExampleGilbertElliott() {
	p, r := GilbertElliott(0.05, 5)
	fmt.Printf("%.6f %.1f\n", p, r)
	// Output: 0.010526 0.2
}

// TestFlowsDrawApart has one flow's fates stand whatever other flows do, wherever its far end is.
func TestFlowsDrawApart(t *testing.T) {
	p := Profile{LossRatio: .2, Burst: 2, Jitter: 5 * time.Millisecond, Delay: 20 * time.Millisecond, Order: Free}
	far := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port) }
	alone, crowded := NewLink(p, 5), NewLink(p, 5)
	differ := false
	for i := range 2000 {
		now := at(time.Duration(i) * 10 * time.Millisecond)
		want := alone.OfferFlow(Flow{Kind: 7, Far: far(1)}, now, 100)
		got := crowded.OfferFlow(Flow{Kind: 7, Far: far(4000)}, now, 100)
		if got != want {
			t.Fatalf("packet %d: got %+v, want %+v as without the others", i, got, want)
		}
		for n := range i % 4 { // more or fewer packets of others
			other := crowded.OfferFlow(Flow{Kind: 7, Far: far(uint16(4001 + n))}, now, 100)
			crowded.StreamFlow(Flow{Kind: 8, Far: far(4000)}, now, 100)
			differ = differ || other != want
		}
	}
	if !differ {
		t.Error("every flow has the same fates")
	}
}
