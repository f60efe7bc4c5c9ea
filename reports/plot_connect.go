package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// connectSeries are the connect times of one group in one kind of call, over all cells.
type connectSeries struct {
	topology, group string
	d               distribution
}

func (s connectSeries) name() string {
	switch {
	case s.group == "":
		return s.topology
	case s.topology == "":
		return s.group
	}
	return s.topology + ", " + s.group
}

// connectPlots show how connect.total is distributed.
func connectPlots(run *metrics.Run) []Plot {
	all := connectSeriesOf(run, true)
	if len(all) > maxSeries {
		all = connectSeriesOf(run, false)
	}
	all = all[:min(len(all), maxSeries)]
	if len(all) == 0 {
		return nil
	}
	title := "Distribution of connect time"
	var alt []string
	for _, s := range all {
		alt = append(alt, fmt.Sprintf("%s: p50 %s, p95 %s of %d joins", s.name(),
			inUnit(s.d.quantile(0.5), "ms"), inUnit(s.d.quantile(0.95), "ms"), s.d.count))
	}
	return []Plot{{
		Name: "connect-distribution", Title: title, Section: "connecting", Alt: strings.Join(alt, "; ") + ".",
		width: plotWidth, height: plotHeight, paint: func(c draw.Canvas) { paintConnect(c, title, all, len(run.Cells)) },
	}}
}

func connectSeriesOf(run *metrics.Run, byGroup bool) []connectSeries {
	var all []connectSeries
	for i := range run.Cells {
		for j := range run.Cells[i].Metrics {
			e := &run.Cells[i].Metrics[j]
			if e.Name != "connect.total" || len(e.Values) == 0 && e.Hist == nil {
				continue
			}
			top, group := clean(e.Tags.Topology), ""
			if byGroup {
				group = clean(e.Tags.Group)
			}
			k := slices.IndexFunc(all, func(s connectSeries) bool { return s.topology == top && s.group == group })
			if k < 0 {
				all, k = append(all, connectSeries{topology: top, group: group}), len(all)
			}
			all[k].d.add(e)
		}
	}
	for i := range all {
		all[i].d.sort()
	}
	all = slices.DeleteFunc(all, func(s connectSeries) bool { return len(s.d.samples) == 0 })
	slices.SortStableFunc(all, func(a, b connectSeries) int {
		return cmp.Or(cmp.Compare(topologyRank(a.topology), topologyRank(b.topology)), cmp.Compare(a.topology, b.topology), compareNatural(a.group, b.group))
	})
	return all
}

func paintConnect(c draw.Canvas, title string, all []connectSeries, cells int) {
	c = heading(c, title, fmt.Sprintf("Share of joins with the first frame of every due track by then (%s). Failed joins stand at their time limit. Marked: p50, p90, p95.", count(cells, "cell")))
	var top float64
	var keys []key
	for i, s := range all {
		top = max(top, float64(s.d.quantile(1)))
		line, glyph := connectLine(i), draw.GlyphStyle{Color: palette(i), Radius: 3.4, Shape: marker(i)}
		keys = append(keys, lineKey(fmt.Sprintf("%s: p50 %s, p95 %s (%s)", s.name(), inUnit(s.d.quantile(0.5), "ms"),
			inUnit(s.d.quantile(0.95), "ms"), count(int(s.d.count), "join")), &line, &glyph))
	}
	c = legend(c, keys)
	x := upwards("connect.total, from the intended start", "ms", top*1.03, 7)
	y := scaleFor(0, 100, 5, true)
	y.factor, y.label = 100, "share of joins (%)"
	left, _ := margins(x, y, nil)
	p := newPanel(c, x, y, left)
	for i, s := range all {
		p.StrokeLines(connectLine(i), steps(p, &s.d))
	}
	for i, s := range all {
		for _, q := range []float64{0.5, 0.9, 0.95} {
			p.DrawGlyphNoClip(draw.GlyphStyle{Color: palette(i), Radius: 3.4, Shape: marker(i)}, p.point(float64(s.d.quantile(q)), q))
		}
	}
}

func connectLine(i int) draw.LineStyle {
	return draw.LineStyle{Color: palette(i), Width: 1.4, Dashes: dashes(i)}
}

// steps is the cumulative distribution as a staircase of at most some hundred steps.
func steps(p *panel, d *distribution) []vg.Point {
	const most = 300
	line := []vg.Point{p.point(d.samples[0].value, 0)}
	var total, seen uint64
	for _, s := range d.samples {
		total += s.n
	}
	last := 0.0
	for i, s := range d.samples {
		seen += s.n
		share := float64(seen) / float64(total)
		if i < len(d.samples)-1 && share-last < 1.0/most {
			continue
		}
		line = append(line, p.point(s.value, last), p.point(s.value, share))
		last = share
	}
	return append(line, p.point(p.x.max/p.x.factor, 1))
}
