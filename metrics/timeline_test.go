package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimelineModes(t *testing.T) {
	start := time.Date(2026, 1, 31, 12, 0, 0, 500, time.UTC)
	no := Missing()
	for mode, want := range map[TimelineMode][]Value{
		SumPerSecond: {6, 0, 5, 0},
		SumPerOwner:  {3, 0, 2.5, 0},
		MeanOfSecond: {2, no, 5, no},
		MaxOfSecond:  {3, no, 5, no},
	} {
		a := NewTimeline("bandwidth.peer.up", Tags{Group: "g"}, UnitBPS, start, mode)
		b := NewTimeline("bandwidth.peer.up", Tags{Group: "g"}, UnitBPS, start, mode)
		a.Add(start, 1)
		a.Add(start.Add(time.Second-1), 2)
		b.Add(start, 3)
		b.Add(start.Add(2*time.Second), 5)
		a.Add(start.Add(-1), 100)
		a.Add(start.Add(30*24*time.Hour), 100)
		a.Add(time.Time{}, 100)
		a.Add(start, math.NaN())
		got := MergeTimelines(4, b, nil, a)
		wanted := []Series{{Name: "bandwidth.peer.up", Tags: Tags{Group: "g"}, Unit: "bit/s", StepS: 1, Values: want}}
		if diff := cmp.Diff(wanted, got, equalValues()); diff != "" {
			t.Errorf("mode %d: -want +got:\n%s", mode, diff)
		}
		if got := MergeTimelines(1, a, b)[0].Values; len(got) != 1 || got[0] != want[0] {
			t.Errorf("mode %d: cut to a second: got %v", mode, got)
		}
	}
	if got := NewTimeline("x", Tags{}, "", start, MeanOfSecond).Series(-1).Values; len(got) != 0 {
		t.Errorf("got %v, want no values", got)
	}
}

func TestTimelinesStayApart(t *testing.T) {
	start := time.Unix(100, 0)
	got := MergeTimelines(1,
		NewTimeline("b", Tags{}, UnitMS, start, MeanOfSecond),
		NewTimeline("a", Tags{Group: "y"}, UnitMS, start, MeanOfSecond),
		NewTimeline("a", Tags{Group: "x"}, UnitMS, start, MeanOfSecond),
		NewTimeline("a", Tags{Group: "x"}, UnitMS, start.Add(time.Second), MeanOfSecond),
		NewTimeline("a", Tags{Group: "x"}, UnitMS, start.In(time.FixedZone("z", 60)), MeanOfSecond),
	)
	var names []string
	for _, s := range got {
		names = append(names, s.Name+s.Tags.Group)
	}
	if diff := cmp.Diff([]string{"ax", "ax", "ay", "b"}, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTimelinesMergeInAnyOrder(t *testing.T) {
	start, rng := time.Unix(0, 0), rand.New(rand.NewPCG(1, 1))
	lines := make([]*Timeline, 50)
	for i := range lines {
		lines[i] = NewTimeline("media.delay", Tags{}, UnitMS, start, MeanOfSecond)
		for range 100 {
			lines[i].Add(start.Add(time.Duration(rng.Int64N(int64(20*time.Second)))), rng.ExpFloat64())
		}
	}
	want := MergeTimelines(20, lines...)
	for range 10 {
		rng.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if diff := cmp.Diff(want, MergeTimelines(20, lines...)); diff != "" {
			t.Fatalf("another order, other values:\n%s", diff)
		}
	}
}

func TestTimelineSaturates(t *testing.T) {
	start := time.Unix(0, 0)
	l := NewTimeline("x", Tags{}, UnitBPS, start, SumPerSecond)
	for range 5 {
		l.Add(start, 1e300)
	}
	if got := l.Series(1).Values[0]; got < 9e12 {
		t.Errorf("got %v, want the largest sum", got)
	}
}

func BenchmarkTimelineAdd(b *testing.B) {
	start := time.Now()
	l := NewTimeline("bandwidth.peer.up", Tags{}, UnitBPS, start, SumPerSecond)
	at := start.Add(90 * time.Second)
	l.Add(at, 1)
	b.ReportAllocs()
	for b.Loop() {
		l.Add(at, 9600)
	}
}
