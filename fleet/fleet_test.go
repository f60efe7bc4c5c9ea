package fleet

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/scenarios"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if code := m.Run(); code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left after all runs:", err)
		os.Exit(1)
	}
}

// planOf makes the plan of a scenario given as text.
func planOf(t testing.TB, text string) scenarios.Plan {
	t.Helper()
	s, err := scenarios.Parse("test.yaml", []byte(text), scenarios.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Plan(s.Seed)
}

func carryOut(t testing.TB, text string) *metrics.Run {
	t.Helper()
	return Run(context.Background(), planOf(t, text), Config{})
}

// call is a scenario of n peers in one room.
func call(topology string, n int, extra string) string {
	return fmt.Sprintf(`
name: test
seed: 11
duration: 3s
warmup: 500ms
links:
  near: {up: {delay: 20ms}, down: {delay: 20ms}}
media:
  small:
    audio: {codec: opus, bitrate: 32kbps}
    video: {codec: vp8, width: 320, height: 180, fps: 15, bitrate: 150kbps}
  screen:
    video: {codec: vp8, content: screen, width: 640, height: 360, fps: 5, bitrate: 100kbps}
peers:
  people:
    count: %d
    topology: %s
    link: near
    publish: [small]
    join: {every: 100ms}
%s`, n, topology, extra)
}

// merged is all entries of a metric in a cell as one.
func merged(c metrics.Cell, name string, tags metrics.Tags) metrics.Entry {
	return metrics.MergeEntries(metrics.SelectEntries(c.Metrics, name, tags)...)
}

func explain(t *testing.T, run *metrics.Run) {
	t.Helper()
	t.Logf("verdict %s, exit %d, error %q, findings %v", run.Verdict, run.ExitCode, run.Error, run.Audit.Findings)
	for _, c := range run.Cells {
		for _, e := range c.Events {
			if strings.Contains(e.What, "fail") || strings.Contains(e.What, "lost") || strings.Contains(e.What, "refused") {
				t.Logf("%s %.3f s %s: %s %s", c.ID, e.TS, e.Peer, e.What, e.Detail)
			}
		}
	}
}

// trusted fails the test unless every peer connected. A machine under other load may make a run
// invalid, which is not what these tests are about.
func trusted(t *testing.T, run *metrics.Run) metrics.Cell {
	t.Helper()
	if len(run.Cells) != 1 {
		explain(t, run)
		t.Fatalf("got %d cells, want 1", len(run.Cells))
	}
	c := run.Cells[0]
	if p := c.Peers; p.Connected != p.Planned || p.Failed > 0 || p.Joined != p.Planned {
		explain(t, run)
		t.Fatalf("got peers %+v, want all connected", p)
	}
	return c
}

// wantExit checks a run's exit code. Load by others on this machine may have made the run invalid,
// which comes before the codes below it.
func wantExit(t *testing.T, run *metrics.Run, want int) {
	t.Helper()
	if run.ExitCode != want && run.ExitCode != ExitInvalid {
		explain(t, run)
		t.Errorf("got exit code %d, want %d", run.ExitCode, want)
	}
}

func TestTopologies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		topology string
		n        int
	}{{"p2p", 2}, {"mesh", 3}, {"conference", 3}} {
		t.Run(c.topology, func(t *testing.T) {
			t.Parallel()
			cell := trusted(t, carryOut(t, call(c.topology, c.n, "")))
			if got := merged(cell, "connect.total", metrics.Tags{}).Count; got != uint64(c.n) {
				t.Errorf("got %d samples of connect.total, want one a join", got)
			}
			for _, phase := range []string{"signaling", "offer_answer", "gathering", "ice", "dtls", "first_packet", "first_frame", "data_channel"} {
				if got := merged(cell, "connect."+phase, metrics.Tags{}).Count; got != uint64(c.n) {
					t.Errorf("got %d samples of connect.%s, want %d", got, phase, c.n)
				}
			}
			near(t, "upload per peer", float64(merged(cell, "bandwidth.peer.up", metrics.Tags{}).Avg), cell.Expected.PeerUpBPS, 0.12)
			near(t, "download per peer", float64(merged(cell, "bandwidth.peer.down", metrics.Tags{}).Avg), cell.Expected.PeerDownBPS, 0.12)
			if got := merged(cell, "media.loss", metrics.Tags{}); got.Max > 0 {
				t.Errorf("got a loss of %v on links that lose nothing", got.Max)
			}
			path := 40.0 // one peer's way up and the other's down
			if c.topology == "conference" {
				path = 40
			}
			if got := merged(cell, "media.delay", metrics.Tags{Kind: "audio"}).Med; float64(got) < path-0.1 || float64(got) > path+15 {
				t.Errorf("got a median audio delay of %v ms, want %v and little more", got, path)
			}
			if got := merged(cell, "media.fps", metrics.Tags{}).Avg; got < 14 || got > 16 {
				t.Errorf("got %v frames a second, want 15", got)
			}
			if got := merged(cell, "ice.selected", metrics.Tags{}).Sum; c.topology != "conference" && got != float64(c.n*(c.n-1)/2) {
				t.Errorf("got %v selected pairs, want one for each pair of peers", got)
			}
		})
	}
}

func TestDataChannel(t *testing.T) {
	t.Parallel()
	for _, topology := range []string{"mesh", "conference"} {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			cell := trusted(t, carryOut(t, call(topology, 3, "    data: {rate: 20, size: 200}\n")))
			if got := merged(cell, "data.rtt", metrics.Tags{}); got.Count < 60 || float64(got.Min) < 79 {
				t.Errorf("got data-channel round trips %d of at least %v, want most of 60 a second of at least 80 ms", got.Count, got.Min)
			}
			if got := merged(cell, "data.loss", metrics.Tags{}); got.Count != 6 || got.Max > 0.1 {
				t.Errorf("got data-channel losses %+v, want one for each of 6 directions, next to none", got)
			}
		})
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if want <= 0 || math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: got %.0f, want %.0f within %.0f %%", what, got, want, 100*tolerance)
	}
}

func TestRelayOnly(t *testing.T) {
	t.Parallel()
	for _, topology := range []string{"p2p", "conference"} {
		for _, transport := range []string{"udp", "tcp"} {
			t.Run(topology+" over "+transport, func(t *testing.T) {
				t.Parallel()
				text := call(topology, 2, "    ice: relay\n") + "server: {turn: {transports: [" + transport + "]}}\n"
				cell := trusted(t, carryOut(t, text))
				all := merged(cell, "ice.selected", metrics.Tags{})
				if relayed := merged(cell, "ice.selected", metrics.Tags{Candidate: "relay"}); relayed.Sum == 0 || relayed.Sum != all.Sum {
					t.Errorf("got %v relayed pairs of %v, want all", relayed.Sum, all.Sum)
				}
				if got := merged(cell, "bandwidth.turn", metrics.Tags{}).Avg; float64(got) < cell.Expected.PeerUpBPS {
					t.Errorf("got %v bit/s through the relay, want all media: more than %.0f", got, cell.Expected.PeerUpBPS)
				}
				if cell.ICEWaits.Relay != 0 {
					t.Errorf("got a relay wait of %v ms, want 0 where only relays are used", cell.ICEWaits.Relay)
				}
			})
		}
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	actions := `    actions:
      - {at: 200ms, do: mute, track: video, peers: 1}
      - {at: 500ms, do: publish, media: screen, peers: 1}
      - {at: 900ms, do: unmute, track: video, peers: 1}
      - {at: 1s, do: link, link: far}
      - {at: 1200ms, do: ice-restart, peers: 1}
      - {at: 1800ms, do: unpublish, media: screen, peers: 1}
      - {at: 2s, do: leave, peers: 1}
      - {at: 2400ms, do: rejoin, peers: 1}
`
	for _, topology := range []string{"mesh", "conference"} {
		t.Run(topology, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(call(topology, 3, actions), "  near:", "  far: {up: {delay: 30ms}, down: {delay: 30ms}}\n  near:", 1)
			run := carryOut(t, text)
			cell := trusted(t, run)
			seen := map[string]int{}
			for _, e := range cell.Events {
				if e.Peer == "people-0" {
					seen[e.What]++
				}
				if strings.HasSuffix(e.What, "-failed") {
					t.Errorf("%s at %.2f s: %s %s", e.Peer, e.TS, e.What, e.Detail)
				}
			}
			for _, what := range []string{"mute", "unmute", "publish", "unpublish", "link", "ice-restart", "leave", "rejoin"} {
				if seen[what] != 1 {
					t.Errorf("got %d events %q, want 1", seen[what], what)
				}
			}
			if got := merged(cell, "connect.total", metrics.Tags{}).Count; got != 4 {
				t.Errorf("got %d joins, want 3 and a rejoin", got)
			}
			screens := map[string]bool{}
			for _, p := range cell.PeersDetail {
				for _, tr := range p.Tracks {
					if strings.HasSuffix(tr.From, "_presentation") && tr.Packets > 0 {
						screens[p.Name] = true
					}
				}
			}
			// A conference plays a participant's screen back to it: only the camera is its own.
			if !screens["people-1"] || !screens["people-2"] || topology == "mesh" && screens["people-0"] {
				t.Errorf("got the screen at %v, want the others", screens)
			}
			if t.Failed() {
				explain(t, run)
			}
		})
	}
}

func TestDrop(t *testing.T) {
	t.Parallel()
	actions := "    actions:\n      - {at: 500ms, do: drop, peers: 1}\n      - {at: 1500ms, do: rejoin, peers: 1}\n"
	run := carryOut(t, call("conference", 3, actions))
	cell := trusted(t, run)
	if got := merged(cell, "connect.total", metrics.Tags{}).Count; got != 4 {
		explain(t, run)
		t.Errorf("got %d joins, want 3 and a rejoin", got)
	}
}

// TestBroken breaks a part of the lab in the middle of a run: the run ends in time, says what
// happened and keeps what it measured.
func TestBroken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, topology, extra string
		destroy               func(*lab)
	}{
		{"a peer's sockets", "mesh", "", func(l *lab) { l.hosts[0].Crash() }},
		{"the SFU's sockets", "conference", "", func(l *lab) { l.server.Crash() }},
		{"the TURN server", "p2p", "    ice: relay\n", func(l *lab) { _ = l.turn.Close() }},
		{"the signaling server", "conference", "", func(l *lab) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = l.rooms.Stop(ctx)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := 3
			if c.topology == "p2p" {
				n = 2
			}
			plan := planOf(t, strings.Replace(call(c.topology, n, c.extra), "duration: 3s", "duration: 5s", 1))
			timer := make(chan struct{})
			began := time.Now()
			run := Run(context.Background(), plan, Config{onLab: func(l *lab) {
				at := plan.Cells[0].MeasureFrom() + time.Second
				go func() {
					defer close(timer)
					time.Sleep(at)
					c.destroy(l)
				}()
			}})
			<-timer
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("the run took %v", took)
			}
			wantExit(t, run, ExitPeersFailed)
			cell := run.Cells[0]
			if cell.Peers.Failed == 0 || len(cell.Peers.Failures) == 0 {
				t.Errorf("got peers %+v, want failures with their kinds", cell.Peers)
			}
			if got := merged(cell, "media.delay", metrics.Tags{}).Count; got == 0 {
				t.Error("what was measured before is lost")
			}
		})
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	plan := planOf(t, strings.Replace(call("conference", 3, ""), "duration: 3s", "duration: 60s", 1))
	ctx, cancel := context.WithCancel(context.Background())
	stop := time.AfterFunc(plan.Cells[0].MeasureFrom()+1500*time.Millisecond, cancel)
	defer stop.Stop()
	run := Run(ctx, plan, Config{})
	if run.ExitCode != ExitInterrupted || run.Verdict != "interrupted" {
		t.Errorf("got %d %s, want 130 interrupted", run.ExitCode, run.Verdict)
	}
	if c := run.Cells[0]; merged(c, "media.delay", metrics.Tags{}).Count == 0 || c.DurationS < 0.5 || c.DurationS > 30 {
		t.Errorf("got a window of %v s and no delays, want what was measured", c.DurationS)
	}
}

func TestInterruptDuringJoins(t *testing.T) {
	t.Parallel()
	plan := planOf(t, strings.Replace(call("conference", 3, ""), "{every: 100ms}", "{every: 20s}", 1))
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	run := Run(ctx, plan, Config{})
	if p := run.Cells[0].Peers; p.Unfinished < 2 || p.Failed != 0 {
		t.Errorf("got %+v, want peers that had not joined unfinished, none failed", p)
	}
	if run.ExitCode != ExitInterrupted {
		t.Errorf("got exit code %d, want 130", run.ExitCode)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	text := strings.Replace(call("p2p", 2, ""), "duration: 3s", "duration: 60s", 1) +
		"thresholds:\n  media.delay: [{expr: \"avg < 10ms\", abort: true, after: 1s}]\n"
	began := time.Now()
	run := carryOut(t, text)
	wantExit(t, run, ExitThreshold)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the run took %v, want it ended early", took)
	}
	if len(run.Thresholds) != 1 || !run.Thresholds[0].Aborted {
		t.Errorf("got %+v, want the threshold that ended the run", run.Thresholds)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, kind string }{
		{
			"nothing passes", strings.Replace(call("p2p", 2, ""), "near: {up: {delay: 20ms}", "near: {up: {loss: 100%}", 1),
			"signal_timeout",
		},
		{
			"the relay is not there", call("p2p", 2, "    ice: relay\n") +
				"server: {turn: {urls: ['turn:127.0.0.1:9'], username: a, password: b}}\n", "gather_none",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run := carryOut(t, c.text+"join_timeout: 2s\n")
			wantExit(t, run, ExitPeersFailed)
			if p := run.Cells[0].Peers; p.Failed != 2 || p.Failures[c.kind] != 2 {
				t.Errorf("got %+v, want two peers with %s", p, c.kind)
			}
			if got := merged(run.Cells[0], "join.success", metrics.Tags{}); got.Count != 2 || got.Sum != 0 {
				t.Errorf("got join.success %+v, want two zeros", got)
			}
			if got := merged(run.Cells[0], "connect.total", metrics.Tags{}); got.Count != 2 || got.Min < 2000 {
				t.Errorf("got connect.total %+v, want two values of at least the time limit", got)
			}
		})
	}
}
