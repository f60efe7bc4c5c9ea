package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// Bounds of the ladder of one trace; all steps are in run.json.
const (
	maxTraces     = 12
	maxTraceRows  = 70
	maxTraceLanes = 8
	maxPauses     = 12 // marked, the longest
)

// ladder is a trace as it is drawn: a lane for each far end, a row for each step.
type ladder struct {
	peer  string
	lanes []traceLane
	rows  []traceRow
	bands []band // beside the rows
	more  string // what is not drawn, in words
}

type traceLane struct{ role, address string }

type traceRow struct {
	step    *metrics.TraceStep
	lane    int
	time    string
	label   string
	bytes   string
	pauseMS float64 // since the row before, if that is worth a mark
}

// newLadder is nil for a trace without steps.
func newLadder(t *metrics.Trace) *ladder {
	if t == nil || len(t.Steps) == 0 {
		return nil
	}
	l := &ladder{peer: clean(t.Peer)}
	steps := t.Steps[:min(len(t.Steps), maxTraceRows)]
	lanes := map[string]int{}
	for i := range steps {
		if _, ok := lanes[steps[i].Remote]; !ok {
			lanes[steps[i].Remote] = min(len(lanes), maxTraceLanes-1)
		}
	}
	for i := range steps {
		s := &steps[i]
		lane := lanes[s.Remote]
		r := traceRow{step: s, lane: lane, time: fixed(metrics.Value(s.TMS), 1, 1), label: traceLabel(s)}
		if lane == maxTraceLanes-1 && len(lanes) > maxTraceLanes {
			r.label += " · " + shortenMiddle(clean(s.Remote), 26)
		}
		if s.Bytes > 0 {
			r.bytes = fmt.Sprintf("%d B", s.Bytes)
		}
		if i > 0 {
			r.pauseMS = s.TMS - steps[i-1].TMS
		}
		l.rows = append(l.rows, r)
	}
	markPauses(l.rows)
	l.lanes = traceLanes(t, lanes)
	l.more = leftOut(len(t.Steps)-len(l.rows), t.Truncated)
	return l
}

// markPauses forgets pauses too short to be worth a mark: under 10 ms, and more where there would
// be too many.
func markPauses(rows []traceRow) {
	for least := 10.0; least < 1e9; least *= 1.5 {
		marked := 0
		for i := range rows {
			if rows[i].pauseMS < least {
				rows[i].pauseMS = 0
			} else {
				marked++
			}
		}
		if marked <= maxPauses {
			return
		}
	}
}

func leftOut(more int, truncated bool) string {
	switch {
	case more > 0 && truncated:
		return fmt.Sprintf("… %d more in run.json, and there was more than is kept", more)
	case more > 0:
		return fmt.Sprintf("… %d more in run.json", more)
	case truncated:
		return "… there was more than is kept"
	}
	return ""
}

func undelivered(s *metrics.TraceStep) bool { return s.Fate != "" && s.Fate != "delivered" }

// traceLabel says what a step was, how often and what became of it.
func traceLabel(s *metrics.TraceStep) string {
	label := shorten(clean(s.What), 160)
	if s.Count > 1 {
		label += fmt.Sprintf(" ×%d", s.Count)
		if s.UntilMS > s.TMS {
			label += " until " + short(s.UntilMS, 1)
		}
	}
	if undelivered(s) {
		label += ": " + clean(s.Fate)
	}
	return label
}

// traceLanes heads each lane with its address and what was spoken with it. What has no lane of its
// own shares the last one.
func traceLanes(t *metrics.Trace, at map[string]int) []traceLane {
	lanes := make([]traceLane, min(len(at), maxTraceLanes))
	shared := len(at) - maxTraceLanes
	for remote, i := range at {
		if i == maxTraceLanes-1 && shared > 0 {
			lanes[i] = traceLane{"others", fmt.Sprintf("%d addresses", shared+1)}
			continue
		}
		lanes[i] = traceLane{traceRole(t, remote), cmp.Or(clean(remote), "unknown")}
	}
	return lanes
}

// traceRole is what an address was for, by the most telling layer. Of those that only checks went
// to, a STUN server answers and never asks.
func traceRole(t *metrics.Trace, remote string) string {
	for _, r := range []struct{ layer, role string }{
		{"signaling", "signaling"}, {"turn", "TURN"}, {"media", "media"}, {"dtls", "DTLS"},
	} {
		if slices.ContainsFunc(t.Steps, func(s metrics.TraceStep) bool { return s.Remote == remote && s.Layer == r.layer }) {
			return r.role
		}
	}
	asked, answered, checked := false, false, false
	for i := range t.Steps {
		s := &t.Steps[i]
		if s.Remote != remote || s.Layer != "stun" {
			continue
		}
		checked = true
		if s.Direction == "received" {
			asked = asked || strings.HasPrefix(s.What, "Binding request")
			answered = answered || !strings.HasPrefix(s.What, "Binding request")
		}
	}
	switch {
	case answered && !asked:
		return "STUN"
	case checked:
		return "candidate"
	}
	return "stream"
}

// compact shortens a list of messages that is too long for its place to its ends.
func compact(label string, fits func(string) bool) string {
	names := strings.Split(label, ", ")
	if len(names) < 3 || fits(label) {
		return label
	}
	return fmt.Sprintf("%s … %s (%d messages)", names[0], names[len(names)-1], len(names))
}

// traceAlt tells in words when each layer began.
func traceAlt(l *ladder, t *metrics.Trace) string {
	var parts []string
	seen, remotes := map[string]bool{}, map[string]bool{}
	for i := range t.Steps {
		s := &t.Steps[i]
		remotes[s.Remote] = true
		if seen[s.Layer] || undelivered(s) {
			continue
		}
		seen[s.Layer] = true
		parts = append(parts, fmt.Sprintf("%s from %s", clean(s.Layer), inTime(round(s.TMS, 1))))
	}
	s := fmt.Sprintf("%s between %s and %s", count(len(t.Steps), "step"), l.peer, count(len(remotes), "far end"))
	return s + after(": ", strings.Join(parts, ", ")) + "."
}

// traceNotes stand above the pictures.
func traceNotes(run *metrics.Run) []string {
	n := 0
	for i := range run.Cells {
		if newLadder(run.Cells[i].Trace) != nil {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	notes := []string{
		"What one peer sent and received, from its intended start to its first media. Times are in ms since that start; rows are evenly spaced, not to scale. " +
			"A packet that the peer's own link or border stopped ends in a cross. What a call repeats is one row, where it began. Beside the rows: what the peer itself measured of its phases.",
	}
	if n > maxTraces {
		notes = append(notes, fmt.Sprintf("%s in run.json.", count(n-maxTraces, "more trace")))
	}
	return notes
}
