package metrics

import "math"

// Quantile is the nearest-rank quantile, q from 0 to 1, of values sorted ascending: always one of
// them, NaN when there are none.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[nearestRank(q, uint64(len(sorted)))-1]
}

// nearestRank is the smallest rank, from 1, that holds at least the share q of n. In binary
// 0.07*100 is a little more than 7: a product that close to a whole number is meant to be it.
func nearestRank(q float64, n uint64) uint64 {
	exact := q * float64(n)
	if whole := math.Round(exact); math.Abs(exact-whole) <= float64(n)*1e-12 {
		exact = whole
	}
	rank := math.Ceil(exact)
	switch {
	case !(rank >= 1): // NaN too
		return 1
	case rank >= float64(n):
		return n
	}
	return uint64(rank)
}

// enough tells whether n samples carry the quantile for printing: ten of them must lie beyond it.
func enough(q float64, n uint64) bool { return nearestRank(q, n)+10 <= n }
