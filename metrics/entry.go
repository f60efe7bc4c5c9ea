package metrics

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Entry is one metric in run.json. A percentile without enough samples is missing: ten must lie
// beyond it, so that p90 takes 100, p95 200 and p99 1000.
type Entry struct {
	Name   string    `json:"name"`
	Tags   Tags      `json:"tags"`
	Unit   string    `json:"unit"`
	Count  uint64    `json:"count"`
	Sum    float64   `json:"sum"`
	Min    Value     `json:"min"`
	Avg    Value     `json:"avg"`
	Med    Value     `json:"med"`
	P90    Value     `json:"p90"`
	P95    Value     `json:"p95"`
	P99    Value     `json:"p99"`
	Max    Value     `json:"max"`
	Values []float64 `json:"values,omitempty"` // ascending, in Unit
	Hist   *Hist     `json:"hist,omitempty"`   // instead of Values, in µs
}

// Entries sums the set up for a run document. Rooms, peers and paths are too many to keep apart
// there, so keys that differ only in them, or in the cell, become one entry. The entries share
// nothing with the set; the order in which it was filled or merged does not show.
func (s *Set) Entries() []Entry {
	merged := make(map[Key]*Samples, len(s.m))
	for k, v := range s.m {
		k.Tags.Room, k.Tags.Peer, k.Tags.Path, k.Tags.Cell = "", "", "", ""
		e := merged[k]
		if e == nil {
			e = &Samples{}
			merged[k] = e
		}
		e.merge(v)
	}
	entries := make([]Entry, 0, len(merged))
	for _, k := range slices.SortedFunc(maps.Keys(merged), compareKeys) {
		def, _ := Lookup(k.Name)
		e := merged[k]
		e.settle()
		if len(e.Values) > 0 || e.Hist != nil && e.Hist.Count() > 0 {
			entries = append(entries, newEntry(k.Name, k.Tags, def.Unit, e))
		}
	}
	return entries
}

// newEntry takes settled samples over.
func newEntry(name string, t Tags, unit string, s *Samples) Entry {
	e := Entry{Name: name, Tags: t, Unit: unit, Values: s.Values, Hist: s.Hist}
	e.Min, e.Max = Missing(), Missing()
	switch {
	case s.Hist != nil && s.Hist.Count() > 0:
		e.Count, e.Sum = s.Hist.Count(), milliseconds(s.Hist.Sum())
		e.Min, e.Max = Value(milliseconds(s.Hist.Min())), Value(milliseconds(s.Hist.Max()))
	case len(s.Values) > 0:
		e.Count = uint64(len(s.Values))
		e.Sum = finiteSum(s.Values)
		e.Min, e.Max = Value(s.Values[0]), Value(s.Values[len(s.Values)-1])
	}
	e.derive()
	return e
}

// finiteSum does not let values that are each finite add up to infinity, which JSON cannot hold.
func finiteSum(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return min(max(sum, -math.MaxFloat64), math.MaxFloat64)
}

// derive fills what follows from the samples, the count and the sum.
func (e *Entry) derive() {
	e.Avg = Missing()
	if e.Count > 0 {
		e.Avg = Value(e.Sum / float64(e.Count))
	}
	printed := func(q float64) Value {
		if !enough(q, e.Count) || len(e.Values) == 0 && e.Hist == nil {
			return Missing()
		}
		return e.Quantile(q)
	}
	e.Med = Missing()
	if len(e.Values) > 0 || e.Hist != nil {
		e.Med = e.Quantile(0.5)
	}
	e.P90, e.P95, e.P99 = printed(0.90), printed(0.95), printed(0.99)
}

// Quantile is the nearest-rank quantile in the entry's unit, q from 0 to 1, whatever the number
// of samples. An entry without values or histogram knows only what is printed in it.
func (e Entry) Quantile(q float64) Value {
	switch {
	case e.Hist != nil && e.Hist.Count() > 0:
		v := Value(milliseconds(e.Hist.Quantile(q)))
		if e.Min.Valid() && e.Max.Valid() {
			v = min(max(v, e.Min), e.Max)
		}
		return v
	case len(e.Values) > 0:
		return Value(Quantile(e.Values, q))
	case e.Count == 0:
		return Missing()
	}
	switch q {
	case 0:
		return e.Min
	case 0.5:
		return e.Med
	case 0.9:
		return e.P90
	case 0.95:
		return e.P95
	case 0.99:
		return e.P99
	case 1:
		return e.Max
	}
	return Missing()
}

// SelectEntries returns the entries of a metric whose tags have every value that match names.
func SelectEntries(entries []Entry, name string, match Tags) []Entry {
	t := Threshold{Name: name, Selector: match}
	var found []Entry
	for _, e := range entries {
		if t.matches(Key{e.Name, e.Tags}) {
			found = append(found, e)
		}
	}
	return found
}

// MergeEntries makes one entry of several of the same metric, whose samples must not overlap, as
// in a run document. It keeps the tags all of them agree on, and leaves them unchanged. Where one
// of them has neither values nor histogram, the whole has none and no percentiles. Of no entries
// it makes an empty one.
func MergeEntries(entries ...Entry) Entry {
	if len(entries) == 0 {
		return newEntry("", Tags{}, "", &Samples{})
	}
	var all Samples
	tags, whole := entries[0].Tags, true
	sum := Entry{Min: Missing(), Max: Missing()}
	for _, e := range entries {
		tags = commonTags(tags, e.Tags)
		whole = whole && (e.Count == 0 || len(e.Values) > 0 || e.Hist != nil)
		all.merge(&Samples{Values: e.Values, Hist: e.Hist})
		sum.Count, sum.Sum = sum.Count+e.Count, finiteSum([]float64{sum.Sum, e.Sum})
		sum.Min, sum.Max = pick(sum.Min, e.Min, -1), pick(sum.Max, e.Max, 1)
	}
	all.settle()
	if whole {
		return newEntry(entries[0].Name, tags, entries[0].Unit, &all)
	}
	sum.Name, sum.Tags, sum.Unit = entries[0].Name, tags, entries[0].Unit
	sum.derive()
	return sum
}

// pick is the smaller of two values, or with sign 1 the larger; a missing one does not count.
func pick(a, b Value, sign int) Value {
	if !a.Valid() || b.Valid() && cmp.Compare(b, a) == sign {
		return b
	}
	return a
}

func commonTags(a, b Tags) Tags {
	for _, name := range tagNames() {
		if f := a.field(name); *f != *b.field(name) {
			*f = ""
		}
	}
	return a
}
