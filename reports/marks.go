package reports

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// mark is a happening with its place above the panels.
type mark struct {
	text string
	at   float64 // s
	row  int     // from the panels up; -1: no room, only its upright is drawn
	flip bool    // written to the left of its upright
}

// placeMarks writes labels beside their uprights in as few rows as it takes without overlap.
func placeMarks(hs []happening, end float64, width vg.Length) []mark {
	sty := style(smallSize, false, black(), draw.XLeft, draw.YBottom)
	type span struct{ from, to vg.Length }
	rows := make([][]span, maxMarkRows)
	var marks []mark
	for _, h := range hs {
		if h.at < 0 || h.at > end {
			continue
		}
		m := mark{text: markText(h), at: h.at, row: -1}
		x := vg.Length(h.at/end) * width
		w := sty.Width(m.text) + 8
		s := span{x, x + w}
		if s.to > width {
			m.flip, s = true, span{x - w, x}
		}
		for r := range rows {
			free := true
			for _, o := range rows[r] {
				free = free && (s.to <= o.from || s.from >= o.to)
			}
			if free && s.from >= -40 {
				rows[r] = append(rows[r], s)
				m.row = r
				break
			}
		}
		marks = append(marks, m)
	}
	return marks
}

func markText(h happening) string {
	text := h.what
	if h.detail != "" && len(h.detail) <= 16 {
		text += " " + h.detail
	}
	switch len(h.peers) {
	case 0:
	case 1:
		text += " (" + h.peers[0] + ")"
	default:
		text += fmt.Sprintf(" ×%d", len(h.peers))
	}
	return shorten(text, 36)
}

func markRows(marks []mark) int {
	rows := 0
	for _, m := range marks {
		rows = max(rows, m.row+1)
	}
	return rows
}

// paintMarks writes the labels above the first panel, over the uprights that lead down to it.
func paintMarks(c draw.Canvas, first *panel, marks []mark) {
	line := draw.LineStyle{Color: grey(), Width: 0.7, Dashes: []vg.Length{3, 2}}
	base := c.Max.Y - vg.Length(markRows(marks))*(smallSize+4)
	level := func(m mark) vg.Length { return base + vg.Length(m.row)*(smallSize+4) }
	for _, m := range marks {
		if m.row >= 0 {
			x := first.atX(m.at)
			c.StrokeLine2(line, x, first.Max.Y, x, level(m)+smallSize)
		}
	}
	for _, m := range marks {
		if m.row < 0 {
			continue
		}
		sty := style(smallSize, false, black(), draw.XLeft, draw.YBottom)
		at := vg.Point{X: first.atX(m.at) + 3, Y: level(m)}
		from := at.X
		if m.flip {
			sty.XAlign, at.X = draw.XRight, at.X-6
			from = at.X - sty.Width(m.text)
		}
		c.SetColor(color.White)
		c.Fill(vg.Rectangle{Min: vg.Point{X: from - 1, Y: at.Y}, Max: vg.Point{X: from + sty.Width(m.text) + 1, Y: at.Y + smallSize + 3}}.Path())
		c.FillText(sty, at, m.text)
	}
}
