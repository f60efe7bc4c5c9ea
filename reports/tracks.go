package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// track is one line over time.
type track struct {
	name   string
	step   float64
	values []metrics.Value
}

// strip is one panel of a timeline.
type strip struct {
	axis, unit string
	tracks     []track
}

// stripsOf are the panels that a cell has figures for.
func stripsOf(c *metrics.Cell) []strip {
	var strips []strip
	for _, s := range []struct {
		axis, unit string
		names      []string
	}{
		{"media delay", "ms", []string{"media.delay"}},
		{"loss", "ratio", []string{"media.loss", "media.loss_wire"}},
		{"each peer", "bit/s", []string{"bandwidth.peer.up", "bandwidth.peer.down"}},
		{"server", "bit/s", []string{"bandwidth.server.in", "bandwidth.server.out", "bandwidth.turn"}},
	} {
		names := recorded(c, s.names)
		if len(names) == 1 && names[0] == "media.loss" {
			s.axis = "loss after repair"
		}
		if tracks := tracksOf(c, names); len(tracks) > 0 {
			strips = append(strips, strip{s.axis, s.unit, tracks})
		}
	}
	return strips
}

// recorded are the metrics that the cell has a series of.
func recorded(c *metrics.Cell, names []string) []string {
	var found []string
	for _, name := range names {
		if slices.ContainsFunc(c.Series, func(s metrics.Series) bool {
			return s.Name == name && slices.ContainsFunc(s.Values, metrics.Value.Valid)
		}) {
			found = append(found, name)
		}
	}
	return found
}

func tracksOf(c *metrics.Cell, names []string) []track {
	var tracks []track
	for _, name := range names {
		var own []*metrics.Series
		for i := range c.Series {
			if c.Series[i].Name == name && slices.ContainsFunc(c.Series[i].Values, metrics.Value.Valid) {
				own = append(own, &c.Series[i])
			}
		}
		for _, s := range own {
			tracks = append(tracks, track{trackName(s, own, len(names) > 1), stepOf(s), s.Values})
		}
	}
	if len(tracks) == 0 {
		return nil
	}
	silent := !slices.ContainsFunc(tracks, func(t track) bool {
		return slices.ContainsFunc(t.values, func(v metrics.Value) bool { return v.Valid() && v != 0 })
	})
	if silent && names[0] != "media.loss" {
		return nil
	}
	slices.SortStableFunc(tracks, func(a, b track) int { return compareNatural(a.name, b.name) })
	return tracks[:min(len(tracks), maxSeries)]
}

func stepOf(s *metrics.Series) float64 {
	if s.StepS <= 0 || s.StepS > 86_400 {
		return 1
	}
	return s.StepS
}

// trackName names only what tells a series from its neighbours.
func trackName(s *metrics.Series, all []*metrics.Series, metric bool) string {
	var parts []string
	if metric || len(all) == 1 {
		parts = append(parts, seriesName(s.Name))
	}
	for _, tag := range []func(metrics.Tags) string{
		func(t metrics.Tags) string { return t.Topology },
		func(t metrics.Tags) string { return t.Group },
		func(t metrics.Tags) string { return t.Kind },
		func(t metrics.Tags) string { return t.Direction },
		func(t metrics.Tags) string { return t.Path },
	} {
		if slices.ContainsFunc(all, func(o *metrics.Series) bool { return tag(o.Tags) != tag(s.Tags) }) {
			parts = append(parts, cmp.Or(clean(tag(s.Tags)), "other"))
		}
	}
	if len(all) == 1 && s.Tags.Kind != "" {
		parts = append(parts, clean(s.Tags.Kind))
	}
	return cmp.Or(strings.Join(parts, " "), s.Name)
}

// seriesName says in words what a metric is.
func seriesName(metric string) string {
	switch metric {
	case "media.delay":
		return "delay"
	case "media.loss":
		return "lost after repair"
	case "media.loss_wire":
		return "lost before repair"
	case "bandwidth.peer.up":
		return "upload"
	case "bandwidth.peer.down":
		return "download"
	case "bandwidth.server.in":
		return "server in"
	case "bandwidth.server.out":
		return "server out"
	case "bandwidth.turn":
		return "TURN"
	}
	return clean(metric)
}

// thinning is how many values of a long track are drawn as one.
func thinning(t track) float64 { return float64((len(t.values) + 899) / 900) }

// thinned keeps the largest of each bundle, so that no peak is lost.
func thinned(t track) []metrics.Value {
	n := int(thinning(t))
	if n <= 1 {
		return t.values
	}
	out := make([]metrics.Value, 0, len(t.values)/n+1)
	for chunk := range slices.Chunk(t.values, n) {
		v := metrics.Missing()
		if _, top := extent(chunk); !math.IsInf(top, 0) {
			v = metrics.Value(top)
		}
		out = append(out, v)
	}
	return out
}
