package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/scenarios"
)

// builtin is the plan of a built-in scenario.
func builtin(t testing.TB, name string) scenarios.Plan {
	t.Helper()
	text, err := os.ReadFile("../scenarios/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return planOf(t, string(text))
}

// TestVirtualRunsAgree carries out the same plan again and again, whatever the machine does beside
// it. Without loss every figure is the same, and every packet; with loss, counts agree to 0.1 %.
func TestVirtualRunsAgree(t *testing.T) {
	t.Run("without loss", func(t *testing.T) {
		plan := builtin(t, "smoke")
		first, others := repeatedly(t, plan)
		for _, e := range first.Metrics {
			if strings.HasPrefix(e.Name, "generator.") {
				t.Errorf("a run in virtual time has %s, a figure of the machine", e.Name)
			}
		}
		for _, again := range others {
			agree(t, first, again)
			if again.TraceHash != first.TraceHash {
				t.Errorf("got trace %s, then %s", first.TraceHash, again.TraceHash)
			}
		}
	})
	t.Run("with loss", func(t *testing.T) {
		plan := builtin(t, "lossy-links")
		plan.Clock, plan.Network = "virtual", "simulated"
		plan.Cells[0].Duration = 3 * time.Second
		first, others := repeatedly(t, plan)
		for _, again := range others {
			agree(t, first, again, cmpopts.EquateApprox(0.001, 0),
				cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "hist" }))
		}
	})
}

// repeatedly carries out a plan of one cell on one core and on two, then beside another load on each.
func repeatedly(t *testing.T, plan scenarios.Plan) (first metrics.Cell, others []metrics.Cell) {
	t.Helper()
	first = trusted(t, Run(context.Background(), plan, Config{}))
	for i := range 4 {
		before := runtime.GOMAXPROCS(1 + i%2)
		var stop atomic.Bool
		if i > 1 {
			for range runtime.NumCPU() {
				go spin(&stop)
			}
		}
		others = append(others, trusted(t, Run(context.Background(), plan, Config{})))
		stop.Store(true)
		runtime.GOMAXPROCS(before)
	}
	return first, others
}

// spin keeps a core busy.
func spin(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

// agree holds two runs of one cell against each other: every figure is the same, but for opts.
func agree(t *testing.T, a, b metrics.Cell, opts ...cmp.Option) {
	t.Helper()
	a.TraceHash, b.TraceHash = "", ""
	if diff := cmp.Diff(document(t, a), document(t, b), opts...); diff != "" {
		t.Errorf("%s: runs differ (-first +again):\n%s", a.ID, diff[:min(len(diff), 3000)])
	}
}

// document is a cell as it is written.
func document(t *testing.T, c metrics.Cell) map[string]any {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLossIsTheSameOnBothClocks loses the same packets of every track on sockets and in virtual time:
// one more or less may be, where the window ends.
func TestLossIsTheSameOnBothClocks(t *testing.T) {
	losses := func(clock string) map[string]float64 {
		text := strings.Replace(call("p2p", 2, "clock: "+clock+"\nserver: {turn: {enabled: false}}\n"), "up: {delay: 20ms}", "up: {delay: 20ms, loss: 5%}", 1)
		s, err := scenarios.Parse("test.yaml", []byte(text), scenarios.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		cell := trusted(t, Run(context.Background(), s.Plan(11), Config{}))
		for _, e := range metrics.SelectEntries(cell.Metrics, "media.loss_wire", metrics.Tags{}) {
			for i, v := range e.Values {
				got[fmt.Sprint(e.Tags.Kind, i)] = float64(v)
			}
		}
		return got
	}
	wall, virtual := losses("wall"), losses("virtual")
	const packet = 1. / 90 // of the shortest track's
	if diff := cmp.Diff(wall, virtual, cmpopts.EquateApprox(0, packet)); diff != "" || len(wall) != 4 {
		t.Errorf("losses of tracks (-wall +virtual):\n%s", diff)
	}
}

// TestFatesAreAPeersOwn adds a room to a scenario: nothing changes for those in the first.
func TestFatesAreAPeersOwn(t *testing.T) {
	run := func(more string) (cell metrics.Cell) {
		text := strings.Replace(call("p2p", 2, more+"clock: virtual\n"), "up: {delay: 20ms}", "up: {delay: 20ms, jitter: 3ms, loss: 5%}", 1)
		s, err := scenarios.Parse("test.yaml", []byte(text), scenarios.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return trusted(t, Run(context.Background(), s.Plan(11), Config{}))
	}
	alone := run("")
	joined := run("  others: {count: 2, topology: p2p, room: other, link: near, publish: [small], join: {every: 90ms}}\n")
	for _, name := range []string{"media.loss_wire", "connect.ice", "connect.dtls"} {
		a := merged(alone, name, metrics.Tags{Group: "people"})
		b := merged(joined, name, metrics.Tags{Group: "people"})
		if diff := cmp.Diff(a.Values, b.Values, cmpopts.EquateApprox(0, 1e-9)); diff != "" || a.Count == 0 {
			t.Errorf("%s (-alone +joined):\n%s", name, diff)
		}
	}
}

// TestSeedsChangeFates has another seed lose other packets.
func TestSeedsChangeFates(t *testing.T) {
	text := "clock: virtual\n" + strings.Replace(call("p2p", 2, ""), "near: {up: {delay: 20ms}", "near: {up: {delay: 20ms, loss: 5%}", 1)
	lost := func(seed uint64) (n uint64) {
		s, err := scenarios.Parse("test.yaml", []byte(text), scenarios.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range trusted(t, Run(context.Background(), s.Plan(seed), Config{})).Links {
			n = n*1000 + l.Lost
		}
		return n
	}
	if a, b := lost(1), lost(2); a == b {
		t.Errorf("seeds 1 and 2 lose the same packets: %d", a)
	}
}

// TestNATMatrix holds every pair of NATs against what RFC 4787's behaviours mean for ICE.
func TestNATMatrix(t *testing.T) {
	run := Run(context.Background(), builtin(t, "nat-matrix"), Config{})
	if len(run.Cells) != 72 || run.Error != "" {
		t.Fatalf("got %d cells, error %q", len(run.Cells), run.Error)
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		a, b := c.Vary["peers.a.link"].(string), c.Vary["peers.b.link"].(string)
		hard := func(x, y string) bool { return x == "symmetric" && (y == "symmetric" || y == "port-restricted") }
		relayed := a == "udp-blocked" || b == "udp-blocked" || hard(a, b) || hard(b, a)
		want := "direct"
		switch turn := c.Vary["server.turn.enabled"] == true; {
		case relayed && turn:
			want = "relay"
		case relayed:
			want = "none"
		}
		got := "none"
		if c.Peers.Connected == 2 {
			got = "direct"
		}
		for _, e := range metrics.SelectEntries(c.Metrics, "ice.selected", metrics.Tags{}) {
			if e.Tags.Candidate == "relay" && c.Peers.Connected == 2 {
				got = "relay"
			}
		}
		if got != want {
			t.Errorf("%s: got %s (%+v), want %s", c.ID, got, c.Peers, want)
		}
	}
	if run.ExitCode != ExitPass {
		explain(t, run)
		t.Errorf("exit code %d, want 0", run.ExitCode)
	}
	again := Run(context.Background(), builtin(t, "nat-matrix"), Config{})
	for i := range run.Cells {
		if run.Cells[i].Peers.Connected == 2 {
			agree(t, run.Cells[i], again.Cells[i])
		}
	}
}

// TestVirtualInterrupt ends a run from outside: what was measured by then is there.
func TestVirtualInterrupt(t *testing.T) {
	plan := builtin(t, "smoke")
	plan.Cells[0].Duration = 10 * time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := Run(ctx, plan, Config{Progress: func(s Status) {
		if s.Phase == "measuring" {
			cancel()
		}
	}})
	if run.ExitCode != ExitInterrupted || run.Verdict != "interrupted" || run.Error != "" {
		t.Errorf("got exit code %d, %s, error %q, want an interrupted run", run.ExitCode, run.Verdict, run.Error)
	}
	if len(run.Cells) != 1 || run.Cells[0].Peers.Connected != 4 || run.SimulatedS <= 0 || run.SimulatedS > 36000 {
		t.Errorf("got %d cells, %v s, want what was measured until then", len(run.Cells), run.SimulatedS)
	}
}

// TestTrace tells one peer's connecting: every layer in its order, and the packets that show it.
func TestTrace(t *testing.T) {
	var packets []capture.Packet
	run := Run(context.Background(), builtin(t, "smoke"), Config{Trace: "direct-1", Captured: func(cell int, p []capture.Packet) {
		if cell != 0 || packets != nil {
			t.Errorf("got packets of cell %d, want those of the only one, once", cell)
		}
		packets = p
	}})
	trace := trusted(t, run).Trace
	if trace == nil || trace.Peer != "direct-1" || len(packets) < 100 {
		t.Fatalf("got %+v and %d packets", trace, len(packets))
	}
	next := 0
	order := []string{"join", "takeConfiguration (offer)", "takeConfiguration (answer)", "Binding request, USE-CANDIDATE", "ClientHello", "RTP pt 96"}
	for _, s := range trace.Steps {
		if next < len(order) && s.What == order[next] {
			next++
		}
	}
	if next < len(order) {
		t.Errorf("%q is not in its place in %+v", order[next], trace.Steps)
	}
	var measured, seen float64
	for _, p := range run.Cells[0].PeersDetail {
		if p.Name == "direct-1" {
			measured = p.Connect["first_packet"]
		}
	}
	for _, s := range trace.Steps {
		if seen == 0 && s.Layer == "media" && s.Direction == "received" {
			seen = s.TMS
		}
	}
	if measured == 0 || math.Abs(seen-measured) > 0.01 {
		t.Errorf("first media on the wire at %v ms, want %v as the peer measured", seen, measured)
	}
}
