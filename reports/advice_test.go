package reports

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

// exactCall is a cell in which every peer carried exactly so much.
func exactCall(topology string, n int, up, down, serverOut float64) metrics.Cell {
	tags := metrics.Tags{Topology: topology}
	each := func(v float64) []float64 {
		vs := make([]float64, n)
		for i := range vs {
			vs[i] = v
		}
		return vs
	}
	entry := func(name string, t metrics.Tags, vs []float64) metrics.Entry {
		e := metrics.Entry{Name: name, Tags: t, Count: uint64(len(vs)), Values: vs}
		for _, v := range vs {
			e.Sum += v
		}
		return e
	}
	return metrics.Cell{
		Vary:     map[string]any{"peers.people.topology": topology, "peers.people.count": n},
		Expected: metrics.Expected{Participants: n, PeerUpBPS: up / 1.02, PeerDownBPS: down / 0.99, ServerOutBPS: serverOut},
		Peers:    metrics.PeerCounts{Planned: n, Joined: n, Connected: n},
		Metrics: []metrics.Entry{
			entry("bandwidth.peer.up", tags, each(up)), entry("bandwidth.peer.down", tags, each(down)),
			entry("bandwidth.server.in", metrics.Tags{}, []float64{serverOut / float64(n-1)}),
			entry("bandwidth.server.out", metrics.Tags{}, []float64{serverOut}),
			entry("media.delay", tags, []float64{40, 50}),
		},
		Audit: metrics.CellAudit{Valid: true, CPUPerPacketUS: 12.5, MemoryBytes: int64(n) * 8 << 20, Sockets: 17 * n},
	}
}

func TestAdvice(t *testing.T) {
	run := &metrics.Run{Audit: metrics.RunAudit{Valid: true}, Cells: []metrics.Cell{
		exactCall("mesh", 2, 400e3, 400e3, 0), exactCall("mesh", 8, 2.8e6, 2.8e6, 0),
		exactCall("conference", 2, 400e3, 400e3, 800e3), exactCall("conference", 8, 400e3, 2.8e6, 22.4e6),
	}}
	want := []string{
		"At 8 participants a mesh takes 7 times the upload of a conference from each person (2.80 Mbit/s against 400 kbit/s); in exchange the server of the conference sends 22.4 Mbit/s, and a mesh needs no media server.",
		"A mesh of 8 costs each person 2.80 Mbit/s of upload (400 kbit/s more for each further one), 2.80 Mbit/s of download (400 kbit/s more for each further one).",
		"A conference of 8 costs each person 400 kbit/s of upload (the same at every size measured), 2.80 Mbit/s of download (400 kbit/s more for each further one); the server receives 3.20 Mbit/s and sends 22.4 Mbit/s.",
		"Media delay at 8 participants: median 40 ms and p95 50 ms in the mesh, 40 ms and 50 ms in the conference.",
		"Measured against the closed form, at the most: upload +2.0 % (mesh of 2), download -1.0 % (mesh of 2), server output +0.0 % (conference of 2). The closed form is media alone: RTCP, STUN, repair and data come on top of it, and what is lost does not arrive.",
	}
	if d := cmp.Diff(want, Build(run).Advice); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	run.Audit.Valid = false
	if got := Build(run).Advice[0]; !strings.Contains(got, "audit") {
		t.Errorf("invalid run: got %q first", got)
	}
	run.Cells[3].Events = []metrics.Event{{TS: 3, What: "drop", Peer: "people-1"}}
	if got := Build(run).Advice; !strings.HasSuffix(got[len(got)-1], "here some came and went.") {
		t.Errorf("churn: got %q last", got[len(got)-1])
	}
}

func TestCostLine(t *testing.T) {
	run := &metrics.Run{Cells: []metrics.Cell{exactCall("mesh", 2, 1, 1, 0), exactCall("conference", 8, 1, 1, 1)}}
	if got, want := costLine(run), "12.5 µs CPU per packet, 8 MiB and 17 sockets per peer (conference, 8 peers)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range run.Cells { // as on the virtual clock
		run.Cells[i].Audit.CPUPerPacketUS, run.Cells[i].Audit.MemoryBytes = 0, 0
	}
	if got, want := costLine(run), "17 sockets per peer (conference, 8 peers)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := costLine(emptyFixture()); got != "" {
		t.Errorf("no cell: got %q", got)
	}
}

// TestAuditLineNamesOnlyWhatWasThere keeps links that were not emulated from being called punctual.
func TestAuditLineNamesOnlyWhatWasThere(t *testing.T) {
	run := &metrics.Run{Audit: metrics.RunAudit{Valid: true}, Cells: []metrics.Cell{exactCall("mesh", 2, 1, 1, 0)}}
	run.Cells[0].Audit.PacketsSent, run.Cells[0].Audit.SendLatenessMS.P99 = 10, 1.25
	if got, want := auditLine(run), "valid, late p99: frames 1.25 ms, 0 socket drops"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	run.Cells[0].Audit.LatenessMS.P99 = 0.5
	if got, want := auditLine(run), "valid, late p99: frames 1.25 ms, links 0.5 ms, 0 socket drops"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMarkedLeavesOutWhatFollows(t *testing.T) {
	var got []string
	for _, h := range marked([]metrics.Event{
		{TS: 0, Peer: "a", What: "join"},
		{TS: 0.3, Peer: "a", What: "connected"},
		{TS: 9, Peer: "a", What: "rejoin"},
		{TS: 9.001, Peer: "a", What: "join"},
		{TS: 9.2, Peer: "a", What: "connected"},
	}) {
		got = append(got, markText(h))
	}
	if d := cmp.Diff([]string{"join (a)", "rejoin (a)"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestRelayIsTold keeps a TURN server that only keeps allocations from looking as if it relayed.
func TestRelayIsTold(t *testing.T) {
	for turn, want := range map[metrics.Value]bool{metrics.Missing(): false, 0: false, 8e3: false, 2.4e6: true} {
		c := CellRow{TURN: turn, Up: 600e3}
		if c.relayed() != want {
			t.Errorf("TURN %v: got %v, want %v", float64(turn), !want, want)
		}
	}
}
