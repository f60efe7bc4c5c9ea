package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

// pairOf is a cell of two links whose pairs took the given candidates.
func pairOf(a, b string, failed int, kinds ...string) metrics.Cell {
	c := metrics.Cell{
		Vary:  map[string]any{"peers.a.link": a, "peers.b.link": b},
		Peers: metrics.PeerCounts{Planned: 2, Failed: failed, Failures: map[string]int{}},
	}
	if failed > 0 {
		c.Peers.Failures["ice_timeout"] = failed
	}
	for _, k := range kinds {
		c.Metrics = append(c.Metrics, metrics.Entry{Name: "ice.selected", Tags: metrics.Tags{Candidate: k}, Count: 1, Sum: 1, Values: []float64{1}},
			metrics.Entry{Name: "connect.total", Unit: "ms", Count: 1, Sum: 100, Values: []float64{100}})
	}
	return c
}

func TestPairField(t *testing.T) {
	for want, cells := range map[string][]metrics.Cell{
		"direct host 100 ms":           {pairOf("x", "y", 0, "host")},
		"direct host+srflx 100 ms":     {pairOf("x", "y", 0, "host"), pairOf("x", "y", 0, "srflx")},
		"relay 100 ms":                 {pairOf("x", "y", 0, "relay")},
		"mixed srflx+relay 100 ms":     {pairOf("x", "y", 0, "relay", "srflx")},
		"none ice_timeout":             {pairOf("x", "y", 2)},
		"none ice_timeout 1/2":         {pairOf("x", "y", 1)},
		"relay 100 ms ice_timeout 2/4": {pairOf("x", "y", 0, "relay"), pairOf("x", "y", 2)},
		"none":                         {pairOf("x", "y", 0)},
		absent:                         nil,
	} {
		var own []*metrics.Cell
		for i := range cells {
			own = append(own, &cells[i])
		}
		f := pairField(own)
		if got := f.text(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPairCutShort is neither a failure nor a success.
func TestPairCutShort(t *testing.T) {
	c := pairOf("x", "y", 0)
	c.Peers.Unfinished = 2
	f := pairField([]*metrics.Cell{&c})
	if got := f.text(); got != absent {
		t.Errorf("got %q, want %q", got, absent)
	}
}

func TestPairMatricesNeedTwoLinks(t *testing.T) {
	run := pairsFixture()
	if got := len(pairMatrices(run)); got != 1 {
		t.Errorf("got %d matrices, want 1", got)
	}
	one := pairsFixture()
	for i := range one.Cells {
		delete(one.Cells[i].Vary, "peers.b.link")
	}
	three := pairsFixture()
	three.Cells[0].Vary["peers.c.link"] = "home"
	torn := pairsFixture()
	delete(torn.Cells[3].Vary, "peers.a.link")
	for name, run := range map[string]*metrics.Run{"one": one, "three": three, "torn": torn, "none": callFixture(2), "empty": emptyFixture()} {
		if got := pairMatrices(run); got != nil {
			t.Errorf("%s: got %d matrices, want none", name, len(got))
		}
	}
}

// TestPairMatricesByTheRest splits by what else is varied, in the order of the cells.
func TestPairMatricesByTheRest(t *testing.T) {
	run := &metrics.Run{}
	for _, turn := range []bool{true, false} {
		for _, a := range []string{"z", "m"} {
			c := pairOf(a, "home", 0, "host")
			c.Vary["server.turn.enabled"] = turn
			run.Cells = append(run.Cells, c)
		}
	}
	var got []string
	for _, m := range pairMatrices(run) {
		got = append(got, fmt.Sprint(m.Name, " ", m.axes(), " ", m.Rows, m.Columns))
	}
	want := []string{"turn.enabled=true a.link ↓ b.link → [z m] [home]", "turn.enabled=false a.link ↓ b.link → [z m] [home]"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestSummaryOfLargeMatrices says less of each field where there are more.
func TestSummaryOfLargeMatrices(t *testing.T) {
	for _, c := range []struct {
		links int
		want  string
	}{
		{2, "candidate; median"}, {6, "median"}, {9, "direct, relay or none; !"}, {15, "D direct"}, {60, "D direct"},
	} {
		run := virtualRun("large")
		for i := range c.links {
			for j := range c.links {
				run.Cells = append(run.Cells, pairOf(fmt.Sprint("link-", i), fmt.Sprint("link-", j), i%2, "srflx"))
			}
		}
		s := Summary(Build(run), false)
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		if len(lines) > summaryLines {
			t.Errorf("%d links: got %d lines", c.links, len(lines))
		}
		for _, l := range lines {
			if len([]rune(l)) > summaryWidth {
				t.Errorf("%d links: too wide: %s", c.links, l)
			}
		}
		if !strings.Contains(s, c.want) {
			t.Errorf("%d links: no %q in\n%s", c.links, c.want, s)
		}
	}
}

func TestSpeed(t *testing.T) {
	run := virtualRun("x")
	for _, c := range []struct {
		simulated, elapsed float64
		want               string
	}{
		{132, 3.2, "41.3 times faster than real time"}, {3, 6, "2 times slower than real time"}, {0, 3, ""}, {3, 0, ""},
	} {
		run.SimulatedS, run.ElapsedS = c.simulated, c.elapsed
		if got := speed(run); got != c.want {
			t.Errorf("%v in %v: got %q, want %q", c.simulated, c.elapsed, got, c.want)
		}
	}
	if got := speed(baseRun()); got != "" {
		t.Errorf("wall clock: got %q", got)
	}
}

// TestVirtualTimeSaysNothingOfTheMachine holds for every part of the reports.
func TestVirtualTimeSaysNothingOfTheMachine(t *testing.T) {
	run := tracedFixture()
	run.Cells[0].Audit.Sockets = 9
	d := Build(run)
	if d.Cost != "" || d.Audit != "valid; virtual time is exact and says nothing about CPU" {
		t.Errorf("got cost %q, audit %q", d.Cost, d.Audit)
	}
	for _, s := range d.Sections {
		if (s.ID == "cost" || s.ID == "audit") && s.Table != nil {
			t.Errorf("section %s has a table", s.ID)
		}
	}
	run.Scenario.Clock = "wall"
	if got := Build(run).TraceHash; got != "" {
		t.Errorf("wall clock: got trace hash %q, which no other run could have", got)
	}
}
