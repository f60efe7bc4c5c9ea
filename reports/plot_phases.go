package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// maxBars bounds the bars of one plot.
const maxBars = 24

// phase is a part of connecting.
type phase struct{ metric, name string }

func phases() []phase {
	return []phase{
		{"connect.signaling", "signaling"},
		{"connect.offer_answer", "offer/answer"},
		{"connect.gathering", "gathering"},
		{"connect.ice", "ICE"},
		{"connect.dtls", "DTLS"},
		{"", "to first frame"},
	}
}

// phaseBar is the median of every phase of one kind of call, and of the whole.
type phaseBar struct {
	label    string
	topology string
	varied   string
	n        int
	medians  []float64
	total    metrics.Value
	found    map[string]*distribution
}

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
		Alt:   "Median time to connect by topology and participants. " + cmp.Or(strings.Join(alt, "; "), "not complete") + ".",
		width: plotWidth, height: vg.Length(130 + 21*len(bars)),
		paint: func(c draw.Canvas) { paintPhases(c, title, bars, left) },
	}}
}

// phaseBars take cells together that differ only in their repeat.
func phaseBars(run *metrics.Run, cells []CellRow) []*phaseBar {
	var bars []*phaseBar
	for i := range run.Cells {
		for _, top := range topologies(&run.Cells[i]) {
			bars = addPhases(bars, &run.Cells[i], &cells[i], top)
		}
	}
	bars = slices.DeleteFunc(bars, func(b *phaseBar) bool { return !b.finish() })
	slices.SortStableFunc(bars, func(a, b *phaseBar) int {
		return cmp.Or(compareNatural(a.varied, b.varied), cmp.Compare(topologyRank(a.topology), topologyRank(b.topology)), cmp.Compare(a.n, b.n))
	})
	return bars
}

func addPhases(bars []*phaseBar, c *metrics.Cell, row *CellRow, topology string) []*phaseBar {
	n := participants(c)
	i := slices.IndexFunc(bars, func(b *phaseBar) bool { return b.topology == topology && b.varied == row.Label && b.n == n })
	if i < 0 {
		b := &phaseBar{topology: topology, varied: row.Label, n: n, found: map[string]*distribution{}}
		b.label = fmt.Sprintf("%s, %d", topology, n)
		if row.Label != "" {
			b.label += ", " + row.Label
		}
		b.label = shorten(b.label, 34)
		bars, i = append(bars, b), len(bars)
	}
	only := len(topologies(c)) == 1
	for _, metric := range []string{"connect.signaling", "connect.offer_answer", "connect.gathering", "connect.ice", "connect.dtls", "connect.first_frame", "connect.total"} {
		d := collect(c.Metrics, metric, func(t metrics.Tags) bool { return clean(t.Topology) == topology || only && t.Topology == "" })
		if d.count > 0 {
			if bars[i].found[metric] == nil {
				bars[i].found[metric] = &distribution{}
			}
			bars[i].found[metric].merge(d)
		}
	}
	return bars
}

// finish takes the medians; a bar without any phase is nothing.
func (b *phaseBar) finish() bool {
	median := func(metric string) metrics.Value {
		if d := b.found[metric]; d != nil {
			return d.quantile(0.5)
		}
		return metrics.Missing()
	}
	var sum float64
	for _, ph := range phases() {
		v := median(ph.metric)
		if ph.metric == "" {
			v = median("connect.first_frame")
			if !v.Valid() {
				v = median("connect.total")
			}
			v = metrics.Value(max(float64(v)-sum, 0))
		}
		f := float64(v)
		if !v.Valid() {
			f = 0
		}
		b.medians = append(b.medians, f)
		sum += f
	}
	b.total = median("connect.total")
	return sum > 0
}

func paintPhases(c draw.Canvas, title string, bars []*phaseBar, left int) {
	subtitle := "Medians. Phases can overlap. Diamond: connect.total, the first frame of every track that was due."
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
	mark := draw.GlyphStyle{Color: black(), Radius: 3.2, Shape: diamond{}}
	keys = append(keys, lineKey("connect.total", nil, &mark))
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
	x := upwards("time from the intended start", "ms", top, 7)
	y := scale{min: -0.5, max: float64(len(bars)) - 0.5, factor: 1}
	room, _ := margins(x, y, labels)
	p := newPanel(c, x, y, room)
	for i, b := range bars {
		paintBar(p, float64(len(bars)-1-i), b)
	}
}

func paintBar(p *panel, row float64, b *phaseBar) {
	p.FillText(style(labelSize, false, black(), draw.XRight, draw.YCenter), vg.Point{X: p.Min.X - gap, Y: p.atY(row)}, b.label)
	label := style(smallSize-1, true, color.White, draw.XCenter, draw.YCenter)
	var from float64
	for i, m := range b.medians {
		if m <= 0 {
			continue
		}
		r := vg.Rectangle{Min: p.point(from, row-0.33), Max: p.point(from+m, row+0.33)}
		fillPhase(p.Canvas, i, r)
		from += m
		label.Color = phaseInk(i)
		text, at := short(m, 0), vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: p.atY(row) + 0.5}
		w := label.Width(text)
		covered := b.total.Valid() && absolute(float64(p.point(float64(b.total), row).X-at.X)) < float64(w)/2+7
		if w+6 <= r.Max.X-r.Min.X && hatch(i) == 0 && !covered {
			p.FillText(label, at, text)
		}
	}
	if b.total.Valid() {
		at := p.point(float64(b.total), row)
		p.DrawGlyphNoClip(draw.GlyphStyle{Color: color.White, Radius: 4.2, Shape: diamond{}}, at)
		p.DrawGlyphNoClip(draw.GlyphStyle{Color: black(), Radius: 3.2, Shape: diamond{}}, at)
	}
}

func phaseColor(i int) color.Color {
	return []color.RGBA{
		{0x00, 0x72, 0xb2, 0xff},
		{0x8f, 0xcf, 0xf2, 0xff},
		{0xe6, 0x9f, 0x00, 0xff},
		{0x00, 0x7d, 0x5c, 0xff},
		{0xe2, 0xa9, 0xc9, 0xff},
		{0xd0, 0xd0, 0xd0, 0xff},
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
func hatch(i int) int { return []int{0, 1, 0, 0, -1, 0}[i] }

func fillPhase(c draw.Canvas, i int, r vg.Rectangle) {
	c.SetColor(phaseColor(i))
	c.Fill(r.Path())
	if d := hatch(i); d != 0 {
		hatchRect(c, r, d)
	}
	c.SetLineStyle(draw.LineStyle{Color: color.White, Width: 0.7})
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
