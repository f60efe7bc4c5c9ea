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
	all := []Section{
		{ID: "thresholds", Title: "Thresholds", Table: thresholdTable(d.Thresholds)},
		{ID: "cells", Title: "Cells", Table: cellTable(d.Cells), Text: cellNotes(d.Cells)},
		{ID: "topologies", Title: "Mesh and conference", Text: d.Advice, Table: comparisonTable(d.Cells)},
		{ID: "connecting", Title: "Connecting"},
		{ID: "timelines", Title: "Over time"},
		{ID: "failures", Title: "Failures", Table: failureTable(run)},
		{ID: "peers", Title: "Peers, worst first", Table: peerTable(run, d.Cells)},
		{ID: "audit", Title: "Can the figures be trusted?", Text: []string{sentence(d.Audit)}, Table: auditTable(run, d.Cells)},
		{ID: "findings", Title: "Findings of the audit", Table: findingTable(run)},
		{
			ID: "links", Title: "Links: configured and delivered", Table: linkTable(run, d.Cells),
			Text: []string{"Counts are packets over the whole life of a host. Delay includes queueing."},
		},
		{ID: "events", Title: "Events", Table: eventTable(run, d.Cells)},
		{
			ID: "ice-waits", Title: "ICE acceptance waits", Table: waitTable(run, d.Cells),
			Text: []string{"How long a peer holds back a pair of each type in favour of a better one: part of every connect time below it."},
		},
		repeatSection(run),
	}
	for i := range all {
		if all[i].Table == nil && (all[i].ID == "links" || all[i].ID == "ice-waits") {
			all[i].Text = nil
		}
	}
	return all
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

func thresholdTable(ts []Threshold) *Table {
	if len(ts) == 0 {
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
	return []string{"Rates are on the wire: IP and UDP headers, RTCP, STUN and DTLS included. Percentiles are the nearest rank, however few samples there are. Loss is what repair could not bring back in time."}
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
		{"connect p50 / p95", true},
		{"up per peer", true},
		{"down per peer", true},
		{"server in", true},
		{"server out", true},
		{"TURN", true},
		{"delay p50 / p95", true},
		{"loss", true},
		{"before repair", true},
		{"fps", true},
		{"frozen", true},
	}}
	repeats := slices.ContainsFunc(cells, func(c CellRow) bool { return c.Repeat > 0 })
	for i := range cells {
		name := absent // topology and size tell enough
		if cells[i].Label != "" || repeats || len(cells) == 1 {
			name = cells[i].Name
		}
		t.Rows = append(t.Rows, cellFields(&cells[i], name))
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
	row := []Field{{Text: name}, {Text: cmp.Or(c.Topology, absent)}, {Text: strconv.Itoa(c.Participants)}, connected, {Text: percentiles(c.Connect50, c.Connect95)}}
	for _, f := range []struct {
		v    metrics.Value
		unit string
	}{{c.Up, "bit/s"}, {c.Down, "bit/s"}, {c.ServerIn, "bit/s"}, {c.ServerOut, "bit/s"}, {c.TURN, "bit/s"}} {
		row = append(row, Field{Text: inUnit(f.v, f.unit)})
	}
	row = append(row, Field{Text: percentiles(c.Delay50, c.Delay95)})
	for _, f := range []struct {
		v    metrics.Value
		unit string
	}{{c.Loss, "ratio"}, {c.LossWire, "ratio"}, {c.FPS, ""}, {c.FreezeRatio, "ratio"}} {
		row = append(row, Field{Text: inUnit(f.v, f.unit)})
	}
	return row
}

// percentiles writes two times as one field.
func percentiles(p50, p95 metrics.Value) string {
	if !p50.Valid() && !p95.Valid() {
		return absent
	}
	return inUnit(p50, "ms") + " / " + inUnit(p95, "ms")
}

// dropEmpty leaves out columns in which nothing was measured.
func dropEmpty(t *Table) *Table {
	for col := len(t.Columns) - 1; col >= 0; col-- {
		if slices.ContainsFunc(t.Rows, func(r []Field) bool { return r[col].Text != absent }) {
			continue
		}
		t.Columns = slices.Delete(t.Columns, col, col+1)
		for i := range t.Rows {
			t.Rows[i] = slices.Delete(t.Rows[i], col, col+1)
		}
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
	if len(run.Cells) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{
		{"cell", false},
		{"valid", false},
		{"CPU (cores)", true},
		{"memory", true},
		{"sockets", true},
		{"packets sent", true},
		{"received", true},
		{"CPU per packet", true},
		{"emulator late p50", true},
		{"p99", true},
		{"senders late p99", true},
		{"starts late p99", true},
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
			{Text: positive(a.CPU, func(f float64) string { return short(f, 2) })},
			{Text: positive(float64(a.MemoryBytes), inBytes)},
			{Text: strconv.Itoa(a.Sockets)},
			{Text: strconv.FormatUint(a.PacketsSent, 10)},
			{Text: strconv.FormatUint(a.PacketsReceived, 10)},
			{Text: positive(a.CPUPerPacketUS, func(f float64) string { return number(f) + " µs" })},
			{Text: inTime(a.LatenessMS.P50)},
			{Text: inTime(a.LatenessMS.P99)},
			{Text: inTime(a.SendLatenessMS.P99)},
			{Text: inTime(a.StartLatenessMS.P99)},
			{Text: strconv.FormatUint(a.SocketDrops, 10)},
		})
	}
	return dropEmpty(capped(t, maxThresholdRows))
}

// positive writes what cannot be zero if it was measured.
func positive(f float64, write func(float64) string) string {
	if f <= 0 {
		return absent
	}
	return write(f)
}
