package fleet

import (
	"context"
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
// it: connect phases agree to 0.1 ms, and what crossed the network to the last packet.
func TestVirtualRunsAgree(t *testing.T) {
	plan := builtin(t, "smoke")
	first := trusted(t, Run(context.Background(), plan, Config{}))
	for _, e := range first.Metrics {
		if strings.HasPrefix(e.Name, "generator.") {
			t.Errorf("a run in virtual time has %s, a figure of the machine", e.Name)
		}
	}
	for i := range 4 {
		before := runtime.GOMAXPROCS(1 + i%2)
		var stop atomic.Bool
		if i > 1 { // with another load on every core
			for range runtime.NumCPU() {
				go spin(&stop)
			}
		}
		again := trusted(t, Run(context.Background(), plan, Config{}))
		stop.Store(true)
		runtime.GOMAXPROCS(before)
		agree(t, first, again)
		if again.TraceHash != first.TraceHash {
			t.Errorf("got trace %s, then %s", first.TraceHash, again.TraceHash)
		}
	}
}

// spin keeps a core busy.
func spin(stop *atomic.Bool) {
	for !stop.Load() {
	}
}

// agree holds two runs of one cell against each other.
func agree(t *testing.T, a, b metrics.Cell) {
	t.Helper()
	phases := 0
	for _, e := range a.Metrics {
		if !strings.HasPrefix(e.Name, "connect.") {
			continue
		}
		other := metrics.MergeEntries(metrics.SelectEntries(b.Metrics, e.Name, e.Tags)...)
		if other.Count != e.Count || math.Abs(float64(other.Max-e.Max)) > 0.1 || math.Abs(float64(other.Min-e.Min)) > 0.1 {
			t.Errorf("%s %+v: got %d from %v to %v ms, then %d from %v to %v", e.Name, e.Tags, e.Count, e.Min, e.Max, other.Count, other.Min, other.Max)
		}
		phases++
	}
	if phases == 0 {
		t.Error("no connect phases")
	}
	var sentA, sentB float64
	for _, l := range a.Links {
		sentA += float64(l.Offered)
	}
	for _, l := range b.Links {
		sentB += float64(l.Offered)
	}
	if sentA == 0 || sentA != sentB {
		t.Errorf("packets: got %v, then %v", sentA, sentB)
	}
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
