package reports

import (
	"math"
	"strconv"
)

// scale is an axis: a range, its ticks and what it measures.
type scale struct {
	min, max float64
	ticks    []float64
	label    string
	factor   float64 // from the metric's unit to the axis's
	decimals int
}

// scaleFor fits an axis from low to high with about n ticks; both ends fall on ticks if snap.
func scaleFor(low, high float64, n int, snap bool) scale {
	high = min(high, 1e15)
	if !(high-low > 1e-12) {
		high = low + 1
	}
	step := niceStep((high - low) / float64(n))
	s := scale{min: low, max: high, factor: 1}
	if snap {
		s.min, s.max = math.Floor(low/step+1e-9)*step, math.Ceil(high/step-1e-9)*step
	}
	for i := math.Ceil(s.min/step - 1e-9); i*step <= s.max+step*1e-9; i++ {
		s.ticks = append(s.ticks, i*step)
	}
	s.decimals = max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	if math.Abs(step*math.Pow10(s.decimals)-math.Round(step*math.Pow10(s.decimals))) > 1e-6 {
		s.decimals++
	}
	return s
}

func niceStep(raw float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*p*1.0000001 {
			return m * p
		}
	}
	return 10 * p
}

func (s scale) write(v float64) string {
	t := strconv.FormatFloat(v, 'f', s.decimals, 64)
	if v == 0 {
		return "0"
	}
	return t
}

// upwards is an axis from zero to what the values need, in the unit that suits them.
func upwards(what, unit string, top float64, n int) scale {
	factor, name := axisUnit(unit, top)
	s := scaleFor(0, top*factor, n, true)
	s.factor, s.label = factor, what
	if name != "" {
		s.label += " (" + name + ")"
	}
	return s
}

func axisUnit(unit string, top float64) (factor float64, name string) {
	switch unit {
	case "bit/s":
		switch {
		case top >= 2e9:
			return 1e-9, "Gbit/s"
		case top >= 2e6:
			return 1e-6, "Mbit/s"
		}
		return 1e-3, "kbit/s"
	case "ms":
		if top >= 10_000 {
			return 1e-3, "s"
		}
	case "ratio":
		return 100, "%"
	}
	return 1, unit
}
