package impair

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// leave offers n packets of size at once and says when each arrives, in ms; -1 if dropped.
func leave(p Profile, n, size int) []float64 {
	l, out := NewLink(p, 1), make([]float64, n)
	for i := range out {
		f := l.Offer(epoch, size)
		out[i] = float64(f.At.Sub(epoch)) / float64(ms)
		if f.Drop == DropQueue {
			out[i] = -1
		}
	}
	return out
}

func TestSerialiser(t *testing.T) {
	for _, c := range []struct {
		name string
		p    Profile
		want []float64
	}{
		{"departures", Profile{RateBPS: 1e6}, []float64{8, 16, 24, 32, 40, 48, 56, 64, 72, 80}},
		{"bytes", Profile{RateBPS: 1e6, QueueBytes: 5000}, []float64{8, 16, 24, 32, 40, -1, -1, -1, -1, -1}},
		{"time", Profile{RateBPS: 1e6, QueueTime: 24 * ms}, []float64{8, 16, 24, -1, -1, -1, -1, -1, -1, -1}},
		{"bytes go first", Profile{RateBPS: 1e6, QueueBytes: 2000, QueueTime: time.Second}, []float64{8, 16, -1, -1, -1, -1, -1, -1, -1, -1}},
		{"always one", Profile{RateBPS: 1e6, QueueBytes: 10}, []float64{8, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
		{"and delay", Profile{RateBPS: 1e6, Delay: 5 * ms}, []float64{13, 21, 29, 37, 45, 53, 61, 69, 77, 85}},
	} {
		if diff := cmp.Diff(c.want, leave(c.p, 10, 1000)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	accepted := 0
	for _, d := range leave(Profile{RateBPS: 1e6}, 20, 1000) { // 100 ms at 1 Mbit/s are 12.5 packets
		if d > 0 {
			accepted++
		}
	}
	if accepted != 12 {
		t.Errorf("default queue took %d packets, want 12", accepted)
	}
}

func TestSerialiserNeverDrifts(t *testing.T) {
	l := NewLink(Profile{RateBPS: 7, QueueBytes: 1 << 40}, 1)
	var last time.Time
	for range 7000 {
		f := l.Offer(epoch, 1) // 8/7 s
		last = f.At
	}
	if got := last.Sub(epoch); got != 8000*time.Second {
		t.Errorf("got %v, want 8000 s", got)
	}
}

func TestRoomReturnsWhenAPacketHasLeft(t *testing.T) {
	l := NewLink(Profile{RateBPS: 1e6, QueueBytes: 2000}, 1)
	for _, c := range []struct {
		at   time.Duration
		want Drop
	}{{0, Delivered}, {0, Delivered}, {7999 * time.Microsecond, DropQueue}, {8 * ms, Delivered}, {9 * ms, DropQueue}} {
		if f := l.Offer(at(c.at), 1000); f.Drop != c.want {
			t.Errorf("at %v: got %v, want %v", c.at, f.Drop, c.want)
		}
	}
}

func TestRateOverTenSeconds(t *testing.T) {
	for _, rate := range []int64{64_000, 1_500_000, 100_000_000} {
		l := NewLink(Profile{RateBPS: rate}, 1)
		sum, step := int64(0), time.Duration(float64(300*8)/float64(rate)/1.3*1e9)
		for now := time.Duration(0); now < 10*time.Second; now += step {
			if f := l.Offer(at(now), 300); f.Drop == Delivered && !f.At.After(at(10*time.Second)) {
				sum += 300
			}
		}
		if got := float64(sum) * 8 / 10; math.Abs(got/float64(rate)-1) > .01 {
			t.Errorf("rate %d: got %.0f", rate, got)
		}
	}
}

func TestLittlesLaw(t *testing.T) {
	const n, size = 200_000, 500
	l := NewLink(Profile{RateBPS: 1e6, QueueBytes: 1 << 40}, 1)
	rng := rand.New(rand.NewPCG(1, 2))
	var now, wait time.Duration
	var area float64 // ∫ packets inside dt, taken from the events themselves
	inside := []time.Time{}
	previous := epoch
	for range n {
		now += time.Duration(rng.ExpFloat64() * float64(5*ms)) // load 0.8 of 4 ms each
		for len(inside) > 0 && !inside[0].After(at(now)) {
			area += float64(len(inside)) * inside[0].Sub(previous).Seconds()
			previous, inside = inside[0], inside[1:]
		}
		area += float64(len(inside)) * at(now).Sub(previous).Seconds()
		previous = at(now)
		f := l.Offer(at(now), size)
		wait += f.At.Sub(at(now))
		inside = append(inside, f.At)
	}
	mean, littles := area/now.Seconds(), wait.Seconds()/now.Seconds()
	if math.Abs(mean/littles-1) > .02 {
		t.Errorf("mean inside %.4f, λW %.4f", mean, littles)
	}
	// M/D/1 at load 0.8: 0.8 + 0.64/(2·0.2) = 2.4 inside.
	if math.Abs(mean/2.4-1) > .05 {
		t.Errorf("mean inside %.4f, want 2.4", mean)
	}
}

func TestLossCostsNoRate(t *testing.T) {
	l := NewLink(Profile{RateBPS: 1e6, LossRatio: .5}, 1)
	sent := 0
	for range 20 {
		f := l.Offer(epoch, 100)
		if f.Drop != Delivered {
			continue
		}
		sent++
		if got, want := f.At.Sub(epoch), time.Duration(sent)*800*time.Microsecond; got != want {
			t.Errorf("packet %d leaves after %v, want %v", sent, got, want)
		}
	}
}

func TestSetKeepsTheQueue(t *testing.T) {
	l := NewLink(Profile{RateBPS: 1e6}, 1)
	l.Offer(epoch, 1000)
	l.Set(Profile{RateBPS: 2e6})
	if f := l.Offer(epoch, 1000); f.At != at(12*ms) {
		t.Errorf("got %v, want 8 ms of the old rate and 4 ms of the new", f.At.Sub(epoch))
	}
	l.Set(Profile{})
	if f := l.Offer(epoch, 1000); f.At != at(12*ms) {
		t.Errorf("unlimited: got %v, want behind the others", f.At.Sub(epoch))
	}
	if f := l.Offer(at(13*ms), 1000); f.At != at(13*ms) {
		t.Errorf("unlimited and empty: got %v", f.At.Sub(epoch))
	}
}

// TestCoDelLaw overloads a link twice for two seconds.
func TestCoDelLaw(t *testing.T) {
	l := NewLink(Profile{RateBPS: 8e6, AQM: CoDel, QueueTime: 10 * time.Second}, 1)
	var above time.Duration
	var drops []time.Duration
	for now := time.Duration(0); now < 2*time.Second; now += 500 * time.Microsecond {
		start := max(now, l.queue.free)
		f := l.Offer(at(now), 1000)
		if above == 0 && start-now >= codelTarget {
			above = start
		}
		if f.Drop == DropCoDel {
			drops = append(drops, start)
		}
	}
	if len(drops) < 10 {
		t.Fatalf("%d drops", len(drops))
	}
	if first := drops[0] - above; first < 100*ms || first > 101*ms {
		t.Errorf("first drop %v after the sojourn first exceeds the target, want 100 ms", first)
	}
	due := drops[0]
	for i := 1; i < 10; i++ {
		due += time.Duration(float64(100*ms) / math.Sqrt(float64(i)))
		if late := drops[i] - due; late < 0 || late > ms {
			t.Errorf("drop %d is %v after its due time", i+1, late)
		}
	}
}

func TestCoDelLeavesAShortQueueAlone(t *testing.T) {
	l := NewLink(Profile{RateBPS: 100_000, AQM: CoDel}, 1)
	for i := range 200 { // 80 ms a packet, above target, but never more than one waits
		if f := l.Offer(at(time.Duration(i)*80*ms), 1000); f.Drop != Delivered {
			t.Fatalf("packet %d: %v", i, f.Drop)
		}
	}
}

func TestCoDelResumesNearItsOldRate(t *testing.T) {
	c := codel{count: 10, lastCount: 1, next: time.Second}
	c.isAbove, c.above = true, 1100*ms
	if !c.drop(1100*ms, 20*ms, 9000) || c.count != 9 {
		t.Errorf("count %d after a short pause, want 9", c.count)
	}
	c = codel{count: 10, lastCount: 1, next: time.Second, isAbove: true, above: 3 * time.Second}
	if !c.drop(3*time.Second, 20*ms, 9000) || c.count != 1 {
		t.Errorf("count %d after a long pause, want 1", c.count)
	}
}
