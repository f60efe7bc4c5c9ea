package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// topologiesTitle names the part on bandwidth after what there is to compare.
func topologiesTitle(cells []CellRow) string {
	found := map[string]bool{}
	for i := range cells {
		for _, top := range strings.Split(cells[i].Topology, "+") {
			found[top] = true
		}
	}
	if found["mesh"] && found["conference"] {
		return "Mesh and conference"
	}
	return "Bandwidth"
}

func peerUp(e metrics.Expected) float64    { return e.PeerUpBPS }
func peerDown(e metrics.Expected) float64  { return e.PeerDownBPS }
func serverIn(e metrics.Expected) float64  { return e.ServerInBPS }
func serverOut(e metrics.Expected) float64 { return e.ServerOutBPS }

func round(f float64, decimals int) float64 {
	p := math.Pow10(decimals)
	return math.Round(f*p) / p
}

// comparisonTable puts topologies of equal size beside each other, with the closed form.
func comparisonTable(cells []CellRow) *Table {
	t := &Table{Columns: []Column{
		{"participants", true},
		{"topology", false},
		{"up per peer", true},
		{"closed form", true},
		{"difference", true},
		{"down per peer", true},
		{"closed form", true},
		{"difference", true},
		{"server out", true},
		{"closed form", true},
		{"difference", true},
	}}
	order := make([]int, 0, len(cells))
	for i := range cells {
		if cells[i].Up.Valid() || cells[i].Down.Valid() {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		ca, cb := &cells[a], &cells[b]
		if c := compareNatural(ca.Label, cb.Label); c != 0 {
			return c
		}
		if ca.Participants != cb.Participants {
			return ca.Participants - cb.Participants
		}
		return topologyRank(ca.Topology) - topologyRank(cb.Topology)
	})
	for _, i := range order {
		c := &cells[i]
		top := c.Topology
		if c.Label != "" {
			top += ", " + c.Label
		}
		row := []Field{{Text: strconv.Itoa(c.Participants)}, {Text: top}}
		row = append(row, beside(c.Up, c.Expected.PeerUpBPS)...)
		row = append(row, beside(c.Down, c.Expected.PeerDownBPS)...)
		row = append(row, beside(c.ServerOut, c.Expected.ServerOutBPS)...)
		t.Rows = append(t.Rows, row)
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return capped(t, 200)
}

// beside is a measured figure, the expected one and their difference.
func beside(v metrics.Value, expected float64) []Field {
	e, d := absent, Field{Text: absent}
	if expected > 0 {
		e = inRate(expected)
		if v.Valid() {
			r := float64(v)/expected - 1
			d = Field{Text: fmt.Sprintf("%+.1f %%", 100*r)}
			if math.Abs(r) > 0.1 {
				d.State = Note
			}
		}
	}
	return []Field{{Text: inUnit(v, "bit/s")}, {Text: e}, d}
}

// capped keeps the first rows of a table.
func capped(t *Table, rows int) *Table {
	if len(t.Rows) > rows {
		t.More = len(t.Rows) - rows
		t.Rows = t.Rows[:rows]
	}
	return t
}
