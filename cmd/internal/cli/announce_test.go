package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/scenarios"
)

// TestAnnounce has only a run in virtual time that will be long say so beforehand.
func TestAnnounce(t *testing.T) {
	cell := scenarios.Cell{Duration: time.Minute, Expected: metrics.Expected{PacketsPerS: 50_000}} // 60 s of work
	for _, c := range []struct {
		name  string
		plan  scenarios.Plan
		cores int
		quiet bool
		want  string
	}{
		{"long", scenarios.Plan{Clock: "virtual", Cells: []scenarios.Cell{cell}}, 2, false, "1m0s of call, about 1m0s of work, 1 times"},
		{"side by side", scenarios.Plan{Clock: "virtual", Cells: []scenarios.Cell{cell, cell}}, 2, false, "2m0s of call, about 1m0s of work, 2 times"},
		{"short", scenarios.Plan{Clock: "virtual", Cells: []scenarios.Cell{{Duration: time.Minute}}}, 2, false, ""},
		{"wall", scenarios.Plan{Clock: "wall", Cells: []scenarios.Cell{cell}}, 2, false, ""},
		{"quiet", scenarios.Plan{Clock: "virtual", Cells: []scenarios.Cell{cell}}, 2, true, ""},
	} {
		var out strings.Builder
		newProgress(Env{Stderr: &out}, c.quiet).announce(c.plan, c.cores)
		if got := out.String(); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
