package rtpstream

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

// ms is the time n milliseconds after the epoch of a test.
func ms(n int) time.Time { return at(time.Duration(n) * time.Millisecond) }

func push(r *Receiver, seq uint16, when time.Time) Verdict {
	return r.Push(&rtp.Header{SequenceNumber: seq, Timestamp: uint32(seq) * 960}, 100, when)
}

func TestJitterOracles(t *testing.T) {
	for _, c := range []struct {
		name     string
		rate     int
		step     uint32
		arrivals []float64 // s
		want     []float64 // ticks
	}{
		{
			"48 kHz", 48000, 960,
			[]float64{0, .020, .045, .060, .081, .100, .135, .140},
			[]float64{0, 0, 15, 29.0625, 30.2461, 31.3557, 74.396, 114.7462},
		},
		{
			"90 kHz", 90000, 3000,
			[]float64{0, .0333, .0667, .110, .1333, .1667},
			[]float64{0, 0.1875, 0.5508, 56.5789, 109.4802, 103.0127},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewReceiver(1, c.rate, ReceiverConfig{})
			for i, s := range c.arrivals {
				h := rtp.Header{SequenceNumber: uint16(i), Timestamp: math.MaxUint32 - 1000 + uint32(i)*c.step}
				r.Push(&h, 1, at(time.Duration(math.Round(s*1e9))))
				if got := r.jitter.value; math.Abs(got-c.want[i]) > 1e-4 {
					t.Errorf("after packet %d: got %.4f ticks, want %.4f", i, got, c.want[i])
				}
			}
		})
	}
}

func TestJitterLeavesOutRepairs(t *testing.T) {
	r := NewReceiver(1, 48000, ReceiverConfig{})
	push(r, 1, ms(0))
	push(r, 3, ms(40))
	r.Feedback(ms(60), nil)
	if got := push(r, 2, ms(500)); got != Repaired {
		t.Fatalf("got verdict %v, want Repaired", got)
	}
	push(r, 4, ms(60))
	if got := r.Jitter(); got != 0 {
		t.Errorf("got jitter %v, want 0", got)
	}
}

func TestRoundTripOracle(t *testing.T) {
	got, ok := RoundTrip(0xb7108000, 0xb7052000, 0x00054000)
	if want := 6125 * time.Millisecond; !ok || got != want {
		t.Errorf("got %v, %v, want %v", got, ok, want)
	}
	if _, ok := RoundTrip(0xb7108000, 0, 0); ok {
		t.Error("a round trip without a sender report")
	}
	if _, ok := RoundTrip(100, 200, 0); ok {
		t.Error("a negative round trip was accepted")
	}
}

func TestNTP(t *testing.T) {
	when := time.Unix(1700000000, 250_000_000)
	if got, want := NTP(when), uint64(0xe8fe6f8040000000); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
	if got := FromNTP(NTP(when)); !got.Equal(when) {
		t.Errorf("got %v back, want %v", got, when)
	}
	d := 3*time.Second + 125*time.Millisecond
	if got, want := NTP(when.Add(d)), NTP(when)+ntpSpan(d); got != want {
		t.Errorf("got %#x, want %#x", got, want)
	}
}

func TestReorderIsNotLoss(t *testing.T) {
	r := NewReceiver(1, 48000, ReceiverConfig{})
	for i, seq := range []uint16{65534, 0, 65535, 1} {
		if got := push(r, seq, ms(i)); got != Fresh {
			t.Errorf("packet %d: got verdict %v, want Fresh", seq, got)
		}
	}
	if got := r.Feedback(ms(1000), nil); len(got) != 0 {
		t.Errorf("got feedback %v, want none", got)
	}
	want := Counters{Expected: 4, Received: 4, Bytes: 400, Reordered: 1}
	if d := cmp.Diff(want, r.Stats()); d != "" {
		t.Error(d)
	}
}

// nacked returns the sequence numbers that are asked for at a time.
func nacked(r *Receiver, when time.Time) []uint16 {
	var seqs []uint16
	for _, p := range r.Feedback(when, nil) {
		for _, pair := range p.(*rtcp.TransportLayerNack).Nacks {
			seqs = append(seqs, pair.PacketList()...)
		}
	}
	return seqs
}

func TestNACKTiming(t *testing.T) {
	r := NewReceiver(7, 90000, ReceiverConfig{SenderSSRC: 9})
	push(r, 65533, ms(0))
	push(r, 4, ms(1)) // 65534 to 3 are missing
	asked := map[int][]uint16{}
	for n := 0; n <= 1100; n += 5 {
		if s := nacked(r, ms(n)); s != nil {
			asked[n] = s
		}
	}
	all := []uint16{65534, 65535, 0, 1, 2, 3}
	want := map[int][]uint16{20: all, 120: all, 320: all, 720: all}
	if d := cmp.Diff(want, asked); d != "" {
		t.Error(d)
	}
	got := r.Stats()
	wantStats := Counters{Expected: 8, Received: 2, Bytes: 200, WireLost: 6, Lost: 6, NACKs: 4, NACKedSeqs: 24}
	if d := cmp.Diff(wantStats, got); d != "" {
		t.Error(d)
	}
	if v := push(r, 2, ms(1200)); v != TooOld {
		t.Errorf("got verdict %v for a packet that was given up, want TooOld", v)
	}
	if v := push(r, 2, ms(1201)); v != Duplicate {
		t.Errorf("got verdict %v the second time, want Duplicate", v)
	}
}

func TestNACKSpacingFollowsTheRoundTrip(t *testing.T) {
	r := NewReceiver(7, 90000, ReceiverConfig{GiveUp: 5 * time.Second})
	push(r, 1, ms(0))
	push(r, 3, ms(0))
	nacked(r, ms(20))
	if v := push(r, 2, ms(220)); v != Repaired { // a second ask was due at 120 but nobody called
		t.Fatalf("got verdict %v, want Repaired", v)
	}
	if got, want := r.RTT(), 200*time.Millisecond; got != want {
		t.Fatalf("got %v, want %v", got, want)
	}
	push(r, 5, ms(300))
	var times []int
	for n := 300; n < 1000; n += 10 {
		if nacked(r, ms(n)) != nil {
			times = append(times, n)
		}
	}
	if d := cmp.Diff([]int{320, 570}, times); d != "" {
		t.Error(d)
	}
}

func TestLongRoundTripsAreLearnt(t *testing.T) {
	for _, rtt := range []int{80, 120, 200, 300, 600} {
		t.Run(fmt.Sprintf("%d ms", rtt), func(t *testing.T) {
			r := NewReceiver(7, 90000, ReceiverConfig{})
			repairs := map[int][]uint16{} // by when they arrive
			for n := range 5000 {
				for _, seq := range repairs[10*n] {
					push(r, seq, ms(10*n))
				}
				if n%50 != 7 {
					push(r, uint16(n), ms(10*n))
				}
				repairs[10*n+rtt] = nacked(r, ms(10*n))
			}
			got := r.Stats()
			// Until the first repair has come the interval is all there is to go by.
			if asks := float64(got.NACKedSeqs) / float64(got.WireLost); asks > 1.1 {
				t.Errorf("got %.2f asks per loss, want 1 and a little", asks)
			}
			if got.Lost != 0 || got.WireLost != 100 {
				t.Errorf("got %+v, want every loss repaired", got)
			}
			if want := time.Duration(rtt) * time.Millisecond; r.RTT() < want || r.RTT() > want+want/4 {
				t.Errorf("learnt %v, want %v", r.RTT(), want)
			}
		})
	}
}

func TestLostRepairsDoNotSilenceAsking(t *testing.T) {
	r := NewReceiver(7, 90000, ReceiverConfig{})
	const rtt = 100
	repairs := map[int][]uint16{}
	asks := 0
	for n := range 20_000 {
		for _, seq := range repairs[10*n] {
			push(r, seq, ms(10*n))
		}
		delete(repairs, 10*n)
		if n%50 != 7 {
			push(r, uint16(n), ms(10*n))
		}
		for _, seq := range nacked(r, ms(10*n)) {
			if asks++; asks%3 != 0 { // every third is lost
				repairs[10*n+rtt] = append(repairs[10*n+rtt], seq)
			}
		}
	}
	if got := r.RTT(); got < rtt*time.Millisecond || got > 2*rtt*time.Millisecond {
		t.Errorf("learnt %v, want no more than twice %d ms", got, rtt)
	}
}

func TestRepairAndDuplicates(t *testing.T) {
	r := NewReceiver(7, 90000, ReceiverConfig{})
	push(r, 10, ms(0))
	push(r, 12, ms(0))
	nacked(r, ms(30))
	for i, want := range []Verdict{Repaired, Duplicate} {
		if got := push(r, 11, ms(60)); got != want {
			t.Errorf("copy %d: got verdict %v, want %v", i, got, want)
		}
	}
	want := Counters{
		Expected: 3, Received: 3, Bytes: 400, WireLost: 1, Repaired: 1, Duplicates: 1, NACKs: 1, NACKedSeqs: 1,
	}
	if d := cmp.Diff(want, r.Stats()); d != "" {
		t.Error(d)
	}
}

func TestNoRepair(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{NoRepair: true})
	push(r, 10, ms(0))
	push(r, 13, ms(0))
	if s := nacked(r, ms(100)); s != nil {
		t.Errorf("asked for %v, want nothing", s)
	}
	push(r, 11, ms(200))
	nacked(r, ms(1000))
	want := Counters{Expected: 4, Received: 3, Bytes: 300, WireLost: 1, Lost: 1, Reordered: 1}
	if d := cmp.Diff(want, r.Stats()); d != "" {
		t.Error(d)
	}
}

func TestSourceRestarts(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{})
	push(r, 100, ms(0))
	push(r, 102, ms(1))
	if v := push(r, 40000, ms(2)); v != TooOld {
		t.Errorf("got verdict %v for an unconfirmed leap, want TooOld", v)
	}
	if v := push(r, 103, ms(3)); v != Fresh {
		t.Errorf("got verdict %v for the stream going on, want Fresh", v)
	}
	push(r, 40000, ms(4))
	for seq := uint16(40001); seq < 40010; seq++ {
		if v := push(r, seq, ms(5)); v != Fresh {
			t.Errorf("got verdict %v after the restart, want Fresh", v)
		}
	}
	want := Counters{Expected: 13, Received: 12, Bytes: 1200, WireLost: 1, Lost: 1}
	if d := cmp.Diff(want, r.Stats()); d != "" {
		t.Error(d)
	}
}

func TestLongGapIsBounded(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{})
	push(r, 0, ms(0))
	push(r, 2000, ms(1))
	if got := len(r.missing.gaps); got != maxGaps {
		t.Errorf("waiting for %d packets, want %d", got, maxGaps)
	}
	got := r.Stats()
	if got.Expected != 2001 || got.Received+got.Lost+got.Pending != got.Expected {
		t.Errorf("the account does not add up: %+v", got)
	}
}

func TestReport(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{})
	for _, seq := range []uint16{65530, 65531, 65533, 65535, 0, 1} {
		push(r, seq, ms(0))
	}
	r.PushSR(0x11112222_33334444, ms(0))
	got := r.Report(ms(500))
	want := rtcp.ReceptionReport{
		SSRC: 7, FractionLost: 2 * 256 / 8, TotalLost: 2, LastSequenceNumber: 1<<16 | 1,
		LastSenderReport: 0x22223333, Delay: 1 << 15, Jitter: got.Jitter,
	}
	got.LastSequenceNumber &= 1<<17 - 1
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	push(r, 65532, ms(1))
	push(r, 65532, ms(1))
	push(r, 65534, ms(1))
	push(r, 2, ms(1))
	again := r.Report(ms(1000))
	if again.FractionLost != 0 || signed24(again.TotalLost) != -1 {
		t.Errorf("got fraction %d, lost %d, want 0 and -1", again.FractionLost, signed24(again.TotalLost))
	}
}

func TestWindowSettles(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{})
	push(r, 0, ms(0))
	push(r, 5, ms(0)) // 1 to 4 are missing from before
	r.StartWindow()
	push(r, 6, ms(1))
	push(r, 9, ms(1)) // 7, 8
	nacked(r, ms(30))
	push(r, 2, ms(40)) // before the window
	push(r, 7, ms(40))
	push(r, 12, ms(50)) // 10, 11
	r.EndWindow()
	push(r, 20, ms(60)) // after the window
	nacked(r, ms(80))
	c, settled := r.Window()
	if settled {
		t.Error("settled with packets pending")
	}
	if got, want := c.LossRatio(), 3.0/7; got != want {
		t.Errorf("unsettled: got loss %v, want %v", got, want)
	}
	push(r, 10, ms(90))
	for n := 100; n <= 1100; n += 20 {
		nacked(r, ms(n))
	}
	c, settled = r.Window()
	if !settled {
		t.Error("not settled after the give-up time")
	}
	c.NACKs, c.NACKedSeqs = 0, 0
	want := Counters{Expected: 7, Received: 5, Bytes: 500, WireLost: 4, Repaired: 2, Lost: 2}
	if d := cmp.Diff(want, c); d != "" {
		t.Error(d)
	}
}

func TestNackPairs(t *testing.T) {
	got := appendPairs(nil, []uint16{65530, 65531, 10, 11, 26, 27, 44})
	want := []rtcp.NackPair{{PacketID: 65530, LostPackets: 1<<0 | 1<<15}, {PacketID: 11, LostPackets: 1<<14 | 1<<15}, {PacketID: 44}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestPushDoesNotAllocate(t *testing.T) {
	r := NewReceiver(7, 48000, ReceiverConfig{})
	h, seq, now := rtp.Header{}, uint16(0), epoch
	step := func() {
		seq++
		now = now.Add(time.Millisecond)
		if seq%16 == 0 {
			return // lost
		}
		h.SequenceNumber = seq
		r.Push(&h, 1200, now)
	}
	for range 4096 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("got %v allocations per packet, want 0", n)
	}
}

func BenchmarkReceiverPush(b *testing.B) {
	for _, c := range []struct {
		name string
		lose uint16
	}{{"no loss", 0}, {"6 % loss", 16}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			r := NewReceiver(7, 48000, ReceiverConfig{})
			var buf []rtcp.Packet
			h, now := rtp.Header{}, epoch
			for b.Loop() {
				h.SequenceNumber++
				now = now.Add(2 * time.Millisecond)
				if h.SequenceNumber%10 == 0 {
					buf = r.Feedback(now, buf[:0])
				}
				if c.lose != 0 && h.SequenceNumber%c.lose == 0 {
					continue
				}
				r.Push(&h, 1200, now)
			}
		})
	}
}
