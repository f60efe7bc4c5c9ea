package reports

import (
	"cmp"
	"math"
	"slices"

	"github.com/peerfleet/peerfleet/metrics"
)

// weighted is a value and how often it occurred.
type weighted struct {
	value float64
	n     uint64
}

// distribution is every sample of a selection of entries, smallest first, in the metric's unit.
// It reads of a histogram only what survives being written to run.json, so that a run renders
// to the same bytes before and after.
type distribution struct {
	samples []weighted
	count   uint64
	sum     float64
	only    *metrics.Entry // the one entry, when it holds no samples but its statistics
}

// collect merges the entries of a metric that match.
func collect(entries []metrics.Entry, name string, match func(metrics.Tags) bool) distribution {
	var d distribution
	for i := range entries {
		e := &entries[i]
		if e.Name == name && (match == nil || match(e.Tags)) {
			d.add(e)
		}
	}
	d.sort()
	return d
}

func (d *distribution) add(e *metrics.Entry) {
	switch {
	case len(e.Values) > 0:
		for _, v := range e.Values {
			if metrics.Value(v).Valid() {
				d.samples = append(d.samples, weighted{v, 1})
				d.count++
				d.sum += v
			}
		}
	case e.Hist != nil && e.Hist.Count() > 0:
		low, high := bounds(e)
		eachBucket(e, func(v float64, n uint64) {
			d.samples = append(d.samples, weighted{min(max(v, low), high), n})
		})
		d.count += e.Hist.Count()
		d.sum += e.Sum
	case e.Count > 0:
		d.count += e.Count
		d.sum += e.Sum
		d.only = e
	}
}

func (d *distribution) sort() {
	slices.SortStableFunc(d.samples, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
}

// bounds are the entry's own extremes, which are exact where a histogram's buckets are not.
func bounds(e *metrics.Entry) (low, high float64) {
	low, high = math.Inf(-1), math.Inf(1)
	if e.Min.Valid() {
		low = float64(e.Min)
	}
	if e.Max.Valid() {
		high = float64(e.Max)
	}
	return low, max(low, high)
}

// eachBucket calls f with every bucket of a histogram in the entry's unit.
func eachBucket(e *metrics.Entry, f func(v float64, n uint64)) {
	scale := 1e-3
	if e.Unit == "s" {
		scale = 1e-6
	}
	e.Hist.Each(func(us int64, n uint32) { f(float64(us)*scale, uint64(n)) })
}

// merge adds everything in o.
func (d *distribution) merge(o distribution) {
	d.samples = append(d.samples, o.samples...)
	d.count += o.count
	d.sum += o.sum
	d.sort()
}

// quantile is the nearest rank.
func (d *distribution) quantile(q float64) metrics.Value {
	if len(d.samples) == 0 {
		return d.written(q)
	}
	var total uint64
	for _, s := range d.samples {
		total += s.n
	}
	rank := max(uint64(math.Ceil(q*float64(total)-1e-9)), 1)
	var seen uint64
	for _, s := range d.samples {
		if seen += s.n; seen >= rank {
			return metrics.Value(s.value)
		}
	}
	return metrics.Value(d.samples[len(d.samples)-1].value)
}

// written is the percentile that stands in an entry without samples.
func (d *distribution) written(q float64) metrics.Value {
	if d.only == nil || d.only.Count != d.count {
		return metrics.Missing()
	}
	switch q {
	case 0:
		return d.only.Min
	case 0.5:
		return d.only.Med
	case 0.9:
		return d.only.P90
	case 0.95:
		return d.only.P95
	case 0.99:
		return d.only.P99
	case 1:
		return d.only.Max
	}
	return metrics.Missing()
}

func (d *distribution) mean() metrics.Value {
	if d.count == 0 {
		return metrics.Missing()
	}
	return metrics.Value(d.sum / float64(d.count))
}
