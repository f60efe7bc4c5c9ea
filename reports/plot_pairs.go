package reports

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of a matrix, in points.
const (
	pairFieldH = 38
	pairNames  = 110 // at most, of the rows
	maxPairs   = 24  // rows and columns
)

func pairPlots(all []PairMatrix) []Plot {
	var plots []Plot
	for i := range all {
		m := &all[i]
		name := "pair-matrix"
		if i > 0 {
			name = fmt.Sprintf("pair-matrix-%d", i+1)
		}
		title := "How links reach each other" + after(": ", m.Name)
		columns, rows := min(len(m.Columns), maxPairs), min(len(m.Rows), maxPairs)
		plots = append(plots, Plot{
			Name: name, Title: title, Section: pairID(i), Alt: m.alt(),
			width: max(plotWidth, pairNames+24+vg.Length(columns)*64), height: vg.Length(86 + rows*pairFieldH),
			paint: func(c draw.Canvas) { m.paint(c, title) },
		})
	}
	return plots
}

// alt counts the fields by their words.
func (m *PairMatrix) alt() string {
	n := map[string]int{}
	for _, row := range m.Fields {
		for _, f := range row {
			n[f.Word]++
		}
	}
	var parts []string
	for _, word := range []string{"direct", "relay", "mixed", "none"} {
		if n[word] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[word], word))
		}
	}
	return fmt.Sprintf("%d by %d links: %s. The table holds every pair.", len(m.Rows), len(m.Columns), strings.Join(parts, ", "))
}

func (m *PairMatrix) paint(c draw.Canvas, title string) {
	subtitle := "Rows: " + m.First + ", columns: " + m.Second + ". Candidate and median of connect.total, or the failure."
	rows, columns := min(len(m.Rows), maxPairs), min(len(m.Columns), maxPairs)
	if left := len(m.Rows) - rows + len(m.Columns) - columns; left > 0 {
		subtitle += fmt.Sprintf(" %s in the table.", count(left, "more link"))
	}
	c = heading(c, title, subtitle)
	var keys []key
	for _, word := range m.words() {
		keys = append(keys, key{word, 14, func(c draw.Canvas, from, to vg.Point) {
			c.SetColor(pairColor(word))
			c.Fill(vg.Rectangle{Min: vg.Point{X: from.X, Y: from.Y - 4}, Max: vg.Point{X: to.X, Y: to.Y + 4}}.Path())
		}})
	}
	c = legend(c, keys)
	names := style(labelSize, false, black(), draw.XRight, draw.YCenter)
	var widest vg.Length
	for _, name := range m.Rows[:rows] {
		widest = max(widest, min(names.Width(name), pairNames))
	}
	left := c.Min.X + widest + gap
	width := (c.Max.X - left) / vg.Length(columns)
	top := c.Max.Y - labelSize - 6
	heads := style(labelSize, false, black(), draw.XCenter, draw.YBottom)
	for j, name := range m.Columns[:columns] {
		c.FillText(heads, vg.Point{X: left + (vg.Length(j)+0.5)*width, Y: top + 4}, fitMiddle(name, heads, width-4))
	}
	for i, name := range m.Rows[:rows] {
		y := top - (vg.Length(i)+0.5)*pairFieldH
		c.FillText(names, vg.Point{X: left - gap, Y: y}, fitMiddle(name, names, pairNames))
		for j := range columns {
			m.Fields[i][j].paint(c, vg.Rectangle{
				Min: vg.Point{X: left + vg.Length(j)*width, Y: y - pairFieldH/2}, Max: vg.Point{X: left + vg.Length(j+1)*width, Y: y + pairFieldH/2},
			})
		}
	}
}

// words are those that the matrix holds, best first.
func (m *PairMatrix) words() []string {
	var words []string
	for _, word := range []string{"direct", "relay", "mixed", "none"} {
		for _, row := range m.Fields {
			for _, f := range row {
				if f.Word == word {
					words = withName(words, word)
				}
			}
		}
	}
	return words
}

func (f *PairField) paint(c draw.Canvas, r vg.Rectangle) {
	c.SetColor(pairColor(f.Word))
	c.Fill(r.Path())
	c.SetLineStyle(draw.LineStyle{Color: color.White, Width: 1.5})
	c.Stroke(r.Path())
	if f.Word == "" {
		return
	}
	ink := black()
	if f.Word == "none" {
		ink = color.White
	}
	room := r.Max.X - r.Min.X - 6
	bold, plain := style(labelSize, true, ink, draw.XCenter, draw.YCenter), style(smallSize-1, false, ink, draw.XCenter, draw.YCenter)
	lines := []string{f.Word}
	var detail []string
	if f.Candidate != "" && f.Candidate != f.Word {
		if both := f.Word + " " + f.Candidate; bold.Width(both) <= room {
			lines[0] = both
		} else {
			detail = append(detail, f.Candidate)
		}
	}
	if f.Connect.Valid() {
		detail = append(detail, inTime(round(float64(f.Connect), 0)))
	}
	if len(detail) > 0 {
		lines = append(lines, strings.Join(detail, ", "))
	}
	if f.Failure != "" {
		lines = append(lines, f.Failure)
	}
	const step = 11
	x, y := (r.Min.X+r.Max.X)/2, (r.Min.Y+r.Max.Y)/2+vg.Length(len(lines)-1)*step/2
	for i, line := range lines {
		sty := plain
		if i == 0 {
			sty = bold
		}
		c.FillText(sty, vg.Point{X: x, Y: y - vg.Length(i)*step + 0.5}, fit(line, sty, room))
	}
}

// pairColor differs in hue and, for who sees none, in brightness; the words say the same.
func pairColor(word string) color.Color {
	switch word {
	case "direct":
		return color.RGBA{0xb5, 0xdd, 0xf5, 0xff}
	case "relay":
		return color.RGBA{0xf0, 0xb0, 0x3c, 0xff}
	case "mixed":
		return color.RGBA{0xe2, 0xc9, 0xd8, 0xff}
	case "none":
		return color.RGBA{0x4a, 0x4a, 0x4a, 0xff}
	}
	return color.RGBA{0xf5, 0xf6, 0xf8, 0xff}
}
