package reports

import (
	"image/color"
	"math"
	"slices"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of type, in points.
const (
	titleSize  = 12
	labelSize  = 9.5
	smallSize  = 8.5
	plotWidth  = 540
	plotHeight = 330
	gap        = 6
)

func black() color.Color { return color.RGBA{0x1a, 0x1a, 0x1a, 0xff} }
func grey() color.Color  { return color.RGBA{0x59, 0x59, 0x59, 0xff} }
func faint() color.Color { return color.RGBA{0xe2, 0xe2, 0xe2, 0xff} }

// palette is Okabe and Ito's, for eyes of every kind, without the yellow that vanishes on white.
func palette(i int) color.Color {
	colors := []color.RGBA{
		{0xd5, 0x5e, 0x00, 0xff},
		{0x00, 0x72, 0xb2, 0xff},
		{0x00, 0x9e, 0x73, 0xff},
		{0xcc, 0x79, 0xa7, 0xff},
		{0xe6, 0x9f, 0x00, 0xff},
		{0x56, 0xb4, 0xe9, 0xff},
		{0x1a, 0x1a, 0x1a, 0xff},
		{0x80, 0x80, 0x80, 0xff},
	}
	return colors[i%len(colors)]
}

// marker and dashes tell lines apart without colour.
func marker(i int) draw.GlyphDrawer {
	shapes := []draw.GlyphDrawer{
		draw.CircleGlyph{},
		draw.BoxGlyph{},
		draw.PyramidGlyph{},
		diamond{},
		draw.RingGlyph{},
		draw.SquareGlyph{},
		draw.TriangleGlyph{},
		draw.CrossGlyph{},
	}
	return shapes[i%len(shapes)]
}

func dashes(i int) []vg.Length {
	patterns := [][]vg.Length{nil, {7, 3}, {2, 2.5}, {8, 3, 2, 3}, {12, 3}, {4, 4}, {2, 5}, {8, 2, 2, 2, 2, 2}}
	return patterns[i%len(patterns)]
}

// diamond is a filled square on its corner.
type diamond struct{}

// DrawGlyph draws it about the point.
func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius * 1.25
	var p vg.Path
	p.Move(vg.Point{X: at.X, Y: at.Y + r})
	p.Line(vg.Point{X: at.X + r, Y: at.Y})
	p.Line(vg.Point{X: at.X, Y: at.Y - r})
	p.Line(vg.Point{X: at.X - r, Y: at.Y})
	p.Close()
	c.Fill(p)
}

func style(size float64, bold bool, c color.Color, x text.XAlignment, y text.YAlignment) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, XAlign: x, YAlign: y, Handler: plot.DefaultTextHandler}
}

// fit shortens a text to a width.
func fit(s string, sty text.Style, width vg.Length) string {
	s = shorten(s, max(int(width), 1)) // no letter is so narrow; keeps what follows from taking long
	for r := []rune(s); len(r) > 1 && sty.Width(s) > width; {
		r = r[:len(r)-1]
		s = string(r) + "…"
	}
	return s
}

// fitMiddle shortens a text to a width but keeps its ends, which tell addresses apart.
func fitMiddle(s string, sty text.Style, width vg.Length) string {
	s = shortenMiddle(s, max(int(width), 1))
	r := []rune(s)
	for cut := r; len(cut) > 2 && sty.Width(s) > width; {
		half := len(cut) / 2
		cut = append(slices.Clone(cut[:half]), cut[half+1:]...)
		half = len(cut) / 2
		s = string(cut[:half]) + "…" + string(cut[half:])
	}
	return s
}

// heading writes title and subtitle and returns what is left below them.
func heading(c draw.Canvas, title, subtitle string) draw.Canvas {
	c = draw.Crop(c, 12, -12, 8, -10)
	sty := style(titleSize, true, black(), draw.XLeft, draw.YTop)
	c.FillText(sty, vg.Point{X: c.Min.X, Y: c.Max.Y}, fit(title, sty, c.Max.X-c.Min.X))
	c.Max.Y -= titleSize + 5
	if subtitle != "" {
		sty = style(smallSize, false, grey(), draw.XLeft, draw.YTop)
		c.FillText(sty, vg.Point{X: c.Min.X, Y: c.Max.Y}, fit(subtitle, sty, c.Max.X-c.Min.X))
		c.Max.Y -= smallSize + 5
	}
	c.Max.Y -= 2
	return c
}

// key is one entry of a legend: a small picture and a text.
type key struct {
	text  string
	width vg.Length // of the picture
	draw  func(c draw.Canvas, from, to vg.Point)
}

const (
	thumbWidth = 24
	keyGap     = 13
)

// legend writes the keys in rows above the data, so that it never covers any.
func legend(c draw.Canvas, keys []key) draw.Canvas {
	sty := style(smallSize, false, black(), draw.XLeft, draw.YCenter)
	const row = smallSize + 5
	x, y := c.Min.X, c.Max.Y-row/2
	for i, k := range keys {
		label := fit(k.text, sty, c.Max.X-c.Min.X-k.width-4)
		w := k.width + 4 + sty.Width(label)
		if i > 0 && x+w > c.Max.X {
			x, y = c.Min.X, y-row
		}
		c.SetColor(color.White)
		c.Fill(vg.Rectangle{Min: vg.Point{X: x, Y: y - row/2}, Max: vg.Point{X: x + w, Y: y + row/2}}.Path())
		k.draw(c, vg.Point{X: x, Y: y}, vg.Point{X: x + k.width, Y: y})
		c.FillText(sty, vg.Point{X: x + k.width + 4, Y: y}, label)
		x += w + keyGap
	}
	if len(keys) > 0 {
		c.Max.Y = y - row/2 - 6
	}
	return c
}

// legendHeight is the room that legend takes of a canvas so wide.
func legendHeight(width vg.Length, keys []key) vg.Length {
	sty := style(smallSize, false, black(), draw.XLeft, draw.YCenter)
	rows, x := 1, vg.Length(0)
	for i, k := range keys {
		w := k.width + 4 + min(sty.Width(k.text), width-k.width-4)
		if i > 0 && x+w > width {
			rows, x = rows+1, 0
		}
		x += w + keyGap
	}
	return vg.Length(rows)*(smallSize+5) + 6
}

// lineKey shows a line, a marker or both.
func lineKey(label string, line *draw.LineStyle, glyph *draw.GlyphStyle) key {
	width := vg.Length(thumbWidth)
	if line == nil {
		width = 9
	}
	return key{label, width, func(c draw.Canvas, from, to vg.Point) {
		if line != nil {
			c.StrokeLine2(*line, from.X, from.Y, to.X, to.Y)
		}
		if glyph != nil {
			c.DrawGlyphNoClip(*glyph, vg.Point{X: (from.X + to.X) / 2, Y: from.Y})
		}
	}}
}

// panel is a plotting area with its axes.
type panel struct {
	draw.Canvas // of the data
	x, y        scale
}

// margins are the room of the axes' writing.
func margins(x, y scale, yLabels []string) (left, bottom vg.Length) {
	sty := style(labelSize, false, black(), draw.XRight, draw.YCenter)
	var widest vg.Length
	for _, t := range y.ticks {
		widest = max(widest, sty.Width(y.write(t)))
	}
	for _, l := range yLabels {
		widest = max(widest, sty.Width(l))
	}
	left, bottom = widest+gap, labelSize+gap
	if y.label != "" {
		left += labelSize + gap
	}
	if x.label != "" {
		bottom += labelSize + gap
	}
	return left, bottom
}

// newPanel draws grid and axes within the canvas, beginning so far from its left edge.
func newPanel(c draw.Canvas, x, y scale, left vg.Length) *panel {
	_, bottom := margins(x, y, nil)
	p := &panel{Canvas: draw.Crop(c, left, -10, bottom, -4), x: x, y: y}
	p.drawX(c)
	p.drawY(c)
	axis := draw.LineStyle{Color: grey(), Width: 0.8}
	p.StrokeLine2(axis, p.Min.X, p.Min.Y, p.Max.X, p.Min.Y)
	p.StrokeLine2(axis, p.Min.X, p.Min.Y, p.Min.X, p.Max.Y)
	return p
}

func (p *panel) drawX(c draw.Canvas) {
	grid := draw.LineStyle{Color: faint(), Width: 0.5}
	sty := style(labelSize, false, black(), draw.XCenter, draw.YTop)
	end := vg.Length(math.Inf(-1))
	for _, t := range p.x.ticks {
		at := p.atX(t)
		p.StrokeLine2(grid, at, p.Min.Y, at, p.Max.Y)
		label := p.x.write(t)
		if w := sty.Width(label); at-w/2 > end {
			p.FillText(sty, vg.Point{X: at, Y: p.Min.Y - 4}, label)
			end = at + w/2 + 4
		}
	}
	if p.x.label != "" {
		p.FillText(style(labelSize, false, black(), draw.XCenter, draw.YBottom), vg.Point{X: (p.Min.X + p.Max.X) / 2, Y: c.Min.Y}, p.x.label)
	}
}

func (p *panel) drawY(c draw.Canvas) {
	grid := draw.LineStyle{Color: faint(), Width: 0.5}
	sty := style(labelSize, false, black(), draw.XRight, draw.YCenter)
	for _, t := range p.y.ticks {
		at := p.atY(t)
		p.StrokeLine2(grid, p.Min.X, at, p.Max.X, at)
		p.FillText(sty, vg.Point{X: p.Min.X - 4, Y: at + 1}, p.y.write(t))
	}
	if p.y.label != "" {
		sty := style(labelSize, false, black(), draw.XCenter, draw.YTop)
		sty.Rotation = math.Pi / 2
		p.FillText(sty, vg.Point{X: c.Min.X, Y: (p.Min.Y + p.Max.Y) / 2}, fit(p.y.label, sty, p.Max.Y-p.Min.Y+40))
	}
}

// atX and atY place a figure that is already in the axis's unit.
func (p *panel) atX(v float64) vg.Length {
	return p.Min.X + vg.Length((v-p.x.min)/(p.x.max-p.x.min))*(p.Max.X-p.Min.X)
}

func (p *panel) atY(v float64) vg.Length {
	return p.Min.Y + vg.Length((v-p.y.min)/(p.y.max-p.y.min))*(p.Max.Y-p.Min.Y)
}

// point places a sample, given in the metrics' units. What no axis can hold stays near the panel.
func (p *panel) point(x, y float64) vg.Point {
	return vg.Point{X: near(p.atX(x*p.x.factor), p.Min.X, p.Max.X), Y: near(p.atY(y*p.y.factor), p.Min.Y, p.Max.Y)}
}

func near(at, low, high vg.Length) vg.Length {
	if math.IsNaN(float64(at)) {
		return low
	}
	return min(max(at, low-plotWidth), high+plotWidth)
}
