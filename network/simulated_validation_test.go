package network

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
	"gonum.org/v1/gonum/stat/distuv"
)

// arrival is a packet that came through.
type arrival struct {
	number int
	after  time.Duration // since it was sent
}

// through sends n packets, a gap apart, from one host's socket over its link to another's, and lists
// what comes out at the far end, in the order in which it comes.
func through(t *testing.T, up impair.Profile, n, payload int, gap time.Duration) []arrival {
	t.Helper()
	var got []arrival
	simulate(t, func(t *testing.T, s *Simulated) {
		a := socket(t, join(t, s, HostSpec{Name: "a", Up: up, Seed: 7}))
		b := socket(t, plain(t, s, "b", 0, 0))
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, maxPayload)
			for {
				must(t, b.SetReadDeadline(time.Now().Add(time.Minute)))
				if _, _, err := b.ReadFrom(buf); err != nil {
					return
				}
				number := int(binary.BigEndian.Uint32(buf[4:]))
				got = append(got, arrival{number, time.Since(start) - time.Duration(number)*gap})
			}
		}()
		packet := make([]byte, payload)
		packet[0] = 0xff // of no protocol
		for i := range n {
			time.Sleep(time.Until(start.Add(time.Duration(i) * gap)))
			binary.BigEndian.PutUint32(packet[4:], uint32(i))
			_, err := a.WriteTo(packet, where(b))
			must(t, err)
		}
		<-done
	})
	return got
}

// plausible fails where k of n is no plausible count at probability p: outside the normal
// approximation's interval at α = 1e-4, widened by the variance inflation of correlated events.
func plausible(t *testing.T, what string, k, n int, p, inflation float64) {
	t.Helper()
	const z = 3.8906
	if limit := z * math.Sqrt(float64(n)*p*(1-p)*inflation); math.Abs(float64(k)-float64(n)*p) > limit {
		t.Errorf("%s: got %d of %d, want %.0f ± %.0f", what, k, n, float64(n)*p, limit)
	}
}

// TestEmulatorEndToEnd measures what links do by what goes in at one socket and comes out at another.
func TestEmulatorEndToEnd(t *testing.T) {
	const n = 40_000
	lost := func(got []arrival) []bool {
		lost := slices.Repeat([]bool{true}, n)
		for _, a := range got {
			lost[a.number] = false
		}
		return lost
	}
	t.Run("independent loss", func(t *testing.T) {
		l := lost(through(t, impair.Profile{LossRatio: .05}, n, 100, ms))
		k, pairs := 0, 0
		for i := range l {
			if l[i] {
				k++
				if i > 0 && l[i-1] {
					pairs++
				}
			}
		}
		plausible(t, "lost", k, n, .05, 1)
		plausible(t, "lost after a loss", pairs, k, .05, 1)
	})
	t.Run("bursts of loss", func(t *testing.T) {
		const loss, burst = .05, 5
		l := lost(through(t, impair.Profile{LossRatio: loss, Burst: burst}, n, 100, ms))
		k, bursts := 0, 0
		for i := range l {
			if l[i] {
				k++
				if i == 0 || !l[i-1] {
					bursts++
				}
			}
		}
		leave := 1. / burst // per packet in a burst
		enter := leave * loss / (1 - loss)
		plausible(t, "lost", k, n, loss, (2-enter-leave)/(enter+leave)) // the variance of a two-state chain
		plausible(t, "bursts that end", bursts, k, leave, 1)
	})
	t.Run("delay", func(t *testing.T) {
		const count = 5000 // far enough apart that none waits for another
		got := through(t, impair.Profile{Delay: 50 * ms, Jitter: 5 * ms, Order: impair.Free}, count, 100, 200*ms)
		after := make([]float64, len(got))
		for i, a := range got {
			after[i] = float64(a.after) / float64(ms)
		}
		slices.Sort(after)
		d := 0.
		for i, x := range after {
			f := distuv.Normal{Mu: 50, Sigma: 5}.CDF(x)
			d = max(d, f-float64(i)/count, float64(i+1)/count-f)
		}
		if d > 2.225/math.Sqrt(count) || len(got) != count { // Kolmogorov-Smirnov, α = 1e-4
			t.Errorf("got distance %.4f of %d from the normal distribution", d, len(got))
		}
	})
	t.Run("duplicates", func(t *testing.T) {
		got := through(t, impair.Profile{DuplicateRatio: .02}, n, 100, ms)
		plausible(t, "twice", len(got)-n, n, .02, 1)
	})
	t.Run("reordering", func(t *testing.T) {
		got := through(t, impair.Profile{ReorderRatio: .03, ReorderBy: 1500 * time.Microsecond}, n, 100, ms)
		late, highest := 0, -1
		for _, a := range got {
			if a.number < highest {
				late++
			}
			highest = max(highest, a.number)
		}
		// One that is held back by a packet and a half comes after the next, unless that is held back, too.
		plausible(t, "overtaken", late, n, .03*(1-.03), 1)
	})
	t.Run("rate and queue", func(t *testing.T) {
		// 1000 bytes on the wire each millisecond into 6 Mbit/s, with room for 20 of them.
		const rate, room = 6_000_000, 20
		got := through(t, impair.Profile{RateBPS: rate, QueueBytes: room * 1000}, n, 972, ms)
		last := got[len(got)-1]
		seconds := (time.Duration(last.number)*ms + last.after).Seconds()
		if bps := float64(len(got)) * 8000 / seconds; math.Abs(bps/rate-1) > .001 {
			t.Errorf("got %.0f bit/s, want %d", bps, rate)
		}
		// Once full, what gets in finds room-1 to room packets ahead, one of which may be half gone.
		each := 8000 * time.Second / rate
		for _, a := range got[1000:] {
			if a.after < (room-1)*each || a.after > (room+1)*each {
				t.Fatalf("packet %d came after %v, want about %v", a.number, a.after, room*each)
			}
		}
	})
}

// TestEmulatorSameSeed sends the same packets twice: the same of them come, at the same times.
func TestEmulatorSameSeed(t *testing.T) {
	p := impair.Profile{
		RateBPS: 3e6, Delay: 20 * ms, Jitter: 4 * ms, LossRatio: .05, Burst: 3, DuplicateRatio: .01, ReorderRatio: .01,
	}
	first := through(t, p, 3000, 300, ms)
	if !slices.Equal(first, through(t, p, 3000, 300, ms)) {
		t.Error("two runs differ")
	}
	p.LossRatio = .06
	if slices.Equal(first, through(t, p, 3000, 300, ms)) {
		t.Error("another link does the same")
	}
}
