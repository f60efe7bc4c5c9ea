package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// Bounds of the long tables; all rows are in run.json.
const (
	maxPeerRows      = 250
	maxFailureRows   = 100
	maxEventRows     = 200
	maxLinkRows      = 200
	maxThresholdRows = 500
)

// sections are the long reports' parts, in reading order. Parts without content are left out.
func sections(run *metrics.Run, d *Document) []Section {
	var all []Section
	all = append(all, Section{ID: "thresholds", Title: "Thresholds", Table: objectiveTable(d.Thresholds)})
	all = append(all, pairSections(d.Pairs)...)
	all = append(all, []Section{
		{ID: "cells", Title: "Key figures", Table: cellTable(d.Cells), Text: cellNotes(d.Cells)},
		{ID: "topologies", Title: topologiesTitle(d.Cells), Text: d.Advice, Table: comparisonTable(d.Cells)},
		{ID: "connecting", Title: "Connecting", Text: phaseNotes(run), Table: phaseTable(run, d.Cells)},
		{ID: "traces", Title: "Packet by packet", Text: traceNotes(run), Table: traceTable(run, d.Cells)},
		{ID: "timelines", Title: "Over time"},
		{ID: "failures", Title: "Failures", Table: failureTable(run)},
		{ID: "peers", Title: "Peers, worst first", Table: peerTable(run, d.Cells)},
		{ID: "audit", Title: "Can the figures be trusted?", Text: []string{sentence(d.Audit)}, Table: auditTable(run, d.Cells)},
		{ID: "findings", Title: "Findings of the audit", Table: findingTable(run)},
		{ID: "cost", Title: "What a peer costs this machine", Text: costNotes(d), Table: costTable(run, d.Cells)},
		{
			ID: "links", Title: "Links: configured and delivered", Table: linkTable(run, d.Cells),
			Text: []string{"Counts are packets over the whole life of a host. Delay includes queueing."},
		},
		{ID: "events", Title: "Events", Table: eventTable(run, d.Cells)},
		{
			ID: "ice-waits", Title: "ICE acceptance waits", Table: waitTable(run, d.Cells),
			Text: []string{"For so long a peer holds back a candidate pair of each type in case a better one works. The wait is part of every connect time over such a pair."},
		},
		{ID: "all-thresholds", Title: "Thresholds, cell by cell", Table: thresholdTable(d.Thresholds)},
		repeatSection(run),
	}...)
	for i := range all {
		if all[i].Table == nil && (all[i].ID == "links" || all[i].ID == "ice-waits") {
			all[i].Text = nil
		}
		if all[i].Table != nil && len(run.Cells) == 1 {
			all[i].Table = withoutCell(all[i].Table)
		}
	}
	return all
}

// withoutCell leaves out what would say the same in every row of a run of one cell.
func withoutCell(t *Table) *Table {
	for col := len(t.Columns) - 1; col >= 0; col-- {
		if t.Columns[col].Title == "cell" && len(t.Columns) > 1 {
			t.drop(col)
		}
	}
	return t
}

func (t *Table) drop(col int) {
	t.Columns = slices.Delete(t.Columns, col, col+1)
	for i := range t.Rows {
		t.Rows[i] = slices.Delete(t.Rows[i], col, col+1)
	}
}

// empty tells whether a section has nothing to show beside its plots.
func (s Section) empty() bool {
	return len(s.Text) == 0 && s.Table == nil && s.Pre == ""
}

// plotsOf are the plots that stand in a section.
func plotsOf(s Section, plots []Plot) []Plot {
	var own []Plot
	for _, p := range plots {
		if p.Section == s.ID {
			own = append(own, p)
		}
	}
	return own
}

func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func stateOf(verdict string) State {
	switch verdict {
	case "pass", "connected":
		return Good
	case "fail", "failed", "no data", "error", "invalid":
		return Bad
	}
	return Note
}

// objectiveTable has a row for every objective, with the worst of all cells.
func objectiveTable(ts []Threshold) *Table {
	if len(ts) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{
		{"objective", false},
		{"verdict", false},
		{"worst measured", true},
		{"limit", true},
		{"margin", true},
		{"samples", true},
		{"held in cells", true},
		{"cell", false},
	}}
	for _, o := range objectives(ts) {
		w := o.worst
		v := Field{Text: clean(w.Verdict), State: stateOf(w.Verdict)}
		if w.Aborted {
			v.Text += ", ended the run"
		}
		t.Rows = append(t.Rows, []Field{
			{Text: o.name()},
			v,
			{Text: w.Measured, State: badOnly(v.State)},
			{Text: w.LimitAs},
			{Text: w.MarginAs},
			{Text: strconv.Itoa(w.Samples)},
			{Text: fmt.Sprintf("%d of %d", o.cells-o.failed, o.cells)},
			{Text: worstCell(o)},
		})
	}
	return capped(t, maxThresholdRows)
}

// worstCell names the cell with the worst figure, if one is worse than another.
func worstCell(o objective) string {
	if o.cells > 1 && !o.differ {
		return "all alike"
	}
	return o.worst.CellName
}

// thresholdTable has a row for every objective in every cell, if the other does not say it all.
func thresholdTable(ts []Threshold) *Table {
	if len(objectives(ts)) == len(ts) {
		return nil
	}
	t := &Table{Columns: []Column{
		{"verdict", false},
		{"metric", false},
		{"threshold", false},
		{"cell", false},
		{"measured", true},
		{"limit", true},
		{"margin", true},
		{"samples", true},
	}}
	for _, r := range ts {
		v := Field{Text: clean(r.Verdict), State: stateOf(r.Verdict)}
		if r.Aborted {
			v.Text += ", ended the run"
		}
		t.Rows = append(t.Rows, []Field{
			v,
			{Text: clean(r.Metric)},
			{Text: clean(r.Expr)},
			{Text: r.CellName},
			{Text: r.Measured, State: badOnly(v.State)},
			{Text: r.LimitAs},
			{Text: r.MarginAs},
			{Text: strconv.Itoa(r.Samples)},
		})
	}
	return capped(t, maxThresholdRows)
}

func badOnly(s State) State {
	if s == Bad {
		return Bad
	}
	return Plain
}

func cellNotes(cells []CellRow) []string {
	if len(cells) == 0 {
		return nil
	}
	return []string{
		"Rates are on the wire: IP and UDP headers, RTCP, STUN and DTLS included; those of peers are the mean over peers. " +
			"Percentiles are the nearest rank, however few samples (n) there are. Loss is what repair could not bring back in time.",
	}
}

func cellTable(cells []CellRow) *Table {
	if len(cells) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{
		{"cell", false},
		{"topology", false},
		{"participants", true},
		{"connected", true},
		{"connect p50 / p95 (n)", true},
		{"up per peer", true},
		{"down per peer", true},
		{"server in", true},
		{"server out", true},
		{"TURN", true},
		{"delay p50 / p95 (n)", true},
		{"loss", true},
		{"before repair", true},
		{"fps", true},
		{"frozen", true},
	}}
	repeats := slices.ContainsFunc(cells, func(c CellRow) bool { return c.Repeat > 0 })
	relayed := slices.ContainsFunc(cells, func(c CellRow) bool { return c.relayed() })
	for i := range cells {
		name := absent // topology and size tell enough
		if cells[i].Label != "" || repeats || len(cells) == 1 {
			name = cells[i].Name
		}
		row := cells[i]
		if !relayed {
			row.TURN = metrics.Missing()
		}
		t.Rows = append(t.Rows, cellFields(&row, name))
	}
	return dropEmpty(capped(t, maxThresholdRows))
}

func cellFields(c *CellRow, name string) []Field {
	connected := Field{Text: fmt.Sprintf("%d of %d", c.Peers.Connected, c.Peers.Planned)}
	if c.Peers.Failed > 0 {
		connected.State = Bad
	} else if c.Peers.Connected < c.Peers.Planned {
		connected.State = Note
	}
	row := []Field{{Text: name}, {Text: cmp.Or(c.Topology, absent)}, {Text: strconv.Itoa(c.Participants)}, connected, {Text: percentiles(c.Connect50, c.Connect95, c.Connects)}}
	for _, v := range []metrics.Value{c.Up, c.Down, c.ServerIn, c.ServerOut, c.TURN} {
		row = append(row, Field{Text: inUnit(v, "bit/s")})
	}
	row = append(row, Field{Text: percentiles(c.Delay50, c.Delay95, c.Delays)})
	return append(row, Field{Text: percent(c.Loss)}, Field{Text: percent(c.LossWire)},
		Field{Text: fixed(c.FPS, 1, 1)}, Field{Text: percent(c.FreezeRatio)})
}

// percentiles writes two times and how many samples they are of as one field.
func percentiles(p50, p95 metrics.Value, n uint64) string {
	if !p50.Valid() && !p95.Valid() {
		return absent
	}
	first, second := inUnit(p50, "ms"), inUnit(p95, "ms")
	if _, unit, _ := strings.Cut(first, " "); unit != "" && strings.HasSuffix(second, " "+unit) {
		first = strings.TrimSuffix(first, " "+unit)
	}
	return fmt.Sprintf("%s / %s (%d)", first, second, n)
}

// dropEmpty leaves out columns in which nothing was measured.
func dropEmpty(t *Table) *Table {
	for col := len(t.Columns) - 1; col >= 0; col-- {
		if slices.ContainsFunc(t.Rows, func(r []Field) bool { return r[col].Text != absent }) {
			continue
		}
		t.drop(col)
	}
	return t
}

func failureTable(run *metrics.Run) *Table {
	t := &Table{Columns: []Column{{"failure", false}, {"peers", true}, {"for example", false}, {"what it said", false}}}
	total := peerTotals(run).Failures
	kinds := sortedKeys(total)
	slices.SortStableFunc(kinds, func(a, b string) int { return total[b] - total[a] })
	for _, kind := range kinds {
		if total[kind] <= 0 {
			continue
		}
		peer, detail := exampleOf(run, kind)
		t.Rows = append(t.Rows, []Field{
			{Text: clean(kind), State: Bad},
			{Text: strconv.Itoa(total[kind])},
			{Text: cmp.Or(peer, absent)},
			{Text: cmp.Or(detail, absent)},
		})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return capped(t, maxFailureRows)
}

func exampleOf(run *metrics.Run, kind string) (peer, detail string) {
	for i := range run.Cells {
		for _, p := range run.Cells[i].PeersDetail {
			if p.Failure == kind {
				return clean(p.Name), shorten(clean(p.Detail), 300)
			}
		}
	}
	return "", ""
}

func findingTable(run *metrics.Run) *Table {
	if len(run.Audit.Findings) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{{"finding", false}, {"cell", false}, {"measured", true}, {"allowed", true}, {"cause and remedy", false}}}
	for _, f := range run.Audit.Findings {
		t.Rows = append(t.Rows, []Field{
			{Text: clean(f.ID), State: Bad},
			{Text: cmp.Or(clean(f.Cell), absent)},
			{Text: number(f.Measured)},
			{Text: number(f.Allowed)},
			{Text: clean(f.Text)},
		})
	}
	return capped(t, maxFailureRows)
}

func auditTable(run *metrics.Run, cells []CellRow) *Table {
	if len(run.Cells) == 0 || virtual(run) {
		return nil
	}
	t := &Table{Columns: []Column{
		{"cell", false},
		{"valid", false},
		{"CPU (cores)", true},
		{"of", true},
		{"frames sent late, p99", true},
		{"joins begun late, p99", true},
		{"links late, p50", true},
		{"links late, p99", true},
		{"socket drops", true},
	}}
	for i := range run.Cells {
		a := &run.Cells[i].Audit
		valid := Field{Text: "yes", State: Good}
		if !a.Valid {
			valid = Field{Text: "no", State: Bad}
		}
		t.Rows = append(t.Rows, []Field{
			{Text: cells[i].Name},
			valid,
			{Text: positive(a.CPU, func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) })},
			{Text: positive(float64(a.CPUs), number)},
			{Text: inTime(a.SendLatenessMS.P99)},
			{Text: inTime(a.StartLatenessMS.P99)},
			{Text: linksLate(&run.Cells[i], a.LatenessMS.P50)},
			{Text: linksLate(&run.Cells[i], a.LatenessMS.P99)},
			{Text: strconv.FormatUint(a.SocketDrops, 10)},
		})
	}
	return dropEmpty(capped(t, maxThresholdRows))
}

// linksLate writes how much longer than configured emulated links delayed packets, if there were any.
func linksLate(c *metrics.Cell, ms float64) string {
	if !delaysPackets(c) {
		return absent
	}
	return inTime(ms)
}

// positive writes what cannot be zero if it was measured.
func positive(f float64, write func(float64) string) string {
	if f <= 0 {
		return absent
	}
	return write(f)
}
