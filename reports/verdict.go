package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// verdictOf states the outcome and everything that speaks for it, the deciding reason first.
func verdictOf(run *metrics.Run, peers metrics.PeerCounts, thresholds []Threshold) Verdict {
	v := Verdict{Word: shorten(clean(cmp.Or(run.Verdict, "unknown")), 20), ExitCode: run.ExitCode}
	add := func(s string) {
		if s != "" {
			v.Reasons = append(v.Reasons, s)
		}
	}
	if run.ExitCode == 130 || run.Verdict == "interrupted" {
		add("interrupted; what was measured until then is here")
	}
	if run.Error != "" {
		add("fault: " + clean(run.Error))
	}
	add(invalidReason(run))
	add(peersReason(run, peers))
	add(thresholdsReason(thresholds))
	if run.ExitCode == 4 {
		add("a regression against the baseline")
	}
	if len(v.Reasons) == 0 {
		add(defaultReason(run))
	}
	return v
}

func invalidReason(run *metrics.Run) string {
	if run.Audit.Valid && run.ExitCode != 6 {
		return ""
	}
	if len(run.Audit.Findings) == 0 {
		if run.ExitCode == 6 || run.Verdict == "invalid" {
			return "the measurement cannot be trusted"
		}
		return ""
	}
	f := run.Audit.Findings[0]
	s := "the measurement cannot be trusted: " + clean(cmp.Or(f.Text, f.ID))
	if n := len(run.Audit.Findings) - 1; n > 0 {
		s += fmt.Sprintf(" (and %s)", count(n, "more finding"))
	}
	return s
}

func peersReason(run *metrics.Run, p metrics.PeerCounts) string {
	if p.Failed == 0 && run.ExitCode != 5 {
		return ""
	}
	if p.Failed == 0 {
		return fmt.Sprintf("only %d of %s connected", p.Connected, count(p.Planned, "peer"))
	}
	s := fmt.Sprintf("%d of %s failed", p.Failed, count(p.Planned, "peer"))
	if kinds := failureKinds(p.Failures, 3); kinds != "" {
		s += " (" + kinds + ")"
	}
	if !slices.ContainsFunc(run.Cells, func(c metrics.Cell) bool { return c.TooManyFailed() }) {
		s += ", which the scenario allows"
	}
	return s
}

func thresholdsReason(thresholds []Threshold) string {
	failed, missing := 0, 0
	var first *Threshold
	for i := range thresholds {
		switch thresholds[i].Verdict {
		case "pass":
			continue
		case "no data":
			missing++
		default:
			failed++
		}
		if first == nil {
			first = &thresholds[i]
		}
	}
	if first == nil {
		return ""
	}
	s := fmt.Sprintf("%d of %s crossed", failed, count(len(thresholds), "threshold"))
	if failed == 0 {
		s = fmt.Sprintf("%d of %s without data", missing, count(len(thresholds), "threshold"))
	} else if missing > 0 {
		s += fmt.Sprintf(", %d without data", missing)
	}
	return s + fmt.Sprintf(": %s %s was %s", clean(first.Metric), clean(first.Expr), first.Measured)
}

func defaultReason(run *metrics.Run) string {
	switch run.ExitCode {
	case 0:
		if len(run.Cells) == 0 {
			return "nothing was measured"
		}
		return "everything planned was done and every objective held"
	case 1:
		return "fault in peerfleet"
	case 99:
		return "a threshold was crossed"
	}
	return fmt.Sprintf("exit code %d", run.ExitCode)
}

// failureKinds lists the most common kinds of failure.
func failureKinds(failures map[string]int, limit int) string {
	kinds := sortedKeys(failures)
	slices.SortStableFunc(kinds, func(a, b string) int { return failures[b] - failures[a] })
	var parts []string
	for _, k := range kinds {
		if failures[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", clean(k), failures[k]))
		}
	}
	if len(parts) > limit {
		parts = append(parts[:limit], fmt.Sprintf("%d more kinds", len(parts)-limit))
	}
	return strings.Join(parts, ", ")
}

// peerTotals adds up the cells.
func peerTotals(run *metrics.Run) metrics.PeerCounts {
	t := metrics.PeerCounts{Failures: map[string]int{}}
	for i := range run.Cells {
		p := &run.Cells[i].Peers
		t.Planned += p.Planned
		t.Joined += p.Joined
		t.Connected += p.Connected
		t.Failed += p.Failed
		t.Unfinished += p.Unfinished
		for kind, n := range p.Failures {
			t.Failures[kind] += n
		}
	}
	return t
}

// thresholdRows orders the results: crossed first, then without data, then held.
func thresholdRows(run *metrics.Run, cells []CellRow) []Threshold {
	rows := make([]Threshold, len(run.Thresholds))
	for i, r := range run.Thresholds {
		rows[i] = thresholdRow(r, run, cells)
	}
	rank := func(t Threshold) int { return slices.Index([]string{"fail", "no data", "pass"}, t.Verdict) }
	slices.SortStableFunc(rows, func(a, b Threshold) int { return rank(a) - rank(b) })
	return rows
}

func thresholdRow(r metrics.ThresholdResult, run *metrics.Run, cells []CellRow) Threshold {
	t := Threshold{ThresholdResult: r, Margin: metrics.Missing(), MarginAs: absent, CellName: clean(r.Cell)}
	for i := range run.Cells {
		if run.Cells[i].ID == r.Cell && run.Cells[i].Repeat == r.Repeat {
			t.CellName = cells[i].Name
		}
	}
	t.Measured, t.LimitAs = inUnit(r.Value, r.Unit), inUnit(r.Limit, r.Unit)
	if !r.Value.Valid() {
		t.Measured = "not measured"
	}
	if !r.Value.Valid() || !r.Limit.Valid() {
		return t
	}
	switch operator(r.Expr) {
	case "<", "<=":
		t.Margin = r.Limit - r.Value
	case ">", ">=":
		t.Margin = r.Value - r.Limit
	default:
		return t
	}
	t.MarginAs = inUnit(t.Margin, r.Unit)
	if r.Limit != 0 && r.Unit != "ratio" {
		t.MarginAs += fmt.Sprintf(" (%+.0f %%)", 100*float64(t.Margin)/absolute(float64(r.Limit)))
	}
	return t
}

func absolute(f float64) float64 { return max(f, -f) }

// operator finds the comparison in an expression such as "p(95) < 3s".
func operator(expr string) string {
	i := strings.IndexAny(expr, "<>=!")
	if i < 0 {
		return ""
	}
	j := i
	for j < len(expr) && strings.IndexByte("<>=!", expr[j]) >= 0 {
		j++
	}
	return expr[i:j]
}
