package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/peerfleet/peerfleet/metrics"
)

// growth is how a metric of one kind of call changes with the number of participants.
type growth struct {
	topology string
	label    string // what else varies; empty when nothing does
	points   []growthPoint
}

// growthPoint is every cell of one size.
type growthPoint struct {
	n              int
	mean, low, top float64
	expected       float64 // of the closed form; NaN when there is none
	measured       bool
}

func (g *growth) name() string {
	if g.label == "" {
		return g.topology
	}
	return g.topology + ", " + g.label
}

// sized is the name of a call of that many.
func (g *growth) sized(n int) string {
	kind := g.topology
	if kind == "p2p" {
		kind = "p2p call"
	}
	s := fmt.Sprintf("%s of %d", kind, n)
	if g.label != "" {
		s += " (" + g.label + ")"
	}
	return s
}

// maxSeries bounds the lines of one plot: more cannot be told apart.
const maxSeries = 8

// growths gathers a metric by topology and whatever else varies. With more combinations than a
// plot can show, everything but the topology is taken together.
func growths(run *metrics.Run, cells []CellRow, metric string, summed bool, expected func(metrics.Expected) float64) []growth {
	gs := gatherGrowths(run, cells, metric, summed, expected, true)
	if len(gs) > maxSeries {
		gs = gatherGrowths(run, cells, metric, summed, expected, false)
	}
	return gs[:min(len(gs), maxSeries)]
}

func gatherGrowths(run *metrics.Run, cells []CellRow, metric string, summed bool, expected func(metrics.Expected) float64, labels bool) []growth {
	type key struct{ topology, label string }
	type sample struct{ values, expected []float64 }
	found := map[key]map[int]*sample{}
	for i := range run.Cells {
		c := &run.Cells[i]
		tops := topologies(c)
		for _, top := range tops {
			k := key{topology: top}
			if labels {
				k.label = cells[i].Label
			}
			n := participants(c)
			if n <= 0 {
				continue
			}
			if found[k] == nil {
				found[k] = map[int]*sample{}
			}
			s := found[k][n]
			if s == nil {
				s = &sample{}
				found[k][n] = s
			}
			s.values = append(s.values, growthValues(c, metric, top, len(tops) == 1, summed)...)
			if len(tops) == 1 && c.Expected.Participants > 0 {
				s.expected = append(s.expected, expected(c.Expected))
			}
		}
	}
	var gs []growth
	for k, byN := range found {
		g := growth{topology: k.topology, label: k.label}
		for n, s := range byN {
			g.points = append(g.points, growthPointOf(n, s.values, s.expected))
		}
		slices.SortFunc(g.points, func(a, b growthPoint) int { return a.n - b.n })
		if slices.ContainsFunc(g.points, func(p growthPoint) bool { return p.measured }) {
			gs = append(gs, g)
		}
	}
	slices.SortFunc(gs, func(a, b growth) int {
		return cmp.Or(cmp.Compare(topologyRank(a.topology), topologyRank(b.topology)),
			cmp.Compare(a.topology, b.topology), compareNatural(a.label, b.label))
	})
	return gs
}

// growthValues are a cell's own samples. Untagged ones belong to its only topology.
func growthValues(c *metrics.Cell, metric, topology string, only, summed bool) []float64 {
	d := collect(c.Metrics, metric, func(t metrics.Tags) bool {
		return clean(t.Topology) == topology || only && t.Topology == ""
	})
	if summed && d.count > 0 {
		return []float64{d.sum}
	}
	values := make([]float64, 0, len(d.samples))
	for _, s := range d.samples {
		values = append(values, s.value)
	}
	if len(values) == 0 && d.count > 0 {
		values = append(values, float64(d.mean()))
	}
	return values
}

func growthPointOf(n int, values, expected []float64) growthPoint {
	p := growthPoint{n: n, expected: math.NaN()}
	if len(values) > 0 {
		p.measured = true
		p.mean, p.low, p.top = average(values), slices.Min(values), slices.Max(values)
	}
	if len(expected) > 0 {
		p.expected = average(expected)
	}
	return p
}

func average(values []float64) float64 {
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// topologyRank keeps the order in which people think of them, and so their colours.
func topologyRank(t string) int {
	if i := slices.Index([]string{"mesh", "conference", "p2p"}, t); i >= 0 {
		return i
	}
	return 3
}

// slope is what each further participant adds, by least squares; it needs two sizes.
func (g *growth) slope() (perParticipant float64, ok bool) {
	var n, sx, sy, sxx, sxy float64
	for _, p := range g.points {
		if p.measured {
			x := float64(p.n)
			n, sx, sy, sxx, sxy = n+1, sx+x, sy+p.mean, sxx+x*x, sxy+x*p.mean
		}
	}
	if den := n*sxx - sx*sx; n >= 2 && den > 0 {
		return (n*sxy - sx*sy) / den, true
	}
	return 0, false
}

// deviation is the largest distance from the closed form as a ratio of it, and where.
func (g *growth) deviation() (ratio float64, at int, ok bool) {
	for _, p := range g.points {
		if !p.measured || math.IsNaN(p.expected) || p.expected <= 0 {
			continue
		}
		if d := p.mean/p.expected - 1; !ok || math.Abs(d) > math.Abs(ratio) {
			ratio, at, ok = d, p.n, true
		}
	}
	return ratio, at, ok
}

// last is the largest measured size.
func (g *growth) last() growthPoint {
	for _, p := range slices.Backward(g.points) {
		if p.measured {
			return p
		}
	}
	return growthPoint{}
}

// at is the point of a size; nothing has none.
func (g *growth) at(n int) (growthPoint, bool) {
	if g == nil {
		return growthPoint{}, false
	}
	for _, p := range g.points {
		if p.n == n && p.measured {
			return p, true
		}
	}
	return growthPoint{}, false
}

// span tells first and last figure: "586 kbit/s at 2 to 4.10 Mbit/s at 8 participants".
func (g *growth) span() string {
	var first, last *growthPoint
	for i := range g.points {
		if g.points[i].measured {
			if first == nil {
				first = &g.points[i]
			}
			last = &g.points[i]
		}
	}
	switch {
	case first == nil:
		return ""
	case first == last:
		return fmt.Sprintf("%s: %s at %d participants", g.name(), inRate(first.mean), first.n)
	}
	return fmt.Sprintf("%s: %s at %d to %s at %d participants", g.name(), inRate(first.mean), first.n, inRate(last.mean), last.n)
}
