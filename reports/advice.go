package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// advice says what the figures show about the cost of a call, and nothing they do not show.
func advice(run *metrics.Run, cells []CellRow) []string {
	g := gathered{
		cells: cells,
		up:    growths(run, cells, "bandwidth.peer.up", false, peerUp),
		down:  growths(run, cells, "bandwidth.peer.down", false, peerDown),
		in:    growths(run, cells, "bandwidth.server.in", true, serverIn),
		out:   growths(run, cells, "bandwidth.server.out", true, serverOut),
		turn:  growths(run, cells, "bandwidth.turn", true, noClosedForm),
	}
	var lines []string
	if !run.Audit.Valid && len(g.up) > 0 {
		lines = append(lines, "The audit does not vouch for this run: take what follows for a hint.")
	}
	lines = append(lines, g.compared()...)
	for i := range g.up {
		lines = append(lines, g.cost(&g.up[i]))
	}
	lines = append(lines, g.delays()...)
	return append(lines, g.deviations()...)
}

// gathered are the figures that advice is drawn from.
type gathered struct {
	cells                   []CellRow
	up, down, in, out, turn []growth
}

func noClosedForm(metrics.Expected) float64 { return 0 }

// compared sets the upload of mesh and conference against each other at the largest size of both.
func (g *gathered) compared() []string {
	mesh, conference, n, ok := g.pair()
	if !ok || n < 3 {
		return nil // with two people both send one copy
	}
	m, _ := mesh.at(n)
	c, _ := conference.at(n)
	if c.mean <= 0 || m.mean <= 0 {
		return nil
	}
	s := fmt.Sprintf("At %d participants a mesh takes %s times the upload of a conference from each person (%s against %s)",
		n, short(m.mean/c.mean, 1), inRate(m.mean), inRate(c.mean))
	if out := find(g.out, conference.topology, conference.label); out != nil {
		if p, ok := out.at(n); ok && p.mean > 0 {
			s += fmt.Sprintf("; in exchange the server of the conference sends %s, and a mesh needs no media server", inRate(p.mean))
		}
	}
	return []string{s + "."}
}

// pair is a mesh and a conference that differ in nothing else, and their largest common size.
func (g *gathered) pair() (mesh, conference *growth, n int, ok bool) {
	for i := range g.up {
		if g.up[i].topology != "mesh" {
			continue
		}
		other := find(g.up, "conference", g.up[i].label)
		if n, ok := largestShared(&g.up[i], other); ok {
			return &g.up[i], other, n, true
		}
	}
	return nil, nil, 0, false
}

// cost is what a call of one kind costs each person and the servers at its largest measured size.
func (g *gathered) cost(up *growth) string {
	last := up.last()
	s := fmt.Sprintf("A %s costs each person %s of upload", up.sized(last.n), inRate(last.mean))
	if slope, ok := up.slope(); ok {
		s += " (" + perFurther(slope, last.mean) + ")"
	}
	if down := find(g.down, up.topology, up.label); down != nil {
		if p, ok := down.at(last.n); ok {
			s += fmt.Sprintf(", %s of download", inRate(p.mean))
			if slope, ok := down.slope(); ok {
				s += " (" + perFurther(slope, p.mean) + ")"
			}
		}
	}
	var servers []string
	in, _ := find(g.in, up.topology, up.label).at(last.n)
	if out, ok := find(g.out, up.topology, up.label).at(last.n); ok && out.mean > 0 {
		servers = append(servers, fmt.Sprintf("the server receives %s and sends %s", inRate(in.mean), inRate(out.mean)))
	}
	if turn, ok := find(g.turn, up.topology, up.label).at(last.n); ok && turn.mean > relayShare*last.mean {
		servers = append(servers, fmt.Sprintf("TURN carries %s, counting in and out", inRate(turn.mean)))
	}
	if len(servers) > 0 {
		s += "; " + strings.Join(servers, "; ")
	}
	return s + "."
}

// perFurther says what each further participant adds to a rate, by least squares.
func perFurther(slope, of float64) string {
	switch {
	case math.Abs(slope) < 0.02*math.Abs(of):
		return "the same at every size measured"
	case slope < 0:
		return inRate(-slope) + " less for each further one"
	}
	return inRate(slope) + " more for each further one"
}

// delays compares the media delay of mesh and conference.
func (g *gathered) delays() []string {
	mesh, conference, n, ok := g.pair()
	if !ok {
		return nil
	}
	pick := func(of *growth) *CellRow {
		for i := range g.cells {
			c := &g.cells[i]
			if c.Topology == of.topology && c.Label == of.label && c.Participants == n && c.Delay50.Valid() {
				return c
			}
		}
		return nil
	}
	m, c := pick(mesh), pick(conference)
	if m == nil || c == nil {
		return nil
	}
	return []string{fmt.Sprintf("Media delay at %d participants: median %s and p95 %s in the mesh, %s and %s in the conference.",
		n, inUnit(m.Delay50, "ms"), inUnit(m.Delay95, "ms"), inUnit(c.Delay50, "ms"), inUnit(c.Delay95, "ms"))}
}

// deviations holds what was measured against the closed form, at its worst.
func (g *gathered) deviations() []string {
	var parts []string
	for _, part := range []struct {
		what string
		gs   []growth
	}{{"upload", g.up}, {"download", g.down}, {"server output", g.out}} {
		var worst float64
		var where string
		for i := range part.gs {
			if d, n, ok := part.gs[i].deviation(); ok && (where == "" || math.Abs(d) > math.Abs(worst)) {
				worst, where = d, part.gs[i].sized(n)
			}
		}
		if where != "" {
			parts = append(parts, fmt.Sprintf("%s %+.1f %% (%s)", part.what, 100*worst, where))
		}
	}
	if len(parts) == 0 {
		return nil
	}
	s := "Measured against the closed form, at the most: " + strings.Join(parts, ", ") + "."
	if slices.ContainsFunc(g.cells, func(c CellRow) bool { return c.Churn }) {
		s += " The closed form takes everyone to stay to the end, and here some came and went."
	} else {
		s += " The closed form is media alone: RTCP, STUN, repair and data come on top of it, and what is lost does not arrive."
	}
	return []string{s}
}

func find(gs []growth, topology, label string) *growth {
	for i := range gs {
		if gs[i].topology == topology && gs[i].label == label {
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
