package impair

import (
	"math"
	"sort"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

const ms = time.Millisecond

// delays are the delays of n packets in ms, sent far apart.
func delays(p Profile, seed uint64, n int) []float64 {
	l, out := NewLink(p, seed), make([]float64, n)
	for i := range out {
		now := at(time.Duration(i) * time.Hour)
		f := l.Offer(now, 1000)
		out[i] = float64(f.At.Sub(now)) / float64(ms)
	}
	return out
}

func TestDelayDistributions(t *testing.T) {
	normal := func(mean, sd float64) func(float64) float64 {
		d := distuv.Normal{Mu: mean, Sigma: sd}
		return func(x float64) float64 { return (d.CDF(x) - d.CDF(0)) / (1 - d.CDF(0)) }
	}
	pareto := func(mean, sd float64) func(float64) float64 {
		d := distuv.Pareto{Xm: sd * 2 / math.Sqrt(3), Alpha: 3}
		shift := mean - 1.5*d.Xm
		below := d.CDF(-shift)
		return func(x float64) float64 { return (d.CDF(x-shift) - below) / (1 - below) }
	}
	uniform := func(low, high float64) func(float64) float64 {
		return distuv.Uniform{Min: low, Max: high}.CDF
	}
	for _, c := range []struct {
		name string
		p    Profile
		cdf  func(float64) float64
	}{
		{"normal", Profile{Delay: 50 * ms, Jitter: 5 * ms}, normal(50, 5)},
		{"normal truncated", Profile{Delay: 5 * ms, Jitter: 10 * ms, Distribution: Normal}, normal(5, 10)},
		{"normal at zero", Profile{Jitter: 10 * ms}, normal(0, 10)},
		{"uniform", Profile{Delay: 50 * ms, Jitter: 20 * ms, Distribution: Uniform}, uniform(30, 70)},
		{"uniform truncated", Profile{Delay: 10 * ms, Jitter: 20 * ms, Distribution: Uniform}, uniform(0, 30)},
		{"pareto", Profile{Delay: 50 * ms, Jitter: 10 * ms, Distribution: Pareto}, pareto(50, 10)},
		{"pareto truncated", Profile{Delay: 2 * ms, Jitter: 10 * ms, Distribution: Pareto}, pareto(2, 10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(4) {
				const n = 5000
				if d := ks(delays(c.p, seed, n), c.cdf); d > 2.225/math.Sqrt(n) { // α = 1e-4
					t.Errorf("seed %d: distance %.4f", seed, d)
				}
			}
		})
	}
}

// ks is the one-sample Kolmogorov-Smirnov distance.
func ks(x []float64, cdf func(float64) float64) (d float64) {
	sort.Float64s(x)
	n := float64(len(x))
	for i, v := range x {
		f := cdf(v)
		d = max(d, f-float64(i)/n, float64(i+1)/n-f)
	}
	return d
}

func TestJitterIsTheStandardDeviation(t *testing.T) {
	for _, c := range []struct {
		shape     Distribution
		sd, slack float64
	}{{Normal, 8, .1}, {Uniform, 8 / math.Sqrt(3), .1}, {Pareto, 8, .8}} {
		x := delays(Profile{Delay: 100 * ms, Jitter: 8 * ms, Distribution: c.shape}, 7, 200_000)
		mean, sd := stat.MeanStdDev(x, nil)
		if math.Abs(mean-100) > .1 || math.Abs(sd-c.sd) > c.slack {
			t.Errorf("%s: got mean %.3f sd %.3f, want 100 and %.3f", c.shape, mean, sd, c.sd)
		}
	}
}

func TestConstantDelayIsExact(t *testing.T) {
	for _, d := range delays(Profile{Delay: 40 * ms}, 1, 100) {
		if d != 40 {
			t.Fatalf("got %v ms, want 40", d)
		}
	}
}

func TestOrder(t *testing.T) {
	p := Profile{Delay: 50 * ms, Jitter: 20 * ms}
	overtaken := func(o Order) (n int) {
		p.Order = o
		l := NewLink(p, 4)
		var last time.Time
		for i := range 2000 {
			f := l.Offer(at(time.Duration(i)*ms), 100)
			if f.At.Before(last) {
				n++
			}
			last = f.At
		}
		return n
	}
	if n := overtaken(Keep); n != 0 {
		t.Errorf("keep: %d packets overtook the one before", n)
	}
	if n := overtaken(Free); n < 500 {
		t.Errorf("free: only %d of 2000 packets overtook the one before", n)
	}
}

func TestReordering(t *testing.T) {
	const n, share = 50_000, .05
	l := NewLink(Profile{Delay: 20 * ms, ReorderRatio: share, ReorderBy: 25 * ms}, 9)
	held := 0
	for i := range n {
		now := at(time.Duration(i) * 10 * ms)
		f := l.Offer(now, 100)
		want := 20 * ms
		if f.Reordered {
			held++
			want = 45 * ms
		}
		if got := f.At.Sub(now); got != want {
			t.Fatalf("packet %d, held back %v: delay %v, want %v", i, f.Reordered, got, want)
		}
	}
	if low, high := wilson(held, n, z4); share < low || share > high {
		t.Errorf("%d of %d held back", held, n)
	}
	l = NewLink(Profile{ReorderRatio: 1}, 1)
	if f := l.Offer(epoch, 1); !f.Reordered || f.At != at(10*ms) {
		t.Errorf("default: got %+v, want 10 ms", f)
	}
}

// TestReorderDensity checks the displacement of held packets: 25 ms at one packet per 10 ms put
// a lone one two places back (RFC 5236).
func TestReorderDensity(t *testing.T) {
	const n = 20_000
	l := NewLink(Profile{ReorderRatio: .001, ReorderBy: 25 * ms}, 2)
	type arrival struct {
		sent int
		at   time.Time
		held bool
	}
	arrivals := make([]arrival, n)
	for i := range arrivals {
		f := l.Offer(at(time.Duration(i)*10*ms), 100)
		arrivals[i] = arrival{i, f.At, f.Reordered}
	}
	sort.SliceStable(arrivals, func(i, j int) bool { return arrivals[i].at.Before(arrivals[j].at) })
	late := 0
	for i, a := range arrivals {
		if a.held && i-a.sent == 2 {
			late++
		}
		if a.held && i-a.sent < 1 {
			t.Errorf("packet %d was held back and not overtaken", a.sent)
		}
	}
	if late < 5 {
		t.Errorf("%d packets two places late", late)
	}
}
