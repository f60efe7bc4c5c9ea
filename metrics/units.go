package metrics

import "strings"

// unitScale tells how to get from a unit to the metric's own: by a power of ten, then a factor.
type unitScale struct {
	name     string
	exponent int
	times    float64
}

// unitsOf lists what a limit of a metric can be written in, the usual first.
func unitsOf(unit string) []unitScale {
	switch unit {
	case UnitMS:
		return []unitScale{{"us", -3, 1}, {"ms", 0, 1}, {"s", 3, 1}, {"µs", -3, 1}, {"min", 3, 60}}
	case UnitRatio:
		return []unitScale{{"%", -2, 1}, {"", 0, 1}}
	case UnitPerS:
		return []unitScale{{"", 0, 1}, {"fps", 0, 1}, {"/s", 0, 1}}
	case UnitBPS:
		return []unitScale{{"bps", 0, 1}, {"kbps", 3, 1}, {"Mbps", 6, 1}, {"Gbps", 9, 1}, {"bit/s", 0, 1}}
	case UnitCores:
		return []unitScale{{"", 0, 1}, {"cores", 0, 1}}
	case UnitBytes:
		return []unitScale{
			{"B", 0, 1},
			{"KB", 3, 1},
			{"MB", 6, 1},
			{"GB", 9, 1},
			{"KiB", 0, 1 << 10},
			{"MiB", 0, 1 << 20},
			{"GiB", 0, 1 << 30},
			{"", 0, 1},
		}
	default:
		return []unitScale{{"", 0, 1}}
	}
}

func unitNames(units []unitScale) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.name
		if u.name == "" {
			names[i] = "a bare number"
		}
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}
