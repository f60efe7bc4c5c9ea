package metrics

import (
	"cmp"
	"math"
	"slices"
)

// Key names one series of samples.
type Key struct {
	Name string
	Tags Tags
}

// Samples are the samples of one key: raw values in the metric's unit, or a histogram in
// microseconds for the high-rate metrics (Def.Hist).
type Samples struct {
	Values []float64
	Hist   *Hist
}

// Set collects samples by key. It has one owner; sets of several owners are merged afterwards,
// in any order with the same result.
type Set struct{ m map[Key]*Samples }

// NewSet returns an empty set.
func NewSet() *Set { return &Set{m: map[Key]*Samples{}} }

// Add records one raw value in the unit of the metric's definition. What is not a number or
// infinite was not measured and is left out.
func (s *Set) Add(name string, t Tags, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	e := s.samples(Key{name, t})
	e.Values = append(e.Values, v+0) // no negative zero: it sorts and prints differently
}

// Hist returns the histogram of a key, for its owner to record microseconds into. Keep it: the
// look-up is not for every packet.
func (s *Set) Hist(name string, t Tags) *Hist {
	e := s.samples(Key{name, t})
	if e.Hist == nil {
		e.Hist = NewHist()
	}
	return e.Hist
}

func (s *Set) samples(k Key) *Samples {
	e := s.m[k]
	if e == nil {
		e = &Samples{}
		s.m[k] = e
	}
	return e
}

// Merge adds everything in o, which it leaves unchanged and shares nothing with; nil adds
// nothing.
func (s *Set) Merge(o *Set) {
	if o == nil {
		return
	}
	for k, v := range o.m {
		s.samples(k).merge(v)
	}
}

func (e *Samples) merge(o *Samples) {
	e.Values = append(e.Values, o.Values...)
	if o.Hist == nil {
		return
	}
	if e.Hist == nil {
		e.Hist = NewHist()
	}
	e.Hist.Merge(o.Hist)
}

// settle sorts the values, or counts them into the histogram where there is one, so that what is
// computed of them depends on no order.
func (e *Samples) settle() {
	if e.Hist == nil {
		slices.Sort(e.Values)
		return
	}
	for _, v := range e.Values {
		e.Hist.Record(microseconds(v))
	}
	e.Values = nil
}

// Keys returns the keys in a fixed order.
func (s *Set) Keys() []Key {
	keys := make([]Key, 0, len(s.m))
	for k := range s.m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// Get returns the samples of a key, nil if there are none. They stay the set's.
func (s *Set) Get(k Key) *Samples { return s.m[k] }

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), compareTags(a.Tags, b.Tags))
}

func compareTags(a, b Tags) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Room, b.Room), cmp.Compare(a.Peer, b.Peer),
		cmp.Compare(a.Topology, b.Topology), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Candidate, b.Candidate), cmp.Compare(a.Cell, b.Cell))
}

// microseconds takes ms, as a histogram's metric has them, to what the histogram counts.
func microseconds(ms float64) int64 {
	return int64(math.Round(min(max(ms, 0), histHighest/1000) * 1000))
}

// milliseconds takes what a histogram counts to its metric's unit.
func milliseconds(us int64) float64 { return float64(us) / 1000 }
