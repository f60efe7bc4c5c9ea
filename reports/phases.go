package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/peerfleet/peerfleet/metrics"
)

// phase is a part of connecting.
type phase struct{ metric, name string }

func phases() []phase {
	return []phase{
		{"connect.signaling", "signaling"},
		{"connect.offer_answer", "offer/answer"},
		{"connect.gathering", "gathering"},
		{"connect.ice", "ICE"},
		{"connect.dtls", "DTLS"},
		{"", "wait for first frame"},
		{"", "wait for last track"},
	}
}

// The phases that are what is left up to a moment.
const (
	phaseFirstFrame = 5
	phaseLastTrack  = 6
)

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
		b.label = fmt.Sprintf("%s of %d", topology, n)
		if row.Label != "" {
			b.label += ", " + row.Label
		}
		b.label = shorten(b.label, 34)
		bars, i = append(bars, b), len(bars)
	}
	only := len(topologies(c)) == 1
	for _, metric := range []string{"connect.signaling", "connect.offer_answer", "connect.gathering", "connect.ice", "connect.dtls", "connect.first_packet", "connect.first_frame", "connect.total"} {
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
	median := func(metric string) metrics.Value { return b.quantile(metric, 0.5) }
	b.total = median("connect.total")
	var sum float64
	for i, ph := range phases() {
		v := median(ph.metric)
		switch i {
		case phaseFirstFrame:
			v = metrics.Value(max(float64(median("connect.first_frame"))-sum, 0))
		case phaseLastTrack:
			v = metrics.Value(max(float64(b.total)-sum, 0))
		}
		f := float64(v)
		if !v.Valid() {
			f = 0
		}
		b.medians = append(b.medians, f)
		sum += f
	}
	return sum > 0
}

// joins is how many joins stand behind the medians.
func (b *phaseBar) joins() uint64 {
	if d := b.found["connect.total"]; d != nil {
		return d.count
	}
	return 0
}

func phaseNotes(run *metrics.Run) []string {
	for i := range run.Cells {
		if d := collect(run.Cells[i].Metrics, "connect.total", nil); d.count > 0 {
			return []string{"Medians over the joins. ICE begins with the first remote candidate and so overlaps offer, answer and gathering. First frame and total count from the intended start; total is the first frame of every track that was due."}
		}
	}
	return nil
}

// phaseTable has the figures of the phases, which a picture cannot show when they are short.
func phaseTable(run *metrics.Run, cells []CellRow) *Table {
	bars := phaseBars(run, cells)
	if len(bars) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{{"call", false}, {"joins", true}}}
	for _, c := range phaseColumns() {
		t.Columns = append(t.Columns, Column{c.name, true})
	}
	t.Columns = append(t.Columns, Column{"total p50", true}, Column{"total p95", true})
	for _, b := range bars {
		row := []Field{{Text: b.label}, {Text: strconv.FormatUint(b.joins(), 10)}}
		for _, c := range phaseColumns() {
			row = append(row, Field{Text: inUnit(b.quantile(c.metric, 0.5), "ms")})
		}
		t.Rows = append(t.Rows, append(row, Field{Text: inUnit(b.total, "ms")}, Field{Text: inUnit(b.quantile("connect.total", 0.95), "ms")}))
	}
	return dropEmpty(capped(t, maxThresholdRows))
}

func phaseColumns() []phase {
	return append(phases()[:phaseFirstFrame:phaseFirstFrame], phase{"connect.first_packet", "first packet"}, phase{"connect.first_frame", "first frame"})
}

func (b *phaseBar) quantile(metric string, q float64) metrics.Value {
	if d := b.found[metric]; d != nil {
		return d.quantile(q)
	}
	return metrics.Missing()
}
