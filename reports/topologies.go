package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// advice says what the figures show about mesh and conference, and nothing they do not show.
func advice(run *metrics.Run, cells []CellRow) []string {
	up := growths(run, cells, "bandwidth.peer.up", false, peerUp)
	down := growths(run, cells, "bandwidth.peer.down", false, peerDown)
	out := growths(run, cells, "bandwidth.server.out", true, serverOut)
	if slices.ContainsFunc(up, func(g growth) bool { return g.label != "" }) {
		return append(slopes("upload", up), deviations(up, down, out)...)
	}
	var lines []string
	mesh, conference := find(up, "mesh"), find(up, "conference")
	if n, ok := largestShared(mesh, conference); ok {
		m, _ := mesh.at(n)
		c, _ := conference.at(n)
		if c.mean > 0 {
			lines = append(lines, fmt.Sprintf("At %d participants a peer of a mesh uploads %s, a peer of a conference %s: %s times as much.",
				n, inRate(m.mean), inRate(c.mean), short(m.mean/c.mean, 1)))
		}
		lines = append(lines, serverShare(out, n)...)
		lines = append(lines, delays(cells, n)...)
	}
	lines = append(lines, slopes("upload", up)...)
	return append(lines, deviations(up, down, out)...)
}

func peerUp(e metrics.Expected) float64    { return e.PeerUpBPS }
func peerDown(e metrics.Expected) float64  { return e.PeerDownBPS }
func serverIn(e metrics.Expected) float64  { return e.ServerInBPS }
func serverOut(e metrics.Expected) float64 { return e.ServerOutBPS }

func find(gs []growth, topology string) *growth {
	for i := range gs {
		if gs[i].topology == topology {
			return &gs[i]
		}
	}
	return nil
}

// largestShared is the largest number of participants that both were measured with.
func largestShared(a, b *growth) (int, bool) {
	if a == nil || b == nil {
		return 0, false
	}
	for _, p := range slices.Backward(a.points) {
		if _, ok := b.at(p.n); ok && p.measured {
			return p.n, true
		}
	}
	return 0, false
}

func serverShare(out []growth, n int) []string {
	conference := find(out, "conference")
	if conference == nil {
		return nil
	}
	p, ok := conference.at(n)
	if !ok || p.mean <= 0 {
		return nil
	}
	return []string{fmt.Sprintf("In exchange the server of that conference sends %s; a mesh needs no media server.", inRate(p.mean))}
}

func delays(cells []CellRow, n int) []string {
	pick := func(topology string) metrics.Value {
		for i := range cells {
			if cells[i].Topology == topology && cells[i].Participants == n && cells[i].Delay50.Valid() {
				return cells[i].Delay50
			}
		}
		return metrics.Missing()
	}
	m, c := pick("mesh"), pick("conference")
	if !m.Valid() || !c.Valid() {
		return nil
	}
	return []string{fmt.Sprintf("Median media delay at %d participants: %s in the mesh, %s in the conference.",
		n, inTime(float64(m)), inTime(float64(c)))}
}

func slopes(what string, gs []growth) []string {
	var lines []string
	for _, g := range gs {
		s, ok := g.slope()
		if !ok {
			continue
		}
		effect := fmt.Sprintf("adds %s to a peer's %s", inRate(s), what)
		last := g.points[len(g.points)-1].mean
		switch {
		case math.Abs(s) < 0.02*math.Abs(last):
			effect = fmt.Sprintf("leaves a peer's %s as it is (%s)", what, signed(s))
		case s < 0:
			effect = fmt.Sprintf("takes %s from a peer's %s", inRate(-s), what)
		}
		lines = append(lines, fmt.Sprintf("Each further participant %s (%s; least squares over %s).", effect, g.name(), count(len(g.points), "size")))
	}
	return lines
}

func signed(bps float64) string {
	if bps < 0 {
		return "−" + inRate(-bps)
	}
	return "+" + inRate(bps)
}

func deviations(up, down, out []growth) []string {
	var lines []string
	for _, part := range []struct {
		what string
		gs   []growth
	}{{"upload", up}, {"download", down}, {"server output", out}} {
		var within []string
		for _, g := range part.gs {
			if d, n, ok := g.deviation(); ok {
				within = append(within, fmt.Sprintf("%s %% (%s, most at %d)", short(math.Abs(d)*100, 1), g.name(), n))
			}
		}
		if len(within) > 0 {
			lines = append(lines, fmt.Sprintf("Measured %s differs from the closed form by at most %s.", part.what, strings.Join(within, " and ")))
		}
	}
	return lines
}

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
