package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

func TestLadder(t *testing.T) {
	l := newLadder(tracedFixture().Cells[0].Trace)
	if len(l.rows) != maxTraceRows || l.more != "… 9 more in run.json, and there was more than is kept" {
		t.Errorf("got %d rows and %q", len(l.rows), l.more)
	}
	var roles []string
	for _, lane := range l.lanes {
		roles = append(roles, lane.role)
	}
	if d := cmp.Diff([]string{"signaling", "TURN", "candidate", "media", "stream", "candidate", "candidate", "others"}, roles); d != "" {
		t.Errorf("lanes (-want +got):\n%s", d)
	}
	var pauses []float64
	for _, r := range l.rows {
		if r.pauseMS > 0 {
			pauses = append(pauses, round(r.pauseMS, 0))
		}
	}
	if d := cmp.Diff([]float64{200, 54, 160, 99}, pauses); d != "" {
		t.Errorf("pauses (-want +got):\n%s", d)
	}
	if got, want := l.rows[16].label, "Binding request ×4 until 1062: unreachable"; got != want {
		t.Errorf("got label %q, want %q", got, want)
	}
	for _, trace := range []*metrics.Trace{nil, {Peer: "x", Truncated: true}} {
		if newLadder(trace) != nil {
			t.Errorf("%+v: got a ladder without steps", trace)
		}
	}
}

// TestLaneHeadingsDoNotOverlap puts as many long addresses beside each other as there can be.
func TestLaneHeadingsDoNotOverlap(t *testing.T) {
	trace := &metrics.Trace{Peer: strings.Repeat("long", 20)}
	for i := range 9 {
		trace.Steps = append(trace.Steps, metrics.TraceStep{Remote: fmt.Sprintf("[2001:db8:1111:2222:3333:4444:5555:%d666]:54321", i), Layer: "stun", What: "Binding request", Count: 1})
	}
	l := newLadder(trace)
	boxes := l.boxes()
	for i, a := range boxes {
		if a.from < 12 || a.to > traceWidth-12 {
			t.Errorf("heading %d: %v to %v leaves the picture", i, a.from, a.to)
		}
		for _, b := range boxes[:i] {
			if a.row == b.row && a.from < b.to && b.from < a.to {
				t.Errorf("headings overlap: %+v, %+v", a, b)
			}
		}
	}
}

func TestTracesOfSeveralCells(t *testing.T) {
	run := tracedFixture()
	for i := range 14 {
		c := run.Cells[0]
		c.ID = fmt.Sprint("cell ", i)
		run.Cells = append(run.Cells, c)
	}
	var names []string
	for _, p := range Plots(run, Build(run)) {
		if p.Section == "traces" {
			names = append(names, p.Name)
		}
	}
	if len(names) != maxTraces || names[0] != "trace-anna" || names[1] != "trace-anna-2" {
		t.Errorf("got %q", names)
	}
	if notes := traceNotes(run); len(notes) != 2 || notes[1] != "3 more traces in run.json." {
		t.Errorf("got notes %q", notes)
	}
}

func TestCompact(t *testing.T) {
	never := func(string) bool { return false }
	for label, want := range map[string]string{
		"A, B, C": "A … C (3 messages)", "A, B": "A, B", "A": "A",
	} {
		if got := compact(label, never); got != want {
			t.Errorf("%s: got %q, want %q", label, got, want)
		}
	}
}
