package reports

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// summaryPairs are the matrices in at most so many lines, in place of a line for each cell.
func summaryPairs(d *Document, room int) []string {
	detail := full
	for i := range d.Pairs {
		detail = min(detail, d.Pairs[i].detail())
	}
	lines := []string{shorten("pairs  "+d.Pairs[0].axes()+"  "+detail.words(), summaryWidth)}
	for i := range d.Pairs {
		m := &d.Pairs[i]
		block := columns(m.rows(detail))
		left := room - len(lines)
		if i < len(d.Pairs)-1 {
			left-- // to say what is left out
		}
		if len(block) <= left {
			lines = append(lines, block...)
			continue
		}
		if i == 0 && left > 2 {
			lines = append(lines, block[:left-1]...)
			return append(lines, fmt.Sprintf("… %s in the report", count(len(block)-left+1, "more line")))
		}
		return append(lines, fmt.Sprintf("… %s in the report", moreMatrices(len(d.Pairs)-i)))
	}
	return lines
}

// pairDetail is how much of a field fits, from little to all.
type pairDetail int

const (
	letters pairDetail = iota
	words              // the links' names are shortened
	times              // the links' names are shortened
	named
	full
)

// words heads the matrices.
func (d pairDetail) words() string {
	switch d {
	case full:
		return "direct, relay or none; candidate; median connect.total in ms"
	case named, times:
		return "direct, relay or none; median connect.total in ms; !: some failed"
	case words:
		return "direct, relay or none; !: some failed; the report has more"
	}
	return "D direct, R relay, M mixed, N none; !: some failed; the report has more"
}

// detail is the most that fits the width.
func (m *PairMatrix) detail() pairDetail {
	for d := full; d > letters; d-- {
		if fitsSummary(m.rows(d)) {
			return d
		}
	}
	return letters
}

// rows are the matrix as text; what does not fit even in letters loses its last columns.
func (m *PairMatrix) rows(d pairDetail) [][]string {
	rows := [][]string{append([]string{m.Name}, m.Columns...)}
	for i, name := range m.Rows {
		row := []string{name}
		for j := range m.Columns {
			row = append(row, m.Fields[i][j].brief(d))
		}
		rows = append(rows, row)
	}
	if d >= named {
		return rows
	}
	for j := range rows[0] {
		if j == 0 {
			continue
		}
		widest := 8
		for _, r := range rows[1:] {
			widest = max(widest, utf8.RuneCountInString(r[j]))
		}
		rows[0][j] = shortenMiddle(rows[0][j], widest)
	}
	if d > letters {
		return rows
	}
	for _, r := range rows {
		r[0] = shortenMiddle(r[0], 20)
	}
	for !fitsSummary(rows) && len(rows[0]) > 2 {
		for i := range rows {
			rows[i] = rows[i][:len(rows[i])-1]
			rows[i][len(rows[i])-1] = "…"
		}
	}
	return rows
}

// brief writes a field in so much detail.
func (f *PairField) brief(d pairDetail) string {
	if f.Word == "" {
		return absent
	}
	parts := []string{f.Word}
	if d == letters {
		parts[0] = strings.ToUpper(f.Word[:1])
	}
	told := f.Failure != "" && (d == full || d == named && f.Word == "none")
	if f.Failure != "" && !told && f.Word != "none" {
		parts[0] += "!"
	}
	if d == full && f.Candidate != "" && f.Candidate != f.Word {
		parts = append(parts, f.Candidate)
	}
	if d >= times && f.Connect.Valid() {
		parts = append(parts, fixed(f.Connect, 1, 0))
	}
	if told {
		parts = append(parts, f.Failure)
	}
	return strings.Join(parts, " ")
}

func fitsSummary(rows [][]string) bool {
	total := 0
	for j := range rows[0] {
		widest := 0
		for _, r := range rows {
			widest = max(widest, utf8.RuneCountInString(r[j]))
		}
		total += widest + 2
	}
	return total-2 <= summaryWidth
}

func moreMatrices(n int) string {
	if n == 1 {
		return "1 more matrix"
	}
	return fmt.Sprintf("%d more matrices", n)
}
