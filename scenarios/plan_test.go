package scenarios

import (
	"flag"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/bots/media"
)

var update = flag.Bool("update", false, "rewrite golden files")

// summary is a plan in words, for reading.
func summary(p Plan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s seed %d clock %s network %s thresholds %d\n", p.Name, p.Seed, p.Clock, p.Network, len(p.Thresholds))
	for _, c := range p.Cells {
		fmt.Fprintf(&b, "\ncell %s repeat %d vary %v seed %x\n", c.ID, c.Repeat, c.Vary, c.Seed)
		fmt.Fprintf(&b, "  warmup %s from %s for %s rooms %v\n", c.Warmup, c.MeasureFrom(), c.Duration, c.Rooms)
		fmt.Fprintf(&b, "  expected up %.0f down %.0f server %.0f/%.0f packets %.0f streams %d\n", c.Expected.PeerUpBPS,
			c.Expected.PeerDownBPS, c.Expected.ServerInBPS, c.Expected.ServerOutBPS, c.Expected.PacketsPerS, c.Expected.Streams)
		for _, q := range c.Peers {
			fmt.Fprintf(&b, "  %s at %s in %s behind %v %s wait %s seed %x publishes %s due %v from %s\n",
				q.Name, q.JoinAt, q.Room, q.Gateway, q.Firewall, q.RelayWait, q.Seed, streams(q.Publish), q.Due, q.DueFrom)
		}
		for _, a := range c.Actions {
			fmt.Fprintf(&b, "  %s peer %d %s %s%s%s due %v\n", a.At, a.Peer, a.Kind, a.Track, a.Publish.ID, a.Link, a.Due)
		}
	}
	return b.String()
}

func streams(list []Published) string {
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return strings.Join(ids, " ")
}

func TestGoldenPlan(t *testing.T) {
	src, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := parseText(t, string(src), Options{})
	got := summary(s.Plan(s.Seed))
	const golden = "testdata/example.plan"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
}

func TestExampleLinks(t *testing.T) {
	src, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c := parseText(t, string(src), Options{}).Plan(7).Cells[2]
	up := c.Peers[0].Up
	if up.RateBPS != 5_000_000 || up.Delay != 15*time.Millisecond || up.Jitter != 3*time.Millisecond ||
		up.LossRatio != 0.005 || up.Burst != 3 || up.QueueTime != 200*time.Millisecond {
		t.Errorf("got %+v", up)
	}
	for _, a := range c.Actions {
		if a.Kind != SwitchLink {
			continue
		}
		d := a.Down
		if a.Up.Delay != 60*time.Millisecond || d.Delay != 60*time.Millisecond || len(d.Schedule) != 2 ||
			*d.Schedule[0].Set.LossRatio != 0.2 || !d.Schedule[1].Blackout {
			t.Errorf("got %+v %+v", a.Up, d)
		}
	}
}

const lively = `name: x
peers:
  one: {count: 3, rooms: 2, join: {poisson: 2}, publish: [camera, screen], actions: [{at: 1s, do: drop, peers: 1}, {at: 2s, do: rejoin, peers: 1}]}
  two: {count: 2, join: {rate: 3}}
vary: {peers.one.receive: [all, none]}
repeat: 2
`

func TestPlanIsPure(t *testing.T) {
	s := parseText(t, lively, Options{})
	a, b := s.Plan(5), s.Plan(5)
	if !reflect.DeepEqual(a, b) {
		t.Error("equal seeds, unequal plans")
	}
	again := parseText(t, lively, Options{}).Plan(5)
	if !reflect.DeepEqual(a, again) {
		t.Error("equal texts, unequal plans")
	}
	a.Cells[0].Peers[0].JoinAt = 0
	a.Cells[0].Vary["x"] = 1
	if !reflect.DeepEqual(s.Plan(5), b) {
		t.Error("a changed plan changed the next")
	}
	if other := s.Plan(6); other.Cells[0].Peers[0].Seed == b.Cells[0].Peers[0].Seed {
		t.Error("unequal seeds, equal peers")
	}
	seeds := map[uint64]bool{}
	for _, c := range b.Cells {
		for _, p := range c.Peers {
			if seeds[p.Seed] {
				t.Errorf("cell %s repeat %d: %s shares its seed", c.ID, c.Repeat, p.Name)
			}
			seeds[p.Seed] = true
		}
	}
}

func TestMorePeersChangeNoOther(t *testing.T) {
	few := parseText(t, lively, Options{}).Plan(5).Cells[0].Peers
	many := parseText(t, lively, Options{Set: []Override{{"peers.one.count", "4"}, {"peers.zero", "{count: 1}"}}}).Plan(5).Cells[0].Peers
	byName := map[string]Peer{}
	for _, p := range many {
		byName[p.Name] = p
	}
	for _, p := range few {
		if q := byName[p.Name]; q.Seed != p.Seed || q.JoinAt != p.JoinAt {
			t.Errorf("%s: got seed %x at %s, want %x at %s", p.Name, q.Seed, q.JoinAt, p.Seed, p.JoinAt)
		}
	}
}

func TestJoinTimes(t *testing.T) {
	ms := time.Millisecond
	for join, want := range map[string][]time.Duration{
		"{every: 100ms}": {0, 100 * ms, 200 * ms, 300 * ms},
		"{at: 2s}":       {2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms},
		"{over: 10s}":    {0, 2500 * ms, 5000 * ms, 7500 * ms},
		"{rate: 5}":      {0, 200 * ms, 400 * ms, 600 * ms},
	} {
		s := parseText(t, "name: x\npeers: {a: {count: 4, join: "+join+"}}\n", Options{})
		var got []time.Duration
		for _, p := range s.Plan(1).Cells[0].Peers {
			got = append(got, p.JoinAt)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(join, d)
		}
	}
	n := 20_000
	times := schedule{kind: "poisson", rate: 5}.times(n, 1)
	if mean := times[n-1].Seconds() / float64(n); math.Abs(mean-0.2) > 0.2*4/math.Sqrt(float64(n)) {
		t.Errorf("got a mean gap of %gs, want 0.2s", mean)
	}
}

func TestDefaults(t *testing.T) {
	p := parseText(t, "name: x\npeers: {a: }\n", Options{}).Plan(1)
	c := p.Cells[0]
	q := c.Peers[0]
	if len(c.Peers) != 2 || q.Topology != "conference" || q.RelayWait != time.Second || c.JoinTimeout != 15*time.Second ||
		c.Peers[1].JoinAt != 250*time.Millisecond || q.Publish[0].Video.BitrateBPS != 500_000 || !q.Receive ||
		c.Server.MeshLimit != 6 || len(c.Server.TURN.Transports) != 2 || c.Duration != 10*time.Second || p.Clock != "wall" || p.Network != "sockets" {
		t.Errorf("got %+v", c)
	}
	relay := parseText(t, "name: x\npeers: {a: {ice: relay}}\n", Options{}).Plan(1).Cells[0].Peers[0]
	if relay.RelayWait != 0 || !relay.RelayOnly {
		t.Errorf("got a relay wait of %s, want 0", relay.RelayWait)
	}
	set := parseText(t, "name: x\npeers: {a: {ice: relay}}\nserver: {turn: {relay_wait: 2s}}\n", Options{}).Plan(1).Cells[0].Peers[0]
	if set.RelayWait != 2*time.Second {
		t.Errorf("got a relay wait of %s, want 2s", set.RelayWait)
	}
}

func TestRoomsAndNames(t *testing.T) {
	c := parseText(t, `name: x
peers:
  a: {count: 2, rooms: 2, room: shared}
  b: {count: 1, rooms: 2, room: shared, publish: []}
  c: {count: 1}
`, Options{}).Plan(1).Cells[0]
	var got []string
	for _, p := range c.Peers {
		got = append(got, p.Name+"@"+p.Room)
	}
	want := []string{"a-0@shared.0", "a-1@shared.0", "a-2@shared.1", "a-3@shared.1", "b-0@shared.0", "b-1@shared.1", "c-0@c"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	rooms := []Room{{"shared.0", "conference"}, {"shared.1", "conference"}, {"c", "conference"}}
	if d := cmp.Diff(rooms, c.Rooms); d != "" {
		t.Error(d)
	}
}

// dueOf is what a peer waits for, in short.
func dueOf(list []Due) string {
	var parts []string
	for _, d := range list {
		s := d.Stream
		if d.Audio {
			s += "+a"
		}
		if d.Video {
			s += "+v"
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " ")
}

func TestDue(t *testing.T) {
	c := parseText(t, `name: x
media:
  voice: {audio: {bitrate: 24kbps}}
peers:
  late: {count: 1, room: r, publish: [camera, screen, voice], join: {at: 3s}}
  early: {count: 2, room: r, publish: [], join: {every: 1s}}
  deaf: {count: 1, room: r, receive: none, publish: [voice], join: {at: 4s}}
  last: {count: 1, room: r, join: {at: 5s}}
`, Options{}).Plan(1).Cells[0]
	all := "late-0+a+v late-0_presentation+v late-0_voice+a"
	want := map[string]string{
		"late-0":  "deaf-0+a 4s", // the first who publishes waits for the next
		"early-0": all + " 3s", "early-1": all + " 3s",
		"deaf-0": " 4s",
		"last-0": all + " deaf-0+a 5s",
	}
	for _, p := range c.Peers {
		if got := dueOf(p.Due) + " " + p.DueFrom.String(); got != want[p.Name] {
			t.Errorf("%s: got %q, want %q", p.Name, got, want[p.Name])
		}
	}
}

func TestRejoinDue(t *testing.T) {
	c := parseText(t, `name: x
peers:
  a:
    count: 4
    actions:
      - {at: 5s, do: rejoin, peers: 2}
      - {at: 1s, do: publish, media: screen, peers: 3}
      - {at: 2s, do: mute, track: audio, peers: 3}
      - {at: 3s, do: leave, peers: 2}
`, Options{}).Plan(1).Cells[0]
	var got []string
	for _, a := range c.Actions {
		if a.Kind == Rejoin {
			got = append(got, fmt.Sprintf("%s %d %s", a.At, a.Peer, dueOf(a.Due)))
		}
	}
	want := []string{
		"5s 0 a-2+v a-2_presentation+v a-3+a+v",
		"5s 1 a-0+a+v a-2+v a-2_presentation+v a-3+a+v",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestExpectedOracle(t *testing.T) {
	const n, b = 5, 532_000
	publishes, receives := make([]flow, n), make([]bool, n)
	for i := range publishes {
		publishes[i], receives[i] = flow{bps: b, packets: 100, tracks: 2}, true
	}
	mesh := loadOf("mesh", publishes, receives)
	if mesh.up[0].bps != 2_128_000 || mesh.down[0].bps != 2_128_000 || mesh.serverIn.bps != 0 || mesh.serverOut.bps != 0 {
		t.Errorf("got mesh %+v", mesh)
	}
	total := 0.0
	for _, f := range mesh.up {
		total += f.bps
	}
	if total != 10_640_000 {
		t.Errorf("got a mesh total of %g, want 10640000", total)
	}
	conference := loadOf("conference", publishes, receives)
	if conference.up[0].bps != b || conference.down[0].bps != 2_128_000 || conference.serverIn.bps != n*b || conference.serverOut.bps != 10_640_000 {
		t.Errorf("got conference %+v", conference)
	}
}

func TestExpectedOfThoseWhoOnlyWatch(t *testing.T) {
	publishes := []flow{{bps: 100, tracks: 1}, {}, {}}
	receives := []bool{false, true, true}
	for topology, want := range map[string][]float64{"mesh": {200, 0, 0, 200}, "conference": {100, 100, 200, 200}} {
		l := loadOf(topology, publishes, receives)
		down := l.down[0].bps + l.down[1].bps + l.down[2].bps
		if got := []float64{l.up[0].bps, l.serverIn.bps, l.serverOut.bps, down}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", topology, got, want)
		}
	}
}

func TestVirtualCost(t *testing.T) {
	p := parseText(t, `name: x
duration: 7s
warmup: 2s
repeat: 2
peers:
  people: {count: 2, topology: p2p, join: {every: 1s}}
`, Options{}).Plan(1)
	// Two peers send 50 packets of sound and 60 of pictures a second, for 1 + 2 + 7 seconds, twice.
	if packets, callTime := p.VirtualCost(); packets != 2*2*110*10 || callTime != 20*time.Second {
		t.Errorf("got %g packets in %s, want 4400 in 20s", packets, callTime)
	}
}

func TestWire(t *testing.T) {
	audio := wire(media.Stream{Audio: &media.Audio{BitrateBPS: 32_000}})
	if audio.packets != 50 || audio.bps != 50*(80+68)*8 {
		t.Errorf("got audio %+v", audio)
	}
	video := wire(media.Stream{Video: &media.Video{BitrateBPS: 500_000, FPS: 30}})
	if video.packets != 60 || video.bps != 500_000+60*68*8 {
		t.Errorf("got video %+v", video)
	}
}

func BenchmarkPlan(b *testing.B) {
	s, err := Parse("b.yaml", []byte("name: x\npeers: {a: {count: 10, rooms: 100, join: {poisson: 50}}}\n"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Plan(1)
	}
}
