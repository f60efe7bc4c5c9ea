package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxBars bounds the bars of one plot.
const maxBars = 24

func phasePlots(run *metrics.Run, cells []CellRow) []Plot {
	bars := phaseBars(run, cells)
	if len(bars) == 0 {
		return nil
	}
	left := max(len(bars)-maxBars, 0)
	bars = bars[:len(bars)-left]
	var alt []string
	for _, b := range bars {
		if b.total.Valid() {
			alt = append(alt, fmt.Sprintf("%s: %s", b.label, inTime(float64(b.total))))
		}
	}
	title := "Connect time by phase"
	return []Plot{{
		Name: "connect-phases", Title: title, Section: "connecting",
		Alt:   "Median time to connect. " + cmp.Or(strings.Join(alt, "; "), "not complete") + ".",
		width: plotWidth, height: vg.Length(130 + 21*len(bars)),
		paint: func(c draw.Canvas) { paintPhases(c, title, bars, left) },
	}}
}

func paintPhases(c draw.Canvas, title string, bars []*phaseBar, left int) {
	subtitle := "Medians laid end to end, though phases can overlap. At the end: the median of connect.total. Short phases are in the table."
	if left > 0 {
		subtitle += fmt.Sprintf(" %d more are in the tables.", left)
	}
	c = heading(c, title, subtitle)
	var keys []key
	for i, ph := range phases() {
		keys = append(keys, key{ph.name, thumbWidth, func(c draw.Canvas, from, to vg.Point) {
			fillPhase(c, i, vg.Rectangle{Min: vg.Point{X: from.X, Y: from.Y - 4}, Max: vg.Point{X: to.X, Y: to.Y + 4}})
		}})
	}
	c = legend(c, keys)
	var top float64
	labels := make([]string, len(bars))
	for i, b := range bars {
		labels[i] = b.label
		var sum float64
		for _, m := range b.medians {
			sum += m
		}
		top = max(top, sum)
		if b.total.Valid() {
			top = max(top, float64(b.total))
		}
	}
	x := upwards("time from the intended start", "ms", top*1.09, 7) // with room for the totals
	y := scale{min: -0.5, max: float64(len(bars)) - 0.5, factor: 1}
	room, _ := margins(x, y, labels)
	p := newPanel(c, x, y, room)
	for i, b := range bars {
		paintBar(p, float64(len(bars)-1-i), b)
	}
}

func paintBar(p *panel, row float64, b *phaseBar) {
	p.FillText(style(labelSize, false, black(), draw.XRight, draw.YCenter), vg.Point{X: p.Min.X - gap, Y: p.atY(row)}, b.label)
	var from float64
	for i, m := range b.medians {
		if m <= 0 {
			continue
		}
		r := vg.Rectangle{Min: p.point(from, row-0.33), Max: p.point(from+m, row+0.33)}
		fillPhase(p.Canvas, i, r)
		from += m
		paintPhaseTime(p, i, r, short(m, 0))
	}
	if !b.total.Valid() {
		return
	}
	at := p.point(max(from, float64(b.total)), row)
	p.FillText(style(smallSize, true, black(), draw.XLeft, draw.YCenter), vg.Point{X: at.X + 4, Y: at.Y + 0.5}, inTime(round(float64(b.total), 0)))
}

// paintPhaseTime writes a phase's length into its part of the bar, if there is room.
func paintPhaseTime(p *panel, i int, r vg.Rectangle, text string) {
	label := style(smallSize-1, true, phaseInk(i), draw.XCenter, draw.YCenter)
	w := label.Width(text)
	if w+6 > r.Max.X-r.Min.X {
		return
	}
	at := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y+r.Max.Y)/2 + 0.5}
	if hatch(i) != 0 {
		p.SetColor(phaseColor(i))
		p.Fill(vg.Rectangle{Min: vg.Point{X: at.X - w/2 - 2, Y: r.Min.Y + 3}, Max: vg.Point{X: at.X + w/2 + 2, Y: r.Max.Y - 3}}.Path())
	}
	p.FillText(label, at, text)
}

func phaseColor(i int) color.Color {
	return []color.RGBA{
		{0x00, 0x72, 0xb2, 0xff},
		{0x8f, 0xcf, 0xf2, 0xff},
		{0xe6, 0x9f, 0x00, 0xff},
		{0x00, 0x7d, 0x5c, 0xff},
		{0xe2, 0xa9, 0xc9, 0xff},
		{0xd0, 0xd0, 0xd0, 0xff},
		{0xf0, 0xf0, 0xf0, 0xff},
	}[i]
}

func phaseInk(i int) color.Color {
	if i == 0 || i == 3 {
		return color.White
	}
	return black()
}

// hatch is the direction in which a phase is hatched, so that print without colour tells them
// apart: 0 not at all, 1 rising, -1 falling.
func hatch(i int) int { return []int{0, 1, 0, 0, -1, 0, 0}[i] }

func fillPhase(c draw.Canvas, i int, r vg.Rectangle) {
	c.SetColor(phaseColor(i))
	c.Fill(r.Path())
	if d := hatch(i); d != 0 {
		hatchRect(c, r, d)
	}
	edge := draw.LineStyle{Color: color.White, Width: 0.7}
	if i == phaseLastTrack {
		edge.Color = grey() // too pale to end by itself
	}
	c.SetLineStyle(edge)
	c.Stroke(r.Path())
}

// hatchRect draws diagonals inside a rectangle.
func hatchRect(c draw.Canvas, r vg.Rectangle, direction int) {
	line := draw.LineStyle{Color: black(), Width: 0.45}
	w, h := r.Max.X-r.Min.X, r.Max.Y-r.Min.Y
	const every = 4.5
	for o := -math.Floor(float64(h)/every) * every; o < float64(w); o += every {
		x0, x1 := max(vg.Length(o), 0), min(vg.Length(o)+h, w)
		if x1 <= x0 {
			continue
		}
		y0, y1 := x0-vg.Length(o), x1-vg.Length(o)
		if direction < 0 {
			y0, y1 = h-y0, h-y1
		}
		c.StrokeLine2(line, r.Min.X+x0, r.Min.Y+y0, r.Min.X+x1, r.Min.Y+y1)
	}
}
