package impair

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ptr[T any](v T) *T { return &v }

// rough is a link with every impairment.
var rough = Profile{
	RateBPS: 2e6, Delay: 30 * ms, Jitter: 5 * ms, Distribution: Pareto, LossRatio: .05, Burst: 4,
	DuplicateRatio: .02, CorruptRatio: .03, ReorderRatio: .04,
	Schedule: []Change{{At: time.Second, For: time.Second, Set: Overlay{LossRatio: ptr(.3)}}, {At: 3 * time.Second, For: 100 * ms, Blackout: true}},
}

// fates offers n packets in varying sizes and gaps.
func fates(p Profile, seed uint64, n int) []Fate {
	l, out := NewLink(p, seed), make([]Fate, n)
	l.Start(epoch)
	for i := range out {
		out[i] = l.Offer(at(time.Duration(i)*5*ms+time.Duration(i%7)*ms), 100+i%1200)
	}
	return out
}

func hash(fates []Fate) uint64 {
	h := fnv.New64a()
	for _, f := range fates {
		for _, v := range []any{uint8(f.Drop), f.At.UnixNano(), f.Again.UnixNano(), f.Corrupt, f.Bit, f.Reordered} {
			if err := binary.Write(h, binary.LittleEndian, v); err != nil {
				panic(err)
			}
		}
	}
	return h.Sum64()
}

func TestSameSeedSameFates(t *testing.T) {
	a, b, c := fates(rough, 42, 5000), fates(rough, 42, 5000), fates(rough, 43, 5000)
	if hash(a) != hash(b) {
		t.Error("equal seeds, different fates")
	}
	if hash(a) == hash(c) {
		t.Error("different seeds, equal fates")
	}
}

func TestImpairmentsAreIndependent(t *testing.T) {
	base := Profile{LossRatio: .1, Burst: 3, CorruptRatio: .1, ReorderRatio: .1, DuplicateRatio: .1, Jitter: ms, Delay: 20 * ms, Order: Free}
	full := fates(base, 5, 2000)
	for name, p := range map[string]Profile{
		"no loss":       {CorruptRatio: .1, ReorderRatio: .1, DuplicateRatio: .1, Jitter: ms, Delay: 20 * ms, Order: Free},
		"no jitter":     {LossRatio: .1, Burst: 3, CorruptRatio: .1, ReorderRatio: .1, DuplicateRatio: .1, Delay: 20 * ms, Order: Free},
		"no duplicates": {LossRatio: .1, Burst: 3, CorruptRatio: .1, ReorderRatio: .1, Jitter: ms, Delay: 20 * ms, Order: Free},
		"no corruption": {LossRatio: .1, Burst: 3, ReorderRatio: .1, DuplicateRatio: .1, Jitter: ms, Delay: 20 * ms, Order: Free},
		"no reordering": {LossRatio: .1, Burst: 3, CorruptRatio: .1, DuplicateRatio: .1, Jitter: ms, Delay: 20 * ms, Order: Free},
	} {
		for i, f := range fates(p, 5, 2000) {
			g := full[i]
			if f.Drop != Delivered || g.Drop != Delivered {
				if p.LossRatio > 0 && f.Drop != g.Drop {
					t.Fatalf("%s: packet %d: loss differs", name, i)
				}
				continue
			}
			if p.CorruptRatio > 0 && (f.Corrupt != g.Corrupt || f.Bit != g.Bit) || p.ReorderRatio > 0 && f.Reordered != g.Reordered ||
				p.DuplicateRatio > 0 && f.Copies() != g.Copies() || p.Jitter > 0 && p.ReorderRatio > 0 && f.At != g.At {
				t.Fatalf("%s: packet %d: got %+v, want as %+v", name, i, f, g)
			}
		}
	}
}

func TestDuplicationAndCorruption(t *testing.T) {
	const n = 50_000
	l := NewLink(Profile{DuplicateRatio: .03, CorruptRatio: .07}, 8)
	var twice, corrupt int
	for i := range n {
		f := l.Offer(at(time.Duration(i)*ms), 100)
		twice += f.Copies() - 1
		if f.Corrupt {
			corrupt++
		}
	}
	for _, c := range []struct {
		name string
		k    int
		want float64
	}{{"duplicates", twice, .03}, {"corrupt", corrupt, .07}} {
		if low, high := wilson(c.k, n, z4); c.want < low || c.want > high {
			t.Errorf("%s: %d of %d", c.name, c.k, n)
		}
	}
	l = NewLink(Profile{DuplicateRatio: 1, CorruptRatio: 1, RateBPS: 1e6}, 8)
	if f := l.Offer(epoch, 1000); f.Copies() != 2 || !f.Corrupt || f.Again != at(16*ms) {
		t.Errorf("certain: got %+v, want a copy at 16 ms", f)
	}
}

func TestFlip(t *testing.T) {
	for bit := range uint64(100) {
		payload := make([]byte, 10)
		f := Fate{Corrupt: true, Bit: bit}
		f.Flip(payload)
		set := 0
		for _, b := range payload {
			set += bits.OnesCount8(b)
		}
		if set != 1 {
			t.Errorf("bit %d: %d bits flipped", bit, set)
		}
	}
	(&Fate{Corrupt: true}).Flip(nil)
}

func TestSchedule(t *testing.T) {
	p := Profile{Delay: 10 * ms, Schedule: []Change{
		{At: 1 * time.Second, For: 3 * time.Second, Set: Overlay{Delay: ptr(50 * ms)}},
		{At: 2 * time.Second, For: time.Second, Set: Overlay{Delay: ptr(70 * ms)}},
		{At: 5 * time.Second, For: time.Second, Blackout: true},
		{At: 7 * time.Second, Set: Overlay{LossRatio: ptr(1.0)}},
	}}
	got := func(l *Link, sec float64) string {
		now := at(time.Duration(sec * 1e9))
		if f := l.Offer(now, 100); f.Drop == Delivered {
			return f.At.Sub(now).String()
		} else {
			return f.Drop.String()
		}
	}
	l := NewLink(p, 1)
	if g := got(l, 1.5); g != "10ms" {
		t.Errorf("before start: %s", g)
	}
	l.Start(at(10 * time.Second))
	want := map[float64]string{}
	have := map[float64]string{}
	for _, c := range []struct {
		at   float64
		want string
	}{
		{10, "10ms"},
		{10.999, "10ms"},
		{11, "50ms"},
		{12, "70ms"},
		{12.9, "70ms"},
		{13, "50ms"},
		{14.1, "10ms"},
		{15, "blackout"},
		{15.99, "blackout"},
		{16, "10ms"},
		{17, "loss"},
		{500, "loss"},
	} {
		want[c.at], have[c.at] = c.want, got(l, c.at)
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	l.Set(Profile{Delay: 3 * ms})
	if g := got(l, 501); g != "3ms" {
		t.Errorf("after Set: %s", g)
	}
}

func TestOverlayReplacesTraceAndQueue(t *testing.T) {
	p := Profile{Trace: &Trace{Opportunities: []time.Duration{time.Second}}, QueueBytes: 10, Schedule: []Change{
		{Set: Overlay{RateBPS: ptr(int64(1e6)), QueueTime: ptr(16 * ms)}},
	}}
	l := NewLink(p, 1)
	l.Start(epoch)
	for i, want := range []time.Duration{8 * ms, 16 * ms} {
		if f := l.Offer(epoch, 1000); f.At != at(want) {
			t.Errorf("packet %d: got %v, want %v", i, f.At.Sub(epoch), want)
		}
	}
}

func TestPerfect(t *testing.T) {
	if p := (Profile{}); !p.Perfect() {
		t.Error("the zero profile is not perfect")
	}
	for _, p := range []Profile{{RateBPS: 1}, {Delay: 1}, {LossRatio: .1}, {Schedule: []Change{{}}}, {ReorderRatio: 1}} {
		if p.Perfect() {
			t.Errorf("%+v is perfect", p)
		}
	}
	l := NewLink(Profile{}, 1)
	if f := l.Offer(epoch, 9); f.Copies() != 1 || f.At != epoch {
		t.Errorf("got %+v", f)
	}
}

func TestValidate(t *testing.T) {
	if err := rough.Validate(); err != nil {
		t.Error(err)
	}
	bad := Profile{
		RateBPS: -1, LossRatio: math.NaN(), Burst: .5, AQM: "red", Distribution: "x", Order: "y", Delay: -1,
		Trace:    &Trace{Name: "empty"},
		Schedule: []Change{{At: 2}, {At: 1, Set: Overlay{LossRatio: ptr(2.0)}}},
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"rate -1", "loss NaN", "burst", "red", "distribution", "order", "delay", "trace empty", "change 2: at", "change 2: loss 2"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestStream(t *testing.T) {
	l := NewLink(Profile{RateBPS: 1e6, QueueBytes: 2000, Delay: 10 * ms}, 1)
	for i, want := range []time.Duration{18 * ms, 26 * ms} {
		if got, ok := l.Stream(epoch, 1000); !ok || got != at(want) {
			t.Errorf("segment %d: got %v, %v, want %v", i, got.Sub(epoch), ok, want)
		}
	}
	if got, ok := l.Stream(epoch, 1000); ok || got != at(8*ms) {
		t.Errorf("full: got %v, %v, want to ask again at 8 ms", got.Sub(epoch), ok)
	}
	if f := l.Offer(at(8*ms), 1000); f.At != at(34*ms) {
		t.Errorf("a packet behind: got %v, want 34 ms", f.At.Sub(epoch))
	}
	l = NewLink(Profile{LossRatio: 1}, 1)
	if got, ok := l.Stream(epoch, 1000); ok || got != at(100*ms) {
		t.Errorf("all lost: got %v, %v", got.Sub(epoch), ok)
	}
	l = NewLink(Profile{LossRatio: .3, Delay: 20 * ms}, 1)
	seen := map[time.Duration]int{}
	for range 1000 {
		got, _ := l.Stream(epoch, 1000)
		seen[got.Sub(epoch)]++
	}
	if seen[20*ms] < 600 || seen[260*ms] < 140 || seen[740*ms] < 30 {
		t.Errorf("retransmissions: got %v", seen)
	}
}

func TestStreamLeavesPacketsAlone(t *testing.T) {
	p := Profile{LossRatio: .2, Burst: 3, Delay: 20 * ms, Jitter: 3 * ms}
	a, b := NewLink(p, 6), NewLink(p, 6)
	for i := range 1000 {
		now := at(time.Duration(i) * ms)
		b.Stream(now, 500)
		if f, g := a.Offer(now, 100), b.Offer(now, 100); f != g {
			t.Fatalf("packet %d: got %+v, want %+v", i, g, f)
		}
	}
}

func TestDropString(t *testing.T) {
	want := []string{"delivered", "loss", "blackout", "queue", "codel", "unknown"}
	for i, w := range want {
		if got := Drop(i).String(); got != w {
			t.Errorf("got %q, want %q", got, w)
		}
	}
	if DropLoss.Queued() || !DropCoDel.Queued() || (&Fate{Drop: DropLoss}).Copies() != 0 {
		t.Error("queued or copies")
	}
}

func BenchmarkOffer(b *testing.B) {
	trace := &Trace{Opportunities: []time.Duration{ms, 2 * ms, 3 * ms}}
	for name, p := range map[string]Profile{
		"perfect":          {},
		"loss-jitter-rate": {LossRatio: .02, Burst: 3, Delay: 20 * ms, Jitter: 3 * ms, RateBPS: 10e6},
		"everything":       rough,
		"codel":            {RateBPS: 10e6, AQM: CoDel},
		"trace":            {Trace: trace},
	} {
		b.Run(name, func(b *testing.B) {
			l := NewLink(p, 1)
			l.Start(epoch)
			now := epoch
			for range 10_000 {
				now = now.Add(700 * time.Microsecond)
				l.Offer(now, 1200)
			}
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(700 * time.Microsecond)
				l.Offer(now, 1200)
			}
		})
	}
}

// TestStreamLeavesRoomForPackets has a stream that always has more to send share a link with
// datagrams that need half of its rate, and with too many of them.
func TestStreamLeavesRoomForPackets(t *testing.T) {
	const segment, datagram = 1500, 1250
	for _, c := range []struct {
		name        string
		p           Profile
		every       time.Duration // between datagrams
		lost        int           // at most, of 1000
		least, most int           // what the stream gets of the rate, in percent
	}{
		{"alone", Profile{RateBPS: 2e6}, time.Hour, 0, 99, 101},
		{"half", Profile{RateBPS: 2e6}, 10 * ms, 0, 49, 51},
		{"short queue", Profile{RateBPS: 480e3}, 50 * ms, 0, 55, 60},
		{"overload", Profile{RateBPS: 2e6}, 4 * ms, 800, 5, 60},
	} {
		l := NewLink(c.p, 1)
		next, end := epoch, epoch.Add(1000*c.every)
		if c.every == time.Hour {
			end = epoch.Add(10 * time.Second)
		}
		lost, sent := 0, 0
		for stream := epoch; stream.Before(end); {
			if next.Before(stream) {
				if f := l.Offer(next, datagram); f.Drop != Delivered {
					lost++
				}
				next = next.Add(c.every)
				continue
			}
			if at, ok := l.Stream(stream, segment); ok {
				sent += segment
			} else {
				stream = at
			}
		}
		part := int(float64(sent) * 8 * 100 / (float64(c.p.RateBPS) * end.Sub(epoch).Seconds()))
		if lost > c.lost || part < c.least || part > c.most {
			t.Errorf("%s: %d datagrams lost, the stream got %d %% of the rate", c.name, lost, part)
		}
	}
}
