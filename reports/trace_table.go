package reports

import (
	"cmp"
	"strconv"

	"github.com/peerfleet/peerfleet/metrics"
)

// maxStepRows bounds the table of all traces.
const maxStepRows = 240

// traceTable is what the ladders show, as text.
func traceTable(run *metrics.Run, cells []CellRow) *Table {
	t := &Table{Columns: []Column{
		{"cell", false},
		{"from start (ms)", true},
		{"direction", false},
		{"layer", false},
		{"what", false},
		{"far end", false},
		{"bytes", true},
	}}
	for i := range run.Cells {
		trace := run.Cells[i].Trace
		if trace == nil {
			continue
		}
		for j := range trace.Steps {
			s := &trace.Steps[j]
			what := Field{Text: traceLabel(s)}
			if undelivered(s) {
				what.State = Bad
			}
			size := absent
			if s.Bytes > 0 {
				size = strconv.Itoa(s.Bytes)
			}
			t.Rows = append(t.Rows, []Field{
				{Text: cells[i].Name},
				{Text: fixed(metrics.Value(s.TMS), 1, 1)},
				{Text: cmp.Or(shorten(clean(s.Direction), 40), absent)},
				{Text: cmp.Or(shorten(clean(s.Layer), 40), absent)},
				what,
				{Text: cmp.Or(shortenMiddle(clean(s.Remote), 80), absent)},
				{Text: size},
			})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return dropEmpty(capped(t, maxStepRows))
}
