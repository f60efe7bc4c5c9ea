package reports

import (
	"math"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bandwidthPlots show what each peer and the server carry against the number of participants.
func bandwidthPlots(run *metrics.Run, cells []CellRow) []Plot {
	var plots []Plot
	for _, k := range []struct {
		name, title, axis, metric string
		summed                    bool
		expected                  func(metrics.Expected) float64
	}{
		{"upload-by-participants", "Upload per peer", "upload per peer", "bandwidth.peer.up", false, peerUp},
		{"download-by-participants", "Download per peer", "download per peer", "bandwidth.peer.down", false, peerDown},
		{"server-in-by-participants", "Bandwidth into the server", "server in", "bandwidth.server.in", true, serverIn},
		{"server-out-by-participants", "Bandwidth out of the server", "server out", "bandwidth.server.out", true, serverOut},
	} {
		gs := slices.DeleteFunc(growths(run, cells, k.metric, k.summed, k.expected), growth.nothing)
		if !worthPlotting(gs) {
			continue
		}
		plots = append(plots, growthPlot(k.name, k.title+" by number of participants", k.axis, gs))
	}
	return plots
}

// worthPlotting asks for two sizes; one is told better by the table.
func worthPlotting(gs []growth) bool {
	sizes := map[int]bool{}
	for _, g := range gs {
		for _, p := range g.points {
			if p.measured {
				sizes[p.n] = true
			}
		}
	}
	return len(sizes) > 1
}

// nothing tells whether there was never anything, such as media through the server of a mesh.
func (g growth) nothing() bool {
	return !slices.ContainsFunc(g.points, func(p growthPoint) bool { return p.measured && p.top > 0 || p.expected > 0 })
}

func growthPlot(name, title, axis string, gs []growth) Plot {
	var spans []string
	for _, g := range gs {
		spans = append(spans, g.span())
	}
	return Plot{
		Name: name, Title: title, Section: "topologies", Alt: strings.Join(spans, "; ") + ".",
		width: plotWidth, height: plotHeight, paint: func(c draw.Canvas) { paintGrowth(c, title, axis, gs) },
	}
}

func paintGrowth(c draw.Canvas, title, axis string, gs []growth) {
	c = heading(c, title, "Points: mean of all measured, with whiskers from the least to the greatest. Lines: closed form, without loss.")
	c = legend(c, growthKeys(gs))
	low, high, top := growthRange(gs)
	y := upwards(axis, "bit/s", top*1.04, 5)
	x := scaleFor(float64(low), float64(high), 8, false)
	pad := max(0.5, 0.05*float64(high-low))
	x.min, x.max, x.label, x.decimals = float64(low)-pad, float64(high)+pad, "participants", 0
	x.ticks = wholeTicks(low, high)
	left, _ := margins(x, y, nil)
	p := newPanel(c, x, y, left)
	for i, g := range gs {
		paintClosedForm(p, i, g)
	}
	for i, g := range gs {
		paintMeasured(p, i, g, func(pt growthPoint) float64 {
			return aside(gs, i, pt, 0.04*top) * 0.016 * (x.max - x.min)
		})
	}
}

func seriesIndex(i int, g growth) int {
	if g.label == "" && topologyRank(g.topology) < 3 {
		return topologyRank(g.topology)
	}
	return i
}

func growthKeys(gs []growth) []key {
	var keys []key
	for i, g := range gs {
		s := seriesIndex(i, g)
		glyph := draw.GlyphStyle{Color: palette(s), Radius: 3.4, Shape: marker(s)}
		if len(gs) > 2 && hasClosedForm(g) {
			line := closedFormLine(s)
			keys = append(keys, lineKey(g.name(), &line, &glyph))
			continue
		}
		keys = append(keys, lineKey(g.name()+", measured", nil, &glyph))
		if hasClosedForm(g) {
			line := closedFormLine(s)
			keys = append(keys, lineKey(g.name()+", closed form", &line, nil))
		}
	}
	return keys
}

func hasClosedForm(g growth) bool {
	n := 0
	for _, p := range g.points {
		if !math.IsNaN(p.expected) {
			n++
		}
	}
	return n > 0
}

func closedFormLine(s int) draw.LineStyle {
	return draw.LineStyle{Color: palette(s), Width: 1.1, Dashes: dashes(s + 1)}
}

func growthRange(gs []growth) (low, high int, top float64) {
	low = math.MaxInt
	for _, g := range gs {
		for _, p := range g.points {
			low, high = min(low, p.n), max(high, p.n)
			if p.measured {
				top = max(top, p.top)
			}
			if !math.IsNaN(p.expected) {
				top = max(top, p.expected)
			}
		}
	}
	return low, high, top
}

// wholeTicks are at most about twelve whole numbers.
func wholeTicks(low, high int) []float64 {
	step := max(1, int(niceStep(float64(high-low+1)/12)+0.999))
	var ticks []float64
	for n := (low + step - 1) / step * step; n <= high; n += step {
		ticks = append(ticks, float64(n))
	}
	return ticks
}

func paintClosedForm(p *panel, i int, g growth) {
	if !hasClosedForm(g) {
		return
	}
	var line []vg.Point
	for _, pt := range g.points {
		if !math.IsNaN(pt.expected) {
			line = append(line, p.point(float64(pt.n), pt.expected))
		}
	}
	if len(line) == 1 {
		const half = 40
		line = []vg.Point{{X: line[0].X - half, Y: line[0].Y}, {X: line[0].X + half, Y: line[0].Y}}
	}
	p.StrokeLines(closedFormLine(seriesIndex(i, g)), line)
}

// aside moves points of several series that would cover each other: by how many widths of a marker.
func aside(gs []growth, i int, pt growthPoint, near float64) float64 {
	before, all := 0, 0
	for j, g := range gs {
		if o, ok := g.at(pt.n); ok && math.Abs(o.mean-pt.mean) < near {
			all++
			if j < i {
				before++
			}
		}
	}
	return float64(before) - float64(all-1)/2
}

func paintMeasured(p *panel, i int, g growth, shift func(growthPoint) float64) {
	s := seriesIndex(i, g)
	whisker := draw.LineStyle{Color: palette(s), Width: 1}
	for _, pt := range g.points {
		if !pt.measured {
			continue
		}
		x := float64(pt.n) + shift(pt)
		low, top, at := p.point(x, pt.low), p.point(x, pt.top), p.point(x, pt.mean)
		if top.Y-low.Y > 1 {
			p.StrokeLine2(whisker, low.X, low.Y, top.X, top.Y)
			p.StrokeLine2(whisker, low.X-3, low.Y, low.X+3, low.Y)
			p.StrokeLine2(whisker, top.X-3, top.Y, top.X+3, top.Y)
		}
		p.DrawGlyphNoClip(draw.GlyphStyle{Color: palette(s), Radius: 3.4, Shape: marker(s)}, at)
	}
}
