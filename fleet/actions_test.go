package fleet

import (
	"strings"
	"testing"

	"github.com/peerfleet/peerfleet/metrics"
)

// TestPairsOfAStaggeredMesh holds that every pair is counted once, whoever offered and however long
// its own join is over.
func TestPairsOfAStaggeredMesh(t *testing.T) {
	t.Parallel()
	cell := trusted(t, carryOut(t, strings.Replace(call("mesh", 4, ""), "{every: 100ms}", "{every: 900ms}", 1)))
	if got := merged(cell, "ice.selected", metrics.Tags{}).Sum; got != 6 {
		t.Errorf("got %v selected pairs of 4 peers, want 6", got)
	}
}

// TestLeaveBeforeTheEndOfTheJoin holds that a planned leave which cuts a join short is no failure.
func TestLeaveBeforeTheEndOfTheJoin(t *testing.T) {
	t.Parallel()
	text := strings.Replace(call("conference", 3, ""), "warmup: 500ms", "warmup: 10ms", 1) + `  guest:
    count: 1
    room: people
    topology: conference
    link: near
    publish: [small]
    join: {at: 200ms}
    actions: [{at: 30ms, do: leave}]
`
	text = strings.Replace(text, "    topology: conference\n", "    room: lobby\n    topology: conference\n", 1)
	text = strings.Replace(text, "    room: people\n", "    room: lobby\n", 1)
	run := carryOut(t, text)
	cell := run.Cells[0]
	if p := cell.Peers; p.Failed != 0 || p.Connected != 3 || p.Unfinished != 1 {
		explain(t, run)
		t.Errorf("got %+v, want 3 connected and the guest neither connected nor failed", p)
	}
	if got := merged(cell, "join.success", metrics.Tags{}); got.Count != 3 || got.Sum != 3 {
		t.Errorf("got join.success %+v, want that of the 3 who stayed", got)
	}
}

// TestNothingMeasured holds that a window in which no media could arrive is not a pass.
func TestNothingMeasured(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("duration: 3s", "duration: 300ms", "warmup: 500ms", "warmup: 0s", "delay: 20ms", "delay: 200ms").
		Replace(call("p2p", 2, ""))
	run := carryOut(t, text)
	if run.ExitCode != ExitInvalid || len(run.Audit.Findings) == 0 {
		explain(t, run)
		t.Errorf("got exit code %d, want 6: nothing was measured", run.ExitCode)
	}
}
