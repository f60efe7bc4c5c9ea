package reports

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
)

const (
	streamBPS = 586_000 // one camera on the wire
	fixSeed   = 7
)

// hostile are names that break careless writers.
func hostile() []string {
	return []string{`<script>alert(1)</script>`, `]]>`, "a|b`c\x1b[31m\x00\u202e", `=cmd()`, `"quoted" & 'more'`}
}

func baseRun() *metrics.Run {
	return &metrics.Run{
		Schema: metrics.Schema,
		Tool:   metrics.Tool{Version: "v0.1.0", Go: "go1.26.0", Pion: map[string]string{"webrtc": "v4.2.20", "ice": "v4.4.2", "turn": "v4.1.4"}},
		Scenario: metrics.ScenarioInfo{
			Name: "mesh-vs-conference", Description: "The same call as a mesh and as a conference, two to eight people",
			SHA256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Seed: fixSeed, Clock: "wall", Network: "sockets",
			Source: "name: mesh-vs-conference\nseed: 7\npeers:\n  people:\n    count: 4\n    topology: mesh\n",
		},
		Host:    metrics.HostInfo{CPUs: 2, CPU: "Example CPU @ 2.5 GHz", OS: "linux", Kernel: "6.8.0", Arch: "amd64"},
		Started: time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.FixedZone("somewhere", 3600)), ElapsedS: 318.4, SimulatedS: 331.5,
		Verdict: "pass", Audit: metrics.RunAudit{Valid: true},
	}
}

// callFixture is a run of mesh and conference with the given numbers of participants.
func callFixture(sizes ...int) *metrics.Run {
	run := baseRun()
	r := rand.New(rand.NewPCG(fixSeed, 1))
	for _, n := range sizes {
		for _, top := range []string{"conference", "mesh"} {
			run.Cells = append(run.Cells, callCell(r, top, n, 22))
		}
	}
	return run
}

func callCell(r *rand.Rand, top string, n, secs int) metrics.Cell {
	c := metrics.Cell{
		ID:   fmt.Sprintf("peers.people.count=%d,peers.people.topology=%s", n, top),
		Vary: map[string]any{"peers.people.count": n, "peers.people.topology": top}, WarmupS: 2, DurationS: float64(secs - 2),
		ICEWaits: metrics.ICEWaits{Relay: 1000}, Expected: expectedCall(top, n),
		Peers: metrics.PeerCounts{Planned: n, Joined: n, Connected: n, Failures: map[string]int{}},
		Audit: metrics.CellAudit{
			Valid: true, CPU: 0.08 * float64(n), CPUs: 2, MemoryBytes: 64<<20 + int64(n)<<20, Sockets: 2 * n,
			LatenessMS: metrics.Spread{P50: 0.02, P99: 0.4}, SendLatenessMS: metrics.Spread{P50: 0.1, P99: 0.9},
			PacketsSent: uint64(n * 9000), PacketsReceived: uint64(n * (n - 1) * 9000), CPUPerPacketUS: 4.2,
		},
	}
	tags := metrics.Tags{Group: "people", Topology: top}
	b := entries{r: r}
	b.raw("connect.signaling", tags, "ms", n, 14, 3)
	b.raw("connect.offer_answer", tags, "ms", n, 62, 10)
	gathered := tags
	gathered.Candidate = "host"
	b.raw("connect.gathering", gathered, "ms", n, 9, 2)
	b.raw("connect.ice", tags, "ms", n, 230, 30)
	b.raw("connect.dtls", tags, "ms", n, 95, 12)
	b.raw("connect.first_frame", tags, "ms", n, 520+20*float64(n), 60)
	b.raw("connect.total", tags, "ms", n, 560+30*float64(n), 90)
	b.raw("bandwidth.peer.up", tags, "bit/s", n, c.Expected.PeerUpBPS*1.012, c.Expected.PeerUpBPS*0.01)
	b.raw("bandwidth.peer.down", tags, "bit/s", n, c.Expected.PeerDownBPS*0.996, c.Expected.PeerDownBPS*0.02)
	if top == "conference" {
		b.raw("bandwidth.server.in", metrics.Tags{}, "bit/s", 1, c.Expected.ServerInBPS*1.01, 0)
		b.raw("bandwidth.server.out", metrics.Tags{}, "bit/s", 1, c.Expected.ServerOutBPS*0.99, 0)
	}
	for _, kind := range []string{"audio", "video"} {
		k := tags
		k.Kind = kind
		b.hist("media.delay", k, 400*n, delayOf(top, kind))
		b.raw("media.loss", k, "ratio", n*(n-1), 0.0011, 0.0004)
		b.raw("media.loss_wire", k, "ratio", n*(n-1), 0.0061, 0.001)
		if kind == "video" {
			b.raw("media.fps", k, "1/s", n*(n-1), 29.7, 0.3)
			b.raw("media.freeze_ratio", k, "ratio", n*(n-1), 0, 0)
		}
	}
	c.Metrics = b.list
	c.Series, c.Events = callSeries(r, top, secs, c.Expected), callEvents(n, secs)
	c.Links, c.PeersDetail = callLinks(r, n), callPeers(r, top, n, c.Expected)
	return c
}

func delayOf(top, kind string) float64 {
	d := 34.0
	if top == "conference" {
		d = 33.5
	}
	if kind == "video" {
		d += 9
	}
	return d
}

func expectedCall(top string, n int) metrics.Expected {
	e := metrics.Expected{Participants: n, StreamBPS: streamBPS, Streams: n * (n - 1) * 2, PeerDownBPS: float64(n-1) * streamBPS}
	if top == "mesh" {
		e.PeerUpBPS = float64(n-1) * streamBPS
		return e
	}
	e.PeerUpBPS, e.ServerInBPS, e.ServerOutBPS = streamBPS, float64(n)*streamBPS, float64(n*(n-1))*streamBPS
	return e
}

// entries makes metrics with plausible spread.
type entries struct {
	r    *rand.Rand
	list []metrics.Entry
}

func (b *entries) raw(name string, t metrics.Tags, unit string, n int, mean, sd float64) {
	e := metrics.Entry{
		Name: name, Tags: t, Unit: unit, Count: uint64(n), Min: metrics.Missing(), Max: metrics.Missing(),
		Med: metrics.Missing(), P90: metrics.Missing(), P95: metrics.Missing(), P99: metrics.Missing(),
	}
	for range n {
		v := max(mean+sd*b.r.NormFloat64(), 0)
		e.Values = append(e.Values, v)
		e.Sum += v
		if !e.Min.Valid() || metrics.Value(v) < e.Min {
			e.Min = metrics.Value(v)
		}
		if !e.Max.Valid() || metrics.Value(v) > e.Max {
			e.Max = metrics.Value(v)
		}
	}
	e.Avg = metrics.Value(e.Sum / float64(max(n, 1)))
	b.list = append(b.list, e)
}

func (b *entries) hist(name string, t metrics.Tags, n int, mean float64) {
	h := metrics.NewHist()
	for range n {
		h.Record(int64(1000 * max(mean+3*b.r.NormFloat64()+b.r.ExpFloat64()*2, 1)))
	}
	b.list = append(b.list, metrics.Entry{
		Name: name, Tags: t, Unit: "ms", Count: h.Count(), Sum: float64(h.Sum()) / 1000,
		Min: metrics.Value(float64(h.Min()) / 1000), Max: metrics.Value(float64(h.Max()) / 1000), Avg: metrics.Value(float64(h.Sum()) / 1000 / float64(n)),
		Med: metrics.Missing(), P90: metrics.Missing(), P95: metrics.Missing(), P99: metrics.Missing(), Hist: h,
	})
}

func callSeries(r *rand.Rand, top string, secs int, e metrics.Expected) []metrics.Series {
	wave := func(mean, spread float64, from int, dip bool) []metrics.Value {
		vs := make([]metrics.Value, secs)
		for i := range vs {
			switch {
			case i < from:
				vs[i] = metrics.Missing()
			case dip && i >= 14 && i < 18:
				vs[i] = metrics.Value(mean*3 + spread*r.Float64())
			default:
				vs[i] = metrics.Value(mean + spread*r.Float64())
			}
		}
		return vs
	}
	g := metrics.Tags{Group: "people", Topology: top}
	audio, video := g, g
	audio.Kind, video.Kind = "audio", "video"
	list := []metrics.Series{
		{Name: "media.delay", Tags: audio, Unit: "ms", StepS: 1, Values: wave(33, 4, 1, true)},
		{Name: "media.delay", Tags: video, Unit: "ms", StepS: 1, Values: wave(42, 5, 1, true)},
		{Name: "media.loss", Tags: g, Unit: "ratio", StepS: 1, Values: wave(0.002, 0.004, 1, true)},
		{Name: "bandwidth.peer.up", Tags: g, Unit: "bit/s", StepS: 1, Values: wave(e.PeerUpBPS, 30_000, 0, false)},
		{Name: "bandwidth.peer.down", Tags: g, Unit: "bit/s", StepS: 1, Values: wave(e.PeerDownBPS, 60_000, 0, false)},
		{Name: "generator.cpu", Tags: metrics.Tags{}, Unit: "cores", StepS: 1, Values: wave(0.4, 0.1, 0, false)},
	}
	if top == "conference" {
		list = append(list, metrics.Series{Name: "bandwidth.server.out", Unit: "bit/s", StepS: 1, Values: wave(e.ServerOutBPS, 200_000, 0, false)})
	}
	return list
}

func callEvents(n, secs int) []metrics.Event {
	var es []metrics.Event
	for i := range n {
		es = append(es, metrics.Event{TS: 0.25 * float64(i), Peer: fmt.Sprintf("people-%d", i), What: "join"},
			metrics.Event{TS: float64(secs) - 0.2, Peer: fmt.Sprintf("people-%d", i), What: "leave"})
	}
	return es
}

func callLinks(r *rand.Rand, n int) []metrics.Link {
	var ls []metrics.Link
	for i := range n {
		for _, dir := range []string{"up", "down"} {
			offered := uint64(20_000)
			lost := uint64(100 + r.IntN(20))
			ls = append(ls, metrics.Link{
				Host: fmt.Sprintf("people-%d", i), Direction: dir, Offered: offered, Lost: lost, Delivered: offered - lost,
				ConfiguredLoss: 0.005, DeliveredLoss: float64(lost) / float64(offered), Burst: 3, ConfiguredDelayMS: 15,
				DelayMS: metrics.DelayRange{P50: metrics.Value(15 + 0.2*r.Float64()), P99: metrics.Value(22 + r.Float64())},
			})
		}
	}
	return ls
}

func callPeers(r *rand.Rand, top string, n int, e metrics.Expected) []metrics.PeerDetail {
	ps := make([]metrics.PeerDetail, n)
	for i := range ps {
		ps[i] = metrics.PeerDetail{
			Name: fmt.Sprintf("people-%d", i), Group: "people", Room: "people-0", Topology: top, State: "connected",
			Connect: map[string]float64{"signaling": 14, "ice": 230, "total": 600 + 50*r.Float64()}, Candidate: "host", UpBPS: e.PeerUpBPS, DownBPS: e.PeerDownBPS,
		}
		for j := range n {
			for _, kind := range []string{"audio", "video"} {
				if j != i {
					ps[i].Tracks = append(ps[i].Tracks, trackFixture(r, j, kind))
				}
			}
		}
	}
	return ps
}

func trackFixture(r *rand.Rand, from int, kind string) metrics.TrackDetail {
	t := metrics.TrackDetail{
		From: fmt.Sprintf("people-%d", from), Kind: kind, Packets: 1000, LossWire: 0.005 + 0.002*r.Float64(), Loss: 0.002 * r.Float64(),
		DelayP50MS: metrics.Value(33 + r.Float64()), DelayP95MS: metrics.Value(44 + 4*r.Float64()), JitterMS: 2, FPS: metrics.Missing(), NACK: r.IntN(9), PLI: r.IntN(2),
	}
	if kind == "video" {
		t.FPS = metrics.Value(29.5 + 0.5*r.Float64())
	}
	return t
}

// failedFixture is the full comparison with a threshold crossed, actions in one cell, a peer that
// failed and names that break careless writers.
func failedFixture() *metrics.Run {
	run := callFixture(2, 3, 4, 5, 6, 8)
	run.Verdict, run.ExitCode = "fail", 5
	last := &run.Cells[len(run.Cells)-1]
	last.Peers = metrics.PeerCounts{Planned: 8, Joined: 8, Connected: 7, Failed: 1, Failures: map[string]int{"ice_timeout": 1, "dtls_failed": 0}}
	names := hostile()
	last.PeersDetail = append([]metrics.PeerDetail{{
		Name: names[0], Group: names[1], Room: names[2], Topology: "mesh", State: "failed",
		Failure: "ice_timeout", Detail: "no pair worked " + names[1] + names[2],
	}}, last.PeersDetail[:7]...)
	last.Events = append(last.Events,
		metrics.Event{TS: 8, Peer: "people-0", What: "mute", Detail: "audio"}, metrics.Event{TS: 8, Peer: "people-1", What: "mute", Detail: "audio"},
		metrics.Event{TS: 10, Peer: "people-1", What: "publish", Detail: "screen"}, metrics.Event{TS: 10.4, Peer: names[0], What: "failed", Detail: names[2]},
		metrics.Event{TS: 12, Peer: "people-0", What: "unmute", Detail: "audio"}, metrics.Event{TS: 14, Peer: "people-2", What: "link", Detail: "train"},
		metrics.Event{TS: 18, Peer: "people-2", What: "link", Detail: "home"}, metrics.Event{TS: 18.3, Peer: "people-3", What: "drop"},
		metrics.Event{TS: 20.5, Peer: "people-3", What: "rejoin"})
	for i := range last.Links {
		last.Links[i].Varies = last.Links[i].Host == "people-2"
	}
	for i := range run.Cells {
		c := &run.Cells[i]
		run.Thresholds = append(run.Thresholds, metrics.ThresholdResult{
			Metric: "connect.total", Expr: "p(95) < 3s", Cell: c.ID, Value: metrics.Value(700 + 10*i),
			Limit: 3000, Unit: "ms", Samples: c.Peers.Connected, Verdict: "pass",
		})
	}
	run.Thresholds = append(run.Thresholds,
		metrics.ThresholdResult{Metric: "media.loss{group=" + names[0] + "}", Expr: "avg < 0.1%", Cell: last.ID, Value: 0.0123, Limit: 0.001, Unit: "ratio", Samples: 112, Verdict: "fail", Aborted: true},
		metrics.ThresholdResult{Metric: "data.rtt", Expr: "p(95) < 200ms", Cell: last.ID, Value: metrics.Missing(), Limit: 200, Unit: "ms", Verdict: "no data"})
	return run
}

// interruptedFixture was stopped before anything was measured.
func interruptedFixture() *metrics.Run {
	run := baseRun()
	run.Verdict, run.ExitCode, run.ElapsedS, run.SimulatedS = "interrupted", 130, 0.8, 0
	run.Cells = []metrics.Cell{{ID: "", Peers: metrics.PeerCounts{Planned: 4, Unfinished: 4}, Audit: metrics.CellAudit{Valid: true}}}
	return run
}

// invalidFixture could not keep its own time.
func invalidFixture() *metrics.Run {
	run := callFixture(4)
	run.Verdict, run.ExitCode = "invalid", 6
	run.Audit = metrics.RunAudit{Findings: []metrics.Finding{
		{ID: "emulator-late", Cell: run.Cells[0].ID, Measured: 41.5, Allowed: 5, Text: "packets left the emulated links 41.5 ms late (p99); use fewer peers or the virtual clock"},
		{ID: "generator-cpu", Cell: run.Cells[0].ID, Measured: 1.98, Allowed: 1.7, Text: "the process used 1.98 of 2 cores"},
	}}
	run.Cells[0].Audit.Valid = false
	return run
}

// emptyFixture failed before the first cell.
func emptyFixture() *metrics.Run {
	run := baseRun()
	run.Verdict, run.ExitCode, run.Error = "error", 1, "listen udp 127.0.0.1:0: too many open files "+hostile()[1]
	return run
}

// viewersFixture is one large conference of publishers and viewers, with repeats and links varied.
func viewersFixture() *metrics.Run {
	run := baseRun()
	run.Scenario.Name = "viewers"
	r := rand.New(rand.NewPCG(fixSeed, 2))
	for _, link := range []string{"home", "train"} {
		for repeat := range 2 {
			c := callCell(r, "conference", 5, 12)
			c.ID, c.Repeat = "peers.people.link="+link, repeat
			c.Vary = map[string]any{"peers.people.link": link}
			run.Cells = append(run.Cells, c)
		}
	}
	return run
}

// largeFixture has n peers in one conference, all with tracks from one publisher each.
func largeFixture(n int) *metrics.Run {
	run := baseRun()
	run.Cells = []metrics.Cell{callCell(rand.New(rand.NewPCG(fixSeed, 3)), "conference", n, 120)}
	return run
}
