package reports

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of a ladder, in points.
const (
	traceWidth  = 690
	traceRowH   = 13
	tracePauseH = 11
	traceHeadH  = 12 // of each row of lane headings
	timeWidth   = 40
	layerWidth  = 50
	bytesWidth  = 42
	traceMargin = 12  // as heading leaves it
	laneWidth   = 105 // of an address
)

func tracePlots(run *metrics.Run, cells []CellRow) []Plot {
	var plots []Plot
	used := map[string]bool{}
	for i := range run.Cells {
		l := newLadder(run.Cells[i].Trace)
		if l == nil || len(plots) == maxTraces {
			continue
		}
		phases := tracePhases(run.Cells[i].Trace, peerOf(&run.Cells[i]))
		l.bands = bands(phases, l.rows)
		name := strings.TrimSuffix("trace-"+fileName(l.peer), "-")
		if used[name] {
			name += fmt.Sprintf("-%d", i+1)
		}
		used[name] = true
		title := "How " + l.peer + " connected"
		if len(run.Cells) > 1 {
			title += ": " + cells[i].Name
		}
		plots = append(plots, Plot{
			Name: name, Title: title, Section: "traces", Alt: traceAlt(l, run.Cells[i].Trace) + after(" Phases in ms: ", phaseWords(phases)),
			width: traceWidth, height: l.height(), paint: func(c draw.Canvas) { l.paint(c, title, phaseWords(phases)) },
		})
	}
	return plots
}

// room is what the bands take at the left edge.
func (l *ladder) room() vg.Length {
	if len(l.bands) == 0 {
		return 0
	}
	return bandColumns*bandWidth + 2
}

// x places a lane in a picture that begins at left, the peer's own being -1.
func (l *ladder) x(left vg.Length, lane int) vg.Length {
	spacing := min(max(240/vg.Length(len(l.lanes)), 30), 95)
	return left + timeWidth + 24 + vg.Length(lane+1)*spacing
}

// laneBox is the place of a lane's heading.
type laneBox struct {
	traceLane
	from, to vg.Length
	row      int // from the top
}

// boxes places the headings of the lanes, the peer's first, in as few rows as it takes without
// overlap.
func (l *ladder) boxes() []laneBox {
	sty := style(smallSize-1, false, black(), draw.XLeft, draw.YBottom)
	lanes := append([]traceLane{{role: "peer", address: l.peer}}, l.lanes...)
	boxes := make([]laneBox, len(lanes))
	var ends []vg.Length // of the rows
	for i, lane := range lanes {
		lane.address = fitMiddle(lane.address, sty, laneWidth)
		w := max(sty.Width(lane.address), sty.Width(lane.role)) + 8
		from := min(max(l.x(traceMargin+l.room(), i-1)-w/2, traceMargin), traceWidth-traceMargin-w)
		row := 0
		for row < len(ends) && from < ends[row] {
			row++
		}
		if row == len(ends) {
			ends = append(ends, 0)
		}
		ends[row] = from + w
		boxes[i] = laneBox{lane, from, from + w, row}
	}
	return boxes
}

func headRows(boxes []laneBox) vg.Length {
	rows := 0
	for _, b := range boxes {
		rows = max(rows, b.row+1)
	}
	return vg.Length(rows)
}

func (l *ladder) height() vg.Length {
	h := 18 + 2*(titleSize+5) + headRows(l.boxes())*2*traceHeadH + 10 + vg.Length(len(l.rows)+1)*traceRowH
	for _, r := range l.rows {
		if r.pauseMS > 0 {
			h += tracePauseH
		}
	}
	return h
}

func (l *ladder) paint(c draw.Canvas, title, phases string) {
	subtitle := "Time in ms from the intended start; rows are evenly spaced, not to scale. A cross ends what was not delivered."
	if phases != "" {
		subtitle = "Rows are evenly spaced, not to scale. Phases in ms: " + phases + "."
	}
	c = heading(c, title, subtitle)
	edge := c
	c.Min.X += l.room()
	top := l.paintHeads(c)
	tops := l.tops(top)
	l.paintZebra(c, tops)
	for _, b := range l.bands {
		paintBand(edge, b, tops[b.first], tops[b.last]-traceRowH)
	}
	uprights := draw.LineStyle{Color: color.RGBA{0xb0, 0xb0, 0xb0, 0xff}, Width: 0.7}
	end := tops[len(tops)-1] - traceRowH
	for lane := -1; lane < len(l.lanes); lane++ {
		x := l.x(c.Min.X, lane)
		c.StrokeLine2(uprights, x, top, x, end)
	}
	for i := range l.rows {
		if ms := l.rows[i].pauseMS; ms > 0 {
			l.paintPause(c, tops[i]+tracePauseH/2, ms)
		}
		l.paintRow(c, tops[i]-traceRowH/2, &l.rows[i])
	}
	if l.more != "" {
		c.FillText(style(smallSize, false, grey(), draw.XLeft, draw.YCenter), vg.Point{X: l.textX(c), Y: end - traceRowH/2}, l.more)
	}
}

// tops are the upper edges of the rows, with room for the pauses before them.
func (l *ladder) tops(y vg.Length) []vg.Length {
	tops := make([]vg.Length, len(l.rows))
	for i := range l.rows {
		if l.rows[i].pauseMS > 0 {
			y -= tracePauseH
		}
		tops[i] = y
		y -= traceRowH
	}
	return tops
}

// textX is where the writing beside the ladder begins.
func (l *ladder) textX(c draw.Canvas) vg.Length { return l.x(c.Min.X, len(l.lanes)-1) + 16 }

// paintHeads returns where the rows begin.
func (l *ladder) paintHeads(c draw.Canvas) vg.Length {
	boxes := l.boxes()
	top := c.Max.Y - headRows(boxes)*2*traceHeadH - 4
	lead := draw.LineStyle{Color: faint(), Width: 0.7}
	low := func(b laneBox) vg.Length { return c.Max.Y - vg.Length(b.row+1)*2*traceHeadH + 2 }
	for i, b := range boxes {
		c.StrokeLine2(lead, l.x(c.Min.X, i-1), low(b), l.x(c.Min.X, i-1), top)
	}
	bold, plain := style(smallSize-1, true, black(), draw.XCenter, draw.YBottom), style(smallSize-1, false, black(), draw.XCenter, draw.YBottom)
	for _, b := range boxes {
		c.SetColor(color.White)
		c.Fill(vg.Rectangle{Min: vg.Point{X: b.from + 3, Y: low(b)}, Max: vg.Point{X: b.to - 3, Y: low(b) + 2*traceHeadH - 2}}.Path())
		middle := (b.from + b.to) / 2
		c.FillText(bold, vg.Point{X: middle, Y: low(b) + traceHeadH - 2}, b.role)
		c.FillText(plain, vg.Point{X: middle, Y: low(b)}, b.address)
	}
	return top
}

// paintZebra leads the eye from an arrow to its text.
func (l *ladder) paintZebra(c draw.Canvas, tops []vg.Length) {
	for i := 0; i < len(tops); i += 2 {
		c.SetColor(color.RGBA{0xf5, 0xf6, 0xf8, 0xff})
		c.Fill(vg.Rectangle{Min: vg.Point{X: c.Min.X, Y: tops[i] - traceRowH}, Max: vg.Point{X: c.Max.X, Y: tops[i]}}.Path())
	}
}

// paintPause breaks the uprights and says for how long nothing happened.
func (l *ladder) paintPause(c draw.Canvas, y vg.Length, ms float64) {
	for lane := -1; lane < len(l.lanes); lane++ {
		x := l.x(c.Min.X, lane)
		c.StrokeLine2(draw.LineStyle{Color: color.White, Width: 1.5}, x, y-tracePauseH/2, x, y+tracePauseH/2)
		c.StrokeLine2(draw.LineStyle{Color: color.RGBA{0xb0, 0xb0, 0xb0, 0xff}, Width: 0.7, Dashes: []vg.Length{1, 2}}, x, y-tracePauseH/2, x, y+tracePauseH/2)
	}
	sty := style(smallSize-1.5, false, grey(), draw.XRight, draw.YCenter)
	c.FillText(sty, vg.Point{X: c.Min.X + timeWidth, Y: y + 0.5}, "… "+inTime(round(ms, 0)))
}

func (l *ladder) paintRow(c draw.Canvas, y vg.Length, r *traceRow) {
	ink := layerColor(r.step.Layer)
	c.FillText(style(smallSize, false, black(), draw.XRight, draw.YCenter), vg.Point{X: c.Min.X + timeWidth, Y: y + 1}, r.time)
	own, far := l.x(c.Min.X, -1), l.x(c.Min.X, r.lane)
	switch {
	case r.step.Direction == "received":
		paintArrow(c, y, far, own, ink)
	case undelivered(r.step):
		paintStub(c, y, own, far, (l.x(c.Min.X, 0)-own)*0.55, ink)
	default:
		paintArrow(c, y, own, far, ink)
	}
	x := l.textX(c)
	bold := style(smallSize, true, ink, draw.XLeft, draw.YCenter)
	c.FillText(bold, vg.Point{X: x, Y: y + 1}, fit(clean(r.step.Layer), bold, layerWidth-4))
	text := black()
	if undelivered(r.step) {
		text = color.RGBA{0xa6, 0x1c, 0x14, 0xff}
	}
	sty := style(smallSize, false, text, draw.XLeft, draw.YCenter)
	room := c.Max.X - bytesWidth - x - layerWidth
	label := compact(r.label, func(s string) bool { return sty.Width(s) <= room })
	c.FillText(sty, vg.Point{X: x + layerWidth, Y: y + 1}, fit(label, sty, room))
	c.FillText(style(smallSize, false, grey(), draw.XRight, draw.YCenter), vg.Point{X: c.Max.X, Y: y + 1}, r.bytes)
}

// paintArrow draws from one lane to another.
func paintArrow(c draw.Canvas, y, from, to vg.Length, ink color.Color) {
	back := vg.Length(5)
	if to < from {
		back = -back
	}
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.2}, from, y, to-back, y)
	var head vg.Path
	head.Move(vg.Point{X: to, Y: y})
	head.Line(vg.Point{X: to - back, Y: y + 2.8})
	head.Line(vg.Point{X: to - back, Y: y - 2.8})
	head.Close()
	c.SetColor(ink)
	c.Fill(head)
}

// paintStub draws a packet that was stopped near its sender, and dotted where it was bound for.
func paintStub(c draw.Canvas, y, from, to, length vg.Length, ink color.Color) {
	end := from + length
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.2}, from, y, end, y)
	cross := draw.LineStyle{Color: ink, Width: 1.7}
	c.StrokeLine2(cross, end-3, y-3, end+3, y+3)
	c.StrokeLine2(cross, end-3, y+3, end+3, y-3)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 0.8, Dashes: []vg.Length{1, 3}}, end+6, y, to, y)
}

// layerColor is dark enough for words, too; the word beside an arrow says the same.
func layerColor(layer string) color.Color {
	switch layer {
	case "signaling":
		return color.RGBA{0x00, 0x5f, 0x9a, 0xff}
	case "stun":
		return color.RGBA{0xc0, 0x50, 0x00, 0xff}
	case "turn":
		return color.RGBA{0xa8, 0x4a, 0x80, 0xff}
	case "dtls":
		return color.RGBA{0x00, 0x7d, 0x5c, 0xff}
	case "media":
		return black()
	}
	return color.RGBA{0x70, 0x70, 0x70, 0xff}
}
