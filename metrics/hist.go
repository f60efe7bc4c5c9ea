package metrics

import (
	"math"
	"math/bits"
)

// The one layout of every histogram: 1 µs to 1 h, three significant digits. Equal layouts make
// merging exact.
const (
	histLowest  = 1
	histHighest = 3_600_000_000
	histDigits  = 3

	histHalfBits = 10 // half a bucket's sub-buckets, as a power of two, for three digits
	histHalf     = 1 << histHalfBits
	histSlots    = 23 * histHalf // the layout's counts: enough buckets for the highest value
	histPageBits = 7
	histPageSize = 1 << histPageBits
)

// Hist is an HDR histogram of microseconds that takes memory only where it has samples. It has
// one owner and is not safe for concurrent use.
type Hist struct {
	pages    []*[histPageSize]uint32
	count    uint64
	sum      int64
	min, max int64
}

// NewHist returns an empty histogram.
func NewHist() *Hist { return &Hist{min: math.MaxInt64} }

// Record counts one value in microseconds; it is clamped to the layout's range. It allocates only
// when a value falls where none has been near before.
func (h *Hist) Record(us int64) {
	us = min(max(us, histLowest), histHighest)
	i := histIndex(us)
	if p := i >> histPageBits; p >= len(h.pages) || h.pages[p] == nil {
		h.grow(p)
	}
	n := &h.pages[i>>histPageBits][i&(histPageSize-1)]
	if *n == math.MaxUint32 {
		return
	}
	*n++
	h.count++
	h.sum += us
	h.min, h.max = min(h.min, us), max(h.max, us)
}

// RecordN counts a value n times. A slot of the histogram is full at 2³²-1; what would go beyond
// is not counted.
func (h *Hist) RecordN(us int64, n uint32) {
	if n == 0 {
		return
	}
	us = min(max(us, histLowest), histHighest)
	added := h.add(histIndex(us), n)
	h.sum = saturate(h.sum, us, added)
	h.min, h.max = min(h.min, us), max(h.max, us)
}

// add counts in one slot, as far as it can hold, and returns how many that were.
func (h *Hist) add(i int, n uint32) uint32 {
	p := i >> histPageBits
	if p >= len(h.pages) || h.pages[p] == nil {
		h.grow(p)
	}
	slot := &h.pages[p][i&(histPageSize-1)]
	n = min(n, math.MaxUint32-*slot)
	*slot += n
	h.count += uint64(n)
	return n
}

func (h *Hist) grow(p int) {
	for len(h.pages) <= p {
		h.pages = append(h.pages, nil)
	}
	h.pages[p] = new([histPageSize]uint32)
}

// saturate is sum + v·n without overflow; none of them is negative.
func saturate(sum, v int64, n uint32) int64 {
	hi, lo := bits.Mul64(uint64(v), uint64(n))
	total, carry := bits.Add64(lo, uint64(sum), 0)
	if hi != 0 || carry != 0 || total > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(total)
}

// histIndex is the HDR counts index of a value with unit magnitude 0.
func histIndex(v int64) int {
	bucket := bits.Len64(uint64(v)|(2*histHalf-1)) - (histHalfBits + 1)
	return bucket<<histHalfBits + int(v>>bucket)
}

// histValue is the highest value that shares the index: what a percentile reports.
func histValue(i int) int64 {
	bucket, sub := i>>histHalfBits-1, i&(histHalf-1)+histHalf
	if bucket < 0 {
		bucket, sub = 0, sub-histHalf
	}
	return (int64(sub)+1)<<bucket - 1
}

// Count is how many values were recorded.
func (h *Hist) Count() uint64 { return h.count }

// Sum is their sum in microseconds.
func (h *Hist) Sum() int64 { return h.sum }

// Min is the smallest value in microseconds, 0 when empty.
func (h *Hist) Min() int64 {
	if h.count == 0 {
		return 0
	}
	return h.min
}

// Max is the largest value in microseconds, 0 when empty.
func (h *Hist) Max() int64 { return h.max }

// Quantile is the nearest-rank quantile in microseconds, q from 0 to 1; 0 when empty. Up to 2047
// µs it is exact, above to three digits, never less than the true one.
func (h *Hist) Quantile(q float64) int64 {
	if h.count == 0 {
		return 0
	}
	rank, seen := nearestRank(q, h.count), uint64(0)
	for p, page := range h.pages {
		if page == nil {
			continue
		}
		for i, n := range page {
			if seen += uint64(n); seen >= rank {
				return min(max(histValue(p<<histPageBits|i), h.min), h.max)
			}
		}
	}
	return h.max
}

// Merge adds every value of o, which it leaves unchanged; nil adds nothing.
func (h *Hist) Merge(o *Hist) {
	if o == nil || o.count == 0 {
		return
	}
	for p, page := range o.pages {
		if page == nil {
			continue
		}
		for i, n := range page {
			if n > 0 {
				h.add(p<<histPageBits|i, n)
			}
		}
	}
	h.sum = saturate(h.sum, o.sum, 1)
	h.min, h.max = min(h.min, o.min), max(h.max, o.max)
}

// Clone returns a copy that shares nothing.
func (h *Hist) Clone() *Hist {
	c := NewHist()
	c.Merge(h)
	return c
}

// Each calls f with every recorded value, as the highest of its slot, smallest first, and how
// often it occurred.
func (h *Hist) Each(f func(us int64, n uint32)) {
	for p, page := range h.pages {
		if page == nil {
			continue
		}
		for i, n := range page {
			if n > 0 {
				f(histValue(p<<histPageBits|i), n)
			}
		}
	}
}
