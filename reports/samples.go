package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// samples writes samples.csv: a row for every raw value, and for a histogram one for every
// bucket with how often it occurred.
func samples(run *metrics.Run) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.Write([]string{"cell", "repeat", "metric", "group", "topology", "kind", "direction", "candidate", "unit", "value", "count"})
	for i := range run.Cells {
		for j := range run.Cells[i].Metrics {
			if err == nil {
				err = writeEntry(w, &run.Cells[i], &run.Cells[i].Metrics[j])
			}
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("write samples.csv: %w", err)
	}
	return b.Bytes(), nil
}

func writeEntry(w *csv.Writer, c *metrics.Cell, e *metrics.Entry) error {
	row := []string{
		harmless(c.ID), strconv.Itoa(c.Repeat), harmless(e.Name), harmless(e.Tags.Group), harmless(e.Tags.Topology),
		harmless(e.Tags.Kind), harmless(e.Tags.Direction), harmless(e.Tags.Candidate), harmless(e.Unit), "", "",
	}
	write := func(v float64, n uint64) error {
		row[9], row[10] = strconv.FormatFloat(v, 'g', -1, 64), strconv.FormatUint(n, 10)
		return w.Write(row)
	}
	for _, v := range e.Values {
		if err := write(v, 1); err != nil {
			return err
		}
	}
	if e.Hist == nil {
		return nil
	}
	var err error
	low, high := bounds(e)
	eachBucket(e, func(v float64, n uint64) {
		if err == nil {
			err = write(min(max(v, low), high), n)
		}
	})
	return err
}

// harmless keeps a spreadsheet from taking a name for a formula.
func harmless(s string) string {
	s = clean(s)
	if s != "" && strings.IndexByte("=+-@", s[0]) >= 0 {
		return "'" + s
	}
	return s
}
