package reports

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bounds of the pictures over time.
const (
	maxTimelines  = 6
	maxMarkRows   = 6
	timelinePanel = 118
)

// timelinePlots show delay, loss and bandwidth by the second, with what happened marked.
func timelinePlots(run *metrics.Run, cells []CellRow) []Plot {
	var plots []Plot
	used := map[string]bool{}
	for _, i := range interesting(run, cells) {
		strips := stripsOf(&run.Cells[i])
		if len(strips) == 0 {
			continue
		}
		name := strings.TrimSuffix("timeline-"+fileName(cells[i].Name), "-")
		if used[name] {
			name += fmt.Sprintf("-%d", i+1)
		}
		used[name] = true
		title := "Over time: " + cells[i].Name
		marks := marked(run.Cells[i].Events)
		plots = append(plots, Plot{
			Name: name, Title: title, Section: "timelines", Alt: timelineAlt(strips, marks),
			width: plotWidth, height: timelineHeight(strips, marks, timelineEnd(strips)),
			paint: func(c draw.Canvas) { paintTimeline(c, title, strips, marks) },
		})
		if len(plots) == maxTimelines {
			break
		}
	}
	return plots
}

// marked are the events worth an upright: that a peer connected follows from its join, and that it
// joined again says already that it joined.
func marked(events []metrics.Event) []happening {
	hs := happenings(events)
	return slices.DeleteFunc(hs, func(h happening) bool {
		return h.what == "connected" || h.what == "join" && slices.ContainsFunc(hs, func(o happening) bool {
			return o.what == "rejoin" && math.Abs(o.at-h.at) < 0.5 && slices.Equal(o.peers, h.peers)
		})
	})
}

// interesting picks the cells in which something happened besides coming at the start and going at
// the end; without any, the largest of each topology.
func interesting(run *metrics.Run, cells []CellRow) []int {
	var eventful []int
	largest := map[string]int{}
	for i := range run.Cells {
		if len(stripsOf(&run.Cells[i])) == 0 {
			continue
		}
		if eventfulCell(&run.Cells[i]) {
			eventful = append(eventful, i)
		}
		if j, ok := largest[cells[i].Topology]; !ok || cells[i].Participants >= cells[j].Participants {
			largest[cells[i].Topology] = i
		}
	}
	pick := eventful
	if len(pick) == 0 || len(pick) > maxTimelines {
		pick = nil
		for _, top := range sortedKeys(largest) {
			pick = append(pick, largest[top])
		}
		for _, i := range eventful {
			if !slices.Contains(pick, i) {
				pick = append(pick, i)
			}
		}
		pick = pick[:min(len(pick), maxTimelines)]
	}
	slices.Sort(pick)
	return pick
}

func eventfulCell(c *metrics.Cell) bool {
	end := cellEnd(c)
	return slices.ContainsFunc(c.Events, func(e metrics.Event) bool {
		switch e.What {
		case "join", "joined", "connected":
			return false
		case "leave", "left":
			return e.TS < end-2
		}
		return true
	})
}

func timelineEnd(strips []strip) float64 {
	var end float64
	for _, s := range strips {
		for _, t := range s.tracks {
			end = max(end, t.step*float64(len(t.values)))
		}
	}
	return max(end, 1)
}

func timelineAlt(strips []strip, marks []happening) string {
	var parts []string
	for _, s := range strips {
		low, top := math.Inf(1), math.Inf(-1)
		for _, t := range s.tracks {
			l, h := extent(t.values)
			low, top = min(low, l), max(top, h)
		}
		part := fmt.Sprintf("%s from %s to %s", s.axis, inUnit(metrics.Value(low), s.unit), inUnit(metrics.Value(top), s.unit))
		if low == top {
			part = fmt.Sprintf("%s %s throughout", s.axis, inUnit(metrics.Value(low), s.unit))
		}
		parts = append(parts, part)
	}
	alt := "By the second: " + strings.Join(parts, ", ") + "."
	var what []string
	for _, m := range marks[:min(len(marks), 12)] {
		what = append(what, fmt.Sprintf("%s at %.1f s", markText(m), m.at))
	}
	if len(what) > 0 {
		alt += " Marked: " + strings.Join(what, ", ") + "."
	}
	return alt
}

func extent(values []metrics.Value) (low, top float64) {
	low, top = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v.Valid() {
			low, top = min(low, float64(v)), max(top, float64(v))
		}
	}
	return low, top
}

func timelineKeys(s strip) []key {
	var keys []key
	for i, t := range s.tracks {
		line := trackLine(i)
		keys = append(keys, lineKey(t.name, &line, nil))
	}
	return keys
}

func trackLine(i int) draw.LineStyle {
	return draw.LineStyle{Color: palette([]int{1, 0, 2, 3, 4, 5, 6, 7}[i%8]), Width: 1.3, Dashes: dashes(i)}
}

func timelineHeight(strips []strip, marks []happening, end float64) vg.Length {
	h := vg.Length(76)
	for _, s := range strips {
		h += timelinePanel + legendHeight(plotWidth-80, timelineKeys(s))
	}
	return h + vg.Length(markRows(placeMarks(marks, end, plotWidth-90)))*(smallSize+4)
}

func paintTimeline(c draw.Canvas, title string, strips []strip, marks []happening) {
	c = heading(c, title, "A value for every second, drawn at its middle. Delay counts from the end of the warm-up. Dashed: what happened.")
	end := timelineEnd(strips)
	x := scaleFor(0, end, 10, false)
	scales := make([]scale, len(strips))
	var left vg.Length
	for i, s := range strips {
		var top float64
		for _, t := range s.tracks {
			_, high := extent(t.values)
			top = max(top, high)
		}
		top *= 1.05
		if top <= 0 && s.unit == "ratio" {
			top = 0.01 // no loss is worth seeing, too
		}
		scales[i] = upwards(s.axis, s.unit, top, 4)
		l, _ := margins(x, scales[i], nil)
		left = max(left, l)
	}
	placed := placeMarks(marks, end, c.Max.X-10-c.Min.X-left)
	above := draw.Crop(c, left, -10, 0, 0)
	c.Max.Y -= vg.Length(markRows(placed)) * (smallSize + 4)
	var panels []*panel
	var legends []draw.Canvas
	for i, s := range strips {
		keys := timelineKeys(s)
		if i == len(strips)-1 {
			x.label = "time from the start of the cell (s)"
		}
		room := c
		room.Min.Y = c.Max.Y - timelinePanel - legendHeight(room.Max.X-10-room.Min.X-left, keys)
		if i == len(strips)-1 {
			room.Min.Y -= labelSize + gap
		}
		legends = append(legends, draw.Crop(room, left, -10, 0, -3))
		body := room
		body.Max.Y -= legendHeight(room.Max.X-10-room.Min.X-left, keys)
		p := newPanel(body, x, scales[i], left)
		panels = append(panels, p)
		c.Max.Y = room.Min.Y - 4
	}
	for _, p := range panels {
		paintMarkLines(p, marks)
	}
	paintMarks(above, panels[0], placed)
	for i, p := range panels {
		legend(legends[i], timelineKeys(strips[i]))
		paintTracks(p, strips[i])
	}
}

func paintMarkLines(p *panel, marks []happening) {
	line := draw.LineStyle{Color: color.RGBA{0x8c, 0x8c, 0x8c, 0xff}, Width: 0.7, Dashes: []vg.Length{3, 2}}
	last := vg.Length(math.Inf(-1))
	for _, m := range marks {
		if at := p.atX(m.at); m.at >= 0 && m.at <= p.x.max && at-last > 1 {
			p.StrokeLine2(line, at, p.Min.Y, at, p.Max.Y)
			last = at
		}
	}
}

func paintTracks(p *panel, s strip) {
	for i, t := range s.tracks {
		var line []vg.Point
		flush := func() {
			if len(line) == 1 {
				p.DrawGlyphNoClip(draw.GlyphStyle{Color: trackLine(i).Color, Radius: 1.6, Shape: draw.CircleGlyph{}}, line[0])
			}
			if len(line) > 1 {
				p.StrokeLines(trackLine(i), line)
			}
			line = nil
		}
		for k, v := range thinned(t) {
			if !v.Valid() {
				flush()
				continue
			}
			line = append(line, p.point((float64(k)+0.5)*t.step*thinning(t), float64(v)))
		}
		flush()
	}
}
