package metrics

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// TimelineMode says what a second of a Timeline becomes in its Series.
type TimelineMode int

// Modes. A second in which nothing was added is 0 in the first two, where nothing is a
// measurement too, and missing in the others.
const (
	SumPerSecond TimelineMode = iota // bits added: bit/s of all owners together
	SumPerOwner                      // the same over the number of merged timelines: the mean peer
	MeanOfSecond
	MaxOfSecond
)

// Values are kept in fixed point, so that sums are exact and do not depend on the order of
// merging: to six decimals, up to nine million million per second.
const timelineScale = 1e6

// timelineMax bounds a timeline, in seconds: a week.
const timelineMax = 7 * 24 * 3600

// Timeline records a metric by the second. It has one owner and is not safe for concurrent use;
// timelines of several owners are merged afterwards by MergeTimelines.
type Timeline struct {
	id      timelineID
	start   time.Time // with its monotonic reading
	owners  int
	seconds []second
}

type timelineID struct {
	name, unit string
	tags       Tags
	start      int64 // Unix, in ns
	mode       TimelineMode
}

type second struct {
	sum, max int64
	n        int64
}

// NewTimeline begins at start, which all timelines to be merged must have in common.
func NewTimeline(name string, t Tags, unit string, start time.Time, mode TimelineMode) *Timeline {
	return &Timeline{id: timelineID{name, unit, t, start.UnixNano(), mode}, start: start, owners: 1}
}

// Add counts v in the second that at lies in. What lies before the start or beyond a week after
// it, and what is no number, is left out. It allocates only when the timeline grows.
func (t *Timeline) Add(at time.Time, v float64) {
	since := at.Sub(t.start)
	i := int(since / time.Second)
	if since < 0 || i >= timelineMax || !finite(v) {
		return
	}
	for len(t.seconds) <= i {
		t.seconds = append(t.seconds, second{max: math.MinInt64})
	}
	const most = math.MaxInt64 / 2
	fixed := int64(math.Round(min(max(v*timelineScale, -most), most)))
	t.seconds[i].merge(second{sum: fixed, max: fixed, n: 1})
}

func (s *second) merge(o second) {
	sum := s.sum + o.sum
	if (sum > s.sum) != (o.sum > 0) && o.sum != 0 { // overflow
		sum = math.MaxInt64
		if o.sum < 0 {
			sum = math.MinInt64
		}
	}
	s.sum, s.max, s.n = sum, max(s.max, o.max), s.n+o.n
}

// Series returns the first whole seconds of the timeline, padded or cut to that many.
func (t *Timeline) Series(seconds int) Series {
	s := Series{Name: t.id.name, Tags: t.id.tags, Unit: t.id.unit, StepS: 1, Values: make([]Value, max(seconds, 0))}
	for i := range s.Values {
		var of second
		if i < len(t.seconds) {
			of = t.seconds[i]
		}
		s.Values[i] = t.value(of)
	}
	return s
}

func (t *Timeline) value(s second) Value {
	sum := float64(s.sum) / timelineScale
	switch {
	case t.id.mode == SumPerSecond:
		return Value(sum)
	case t.id.mode == SumPerOwner:
		return Value(sum / float64(t.owners))
	case s.n == 0:
		return Missing()
	case t.id.mode == MaxOfSecond:
		return Value(float64(s.max) / timelineScale)
	}
	return Value(sum / float64(s.n))
}

// MergeTimelines adds the timelines up that have name, tags, unit, start and mode in common, and
// returns a series of that many seconds for each, in a fixed order. It leaves them unchanged.
func MergeTimelines(seconds int, timelines ...*Timeline) []Series {
	merged := map[timelineID]*Timeline{}
	for _, t := range timelines {
		if t == nil {
			continue
		}
		m := merged[t.id]
		if m == nil {
			m = &Timeline{id: t.id, start: t.start}
			merged[t.id] = m
		}
		m.merge(t)
	}
	all := make([]*Timeline, 0, len(merged))
	for _, m := range merged {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b *Timeline) int { return a.id.compare(b.id) })
	series := make([]Series, len(all))
	for i, m := range all {
		series[i] = m.Series(seconds)
	}
	return series
}

func (t *Timeline) merge(o *Timeline) {
	t.owners += o.owners
	for len(t.seconds) < len(o.seconds) {
		t.seconds = append(t.seconds, second{max: math.MinInt64})
	}
	for i, s := range o.seconds {
		t.seconds[i].merge(s)
	}
}

func (a timelineID) compare(b timelineID) int {
	return cmp.Or(cmp.Compare(a.name, b.name), compareTags(a.tags, b.tags), cmp.Compare(a.unit, b.unit),
		cmp.Compare(a.start, b.start), cmp.Compare(a.mode, b.mode))
}
