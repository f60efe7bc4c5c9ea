package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// PairMatrix tells for each pair of links how two peers reached each other.
type PairMatrix struct {
	Name          string // what else was varied; empty if nothing was
	First, Second string // the two varied paths, in short
	Rows, Columns []string
	Fields        [][]PairField // by row and column
}

// PairField is one pair of links over all of its cells and repeats.
type PairField struct {
	Word      string // direct, relay, mixed, none; empty where there is no such cell or it was cut short
	Candidate string // host, srflx, prflx or relay; several are joined by "+"
	Connect   metrics.Value
	Failure   string // kinds of failures, with how often they happened if that was not always
}

// pairMatrices are nil unless exactly two varied paths are links.
func pairMatrices(run *metrics.Run) []PairMatrix {
	lasts := pathsByLast(run)
	links := slices.Sorted(slices.Values(lasts["link"]))
	if len(links) != 2 {
		return nil
	}
	for i := range run.Cells {
		if run.Cells[i].Vary[links[0]] == nil || run.Cells[i].Vary[links[1]] == nil {
			return nil
		}
	}
	var all []PairMatrix
	found := map[string][]pairCell{}
	for i := range run.Cells {
		c := &run.Cells[i]
		rest := pairRest(c, links)
		at := slices.IndexFunc(all, func(m PairMatrix) bool { return m.Name == rest })
		if at < 0 {
			at = len(all)
			all = append(all, PairMatrix{Name: rest, First: shortPath(links[0], lasts), Second: shortPath(links[1], lasts)})
		}
		p := pairCell{cell: c, row: varied(c.Vary[links[0]]), column: varied(c.Vary[links[1]])}
		m := &all[at]
		m.Rows, m.Columns = withName(m.Rows, p.row), withName(m.Columns, p.column)
		found[rest] = append(found[rest], p)
	}
	for i := range all {
		all[i].fill(found[all[i].Name])
	}
	return all
}

type pairCell struct {
	cell        *metrics.Cell
	row, column string
}

func withName(names []string, name string) []string {
	if slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// pairRest is what else is varied.
func pairRest(c *metrics.Cell, links []string) string {
	var parts []string
	for _, path := range sortedKeys(c.Vary) {
		if !slices.Contains(links, path) {
			parts = append(parts, restName(path)+"="+varied(c.Vary[path]))
		}
	}
	return strings.Join(parts, ", ")
}

// restName keeps more of a path than its last word, as "enabled" alone tells nothing in a heading.
func restName(path string) string {
	_, name, ok := strings.Cut(path, ".")
	if !ok {
		name = path
	}
	return clean(name)
}

func (m *PairMatrix) fill(cells []pairCell) {
	for _, row := range m.Rows {
		fields := make([]PairField, len(m.Columns))
		for i, column := range m.Columns {
			var own []*metrics.Cell
			for _, p := range cells {
				if p.row == row && p.column == column {
					own = append(own, p.cell)
				}
			}
			fields[i] = pairField(own)
		}
		m.Fields = append(m.Fields, fields)
	}
}

// pairField sums up the repeats of a pair.
func pairField(cells []*metrics.Cell) PairField {
	f := PairField{Connect: metrics.Missing()}
	if len(cells) == 0 {
		return f
	}
	var entries []metrics.Entry
	var peers metrics.PeerCounts
	for _, c := range cells {
		entries = append(entries, c.Metrics...)
		peers.Add(c.Peers)
	}
	var kinds []string
	relay, direct := false, false
	for _, kind := range []string{"host", "srflx", "prflx", "relay", ""} {
		d := collect(entries, "ice.selected", func(t metrics.Tags) bool { return t.Candidate == kind })
		if d.sum <= 0 {
			continue
		}
		relay, direct = relay || kind == "relay", direct || kind != "relay"
		if kind != "" {
			kinds = append(kinds, kind)
		}
	}
	f.Candidate = strings.Join(kinds, "+")
	connect := collect(entries, "connect.total", nil)
	f.Connect = connect.quantile(0.5)
	switch {
	case relay && direct:
		f.Word = "mixed"
	case relay:
		f.Word = "relay"
	case direct:
		f.Word = "direct"
	case peers.Unfinished > 0 && peers.Failed == 0:
		return f // nobody knows what would have come of it
	default:
		f.Word = "none"
	}
	if peers.Failed > 0 {
		f.Failure = pairFailure(&peers, f.Word == "none")
	}
	return f
}

// pairFailure names the kinds of failures, and how many peers failed where others did not.
func pairFailure(p *metrics.PeerCounts, all bool) string {
	var kinds []string
	for _, kind := range sortedKeys(p.Failures) {
		if p.Failures[kind] > 0 {
			kinds = append(kinds, clean(kind))
		}
	}
	text := cmp.Or(strings.Join(kinds, "+"), "failed")
	if !all || p.Failed < p.Planned {
		text += fmt.Sprintf(" %d/%d", p.Failed, p.Planned)
	}
	return text
}

// state colours a field; the word says the same.
func (f *PairField) state() State {
	switch {
	case f.Word == "":
		return Plain
	case f.Word == "none" || f.Failure != "":
		return Bad
	case f.Word == "direct":
		return Good
	}
	return Note
}

// text is all that is known of a field, in one line.
func (f *PairField) text() string {
	if f.Word == "" {
		return absent
	}
	parts := []string{f.Word}
	if f.Candidate != "" && f.Candidate != f.Word {
		parts = append(parts, f.Candidate)
	}
	if f.Connect.Valid() {
		parts = append(parts, inTime(round(float64(f.Connect), 0)))
	}
	return strings.Join(append(parts, strings.Fields(f.Failure)...), " ")
}

// axes says what the rows are and what the columns.
func (m *PairMatrix) axes() string { return m.First + " ↓ " + m.Second + " →" }

// pairSections hold one matrix each.
func pairSections(all []PairMatrix) []Section {
	var list []Section
	for i := range all {
		m := &all[i]
		s := Section{ID: pairID(i), Title: "How links reach each other" + after(": ", m.Name), Table: m.table()}
		if i == 0 {
			s.Text = []string{"Whether peers behind each two links reached each other directly, through a relay or not at all; by which kind of candidate, relay if either end is relayed, else the more reflexive of both; and the median of connect.total. " +
				"A failure is named with how many of the planned peers it hit, if not all."}
		}
		list = append(list, s)
	}
	return list
}

func pairID(i int) string {
	if i == 0 {
		return "pairs"
	}
	return fmt.Sprintf("pairs-%d", i+1)
}

func (m *PairMatrix) table() *Table {
	t := &Table{Columns: []Column{{m.axes(), false}}}
	for _, c := range m.Columns {
		t.Columns = append(t.Columns, Column{c, false})
	}
	for i, name := range m.Rows {
		row := []Field{{Text: name}}
		for j := range m.Columns {
			f := &m.Fields[i][j]
			row = append(row, Field{Text: f.text(), State: f.state()})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
