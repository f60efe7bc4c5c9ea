package scenarios

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const minimal = "name: x\npeers:\n  people: {count: 2}\n"

func parseText(t *testing.T, src string, o Options) *Scenario {
	t.Helper()
	s, err := Parse("test.yaml", []byte(src), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// broken is a file with one fault. At the place of the fault the text has the mark "§", which is
// removed before parsing.
type broken struct{ src, message string }

const oneGroup = "name: x\npeers:\n  people:\n    "

// simulated goes on where oneGroup or minimal ends.
const simulated = minimal + "network: simulated\n"

func brokenFiles() []broken {
	return []broken{
		// The document.
		{"§", "the file is empty"},
		{"§# nothing\n", "the file is empty"},
		{"§- a\n- b\n", "a mapping is wanted here, not a list"},
		{minimal + "---\n§name: y\n", "a second YAML document"},
		{"name: x\npeers: §{people: {count: 2}\n", "not valid YAML"},
		{"name: x\na: §[\n", "not valid YAML"},
		{"name: §!!str x\npeers: {a: {}}\n", "tags such as"},
		{"name: §\x01x\npeers: {a: {}}\n", "control character U+0001"},
		{"name: §\xff\npeers: {a: {}}\n", "not UTF-8"},
		{"name: x\n§name: y\npeers: {a: {}}\n", `"name" stands twice; first in line 1`},
		{"name: x\npeers: {a: {count: 2, §count: 3}}\n", `"count" stands twice`},
		{"name: x\npeers: §*nobody\n", "no anchor &nobody"},
		{"name: x\npeers: {a: " + strings.Repeat("[", 31) + "§[", "nested too deeply"},
		{"name: x\npeers: &p\n  a: §*p\n", "no anchor &p"},
		// Keys.
		{"§peers: {a: {}}\n", "name is missing"},
		{"§name: x\n", "peers is missing"},
		{"name: x\npeers: §{}\n", "empty; at least 1"},
		{minimal + "§durration: 5s\n", `unknown key "durration"; did you mean "duration"?`},
		{oneGroup + "§cuont: 2\n", `unknown key "cuont"; did you mean "count"?`},
		{oneGroup + "§xyzzy: 2\n", `unknown key "xyzzy"`},
		{"name: x\npeers: {§a b: {}}\n", `"a b" cannot be a name here`},
		// Scalars and units.
		{"name: §5\npeers: {a: {}}\n", "text is wanted here, not a whole number"},
		{"name: §\"\"\npeers: {a: {}}\n", "the text is empty"},
		{"name: §" + strings.Repeat("n", 101) + "\npeers: {a: {}}\n", "101 characters; at most 100"},
		{minimal + "duration: §20\n", `"20" has no unit; a duration is written like 20ms or 5s`},
		{minimal + "duration: §20 sec\n", "no space between number and unit"},
		{minimal + "duration: §20sec\n", `unknown unit "sec"; a duration is written in us, µs, ms, s, m, h`},
		{minimal + "duration: §-5s\n", "below zero"},
		{minimal + "duration: §0s\n", "out of range"},
		{minimal + "duration: §soon\n", "is not a duration"},
		{minimal + "duration: §[5s]\n", "a duration like 5s is wanted here, not a list"},
		{minimal + "§duration:\n", "a duration like 5s is wanted here, not nothing"},
		{minimal + "allow_failed: §0.02\n", "has no unit; a share is written like 2%"},
		{minimal + "allow_failed: §120%\n", "more than 100%"},
		{minimal + "seed: §-1\n", `"-1" is not a whole number`},
		{minimal + "repeat: §1.5\n", `"1.5" is not a whole number`},
		{minimal + "repeat: §0\n", "out of range; from 1 to 1000"},
		{minimal + "clock: §Virtual\n", `"Virtual" is not allowed here; it is one of wall, virtual; did you mean "virtual"?`},
		{oneGroup + "count: §\"4\"\n", "not text in quotes"},
		{oneGroup + "count: §two\n", `"two" is not a whole number`},
		{oneGroup + "count: §0x10\n", "is not a whole number"},
		{oneGroup + "count: §-3\n", "out of range"},
		{oneGroup + "data: {rate: 5, size: §4}\n", "out of range; from 16 to 65536"},
		{oneGroup + "data: §{size: 40}\n", "rate is missing"},
		// Links.
		{minimal + "links: {l: {up: {rate: §5}}}\n", `"5" has no unit; a rate is written like`},
		{minimal + "links: {l: {up: {rate: §5Mbit/s}}}\n", `unknown unit "Mbit/s"; a rate is written in bps, kbps, Mbps, Gbps`},
		{minimal + "links: {l: {up: {rate: §0Mbps}}}\n", "out of range; from 1kbps to 1000Gbps"},
		{minimal + "links: {l: {up: {queue: §64}}}\n", "a queue is written like 200ms or 64KB"},
		{minimal + "links: {l: {up: {loss: 50%, burst: §1.0}, down: {loss: 80%, burst: 3}}}\n", ""},
		{minimal + "links: {l: {down: {loss: 80%, burst: §3}}}\n", "burst: 3 is impossible at 80% loss; bursts are then at least 4 packets long"},
		{minimal + "links: {l: {rtt: 80ms, up: {delay: §15ms}}}\n", "up.delay and rtt say the same thing twice"},
		{minimal + "links: {l: {up: {schedule: [§{at: 1s}]}}}\n", "a change needs set or blackout: true"},
		{minimal + "links: {l: {up: {schedule: [{at: 1s, set: {§trace: x}}]}}}\n", `unknown key "trace"`},
		{minimal + "links: {l: {up: {trace: §nowhere.trace}}}\n", "cannot be read here"},
		{minimal + "links: {l: {nat: §symmetric}}\n", "nat: symmetric needs network: simulated"},
		{minimal + "links: {l: {nat: {kind: §symmetric, shared: true}}}\n", "nat: symmetric needs network: simulated; on sockets the machine's own network counts"},
		{simulated + "links: {l: {nat: §cone}}\n", `"cone" is not allowed here; it is one of none, full-cone, restricted, port-restricted, symmetric`},
		{simulated + "links: {l: {nat: §5}}\n", "a mapping is wanted here, not a whole number; its keys are kind, timeout, hairpin, ports, shared, carrier"},
		{simulated + "links: {l: {nat: §{timeout: 30s}}}\n", "kind is missing"},
		{simulated + "links: {l: {nat: {kind: §cone}}}\n", `"cone" is not allowed here`},
		{simulated + "links: {l: {nat: {kind: symmetric, §timeuot: 30s}}}\n", `unknown key "timeuot"; did you mean "timeout"?`},
		{simulated + "links: {l: {nat: {kind: symmetric, timeout: §999ms}}}\n", "999ms is out of range; from 1s to 24h0m0s"},
		{simulated + "links: {l: {nat: {kind: symmetric, ports: §odd}}}\n", "it is one of preserve, parity, random"},
		{simulated + "links: {l: {nat: {kind: symmetric, shared: §office}}}\n", `"office" is neither true nor false`},
		{simulated + "links: {l: {nat: {kind: none, timeout: §30s}}}\n", "timeout has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: none, hairpin: §false}}}\n", "hairpin has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: none, ports: §random}}}\n", "ports has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: none, shared: §true}}}\n", "shared has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: none, carrier: §symmetric}}}\n", "carrier has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: symmetric, carrier: §cgn}}}\n", `"cgn" is not allowed here`},
		{simulated + "links: {l: {nat: {kind: symmetric, carrier: §{timeout: 30s}}}}\n", "kind is missing"},
		{simulated + "links: {l: {nat: {kind: symmetric, carrier: {kind: none, timeout: §30s}}}}\n", "timeout has no meaning with kind: none"},
		{simulated + "links: {l: {nat: {kind: symmetric, carrier: {kind: symmetric, §shared: true}}}}\n", `unknown key "shared"`},
		{simulated + "links: {l: {nat: none}}\nvary: {links.l.nat.timeout: [§30s]}\n", "timeout has no meaning with kind: none"},
		{minimal + "links: {l: {firewall: §closed}}\n", "is not allowed here; it is one of open, udp-blocked, tls-443-only"},
		{oneGroup + "link: §hoem\nlinks: {home: {}}\n", `no link "hoem" in this file or among the presets; did you mean "home"?`},
		// Media.
		{oneGroup + "publish: [§camra]\n", `no media "camra"; did you mean "camera"?`},
		{oneGroup + "publish: §camera\n", "a list is wanted here, not text; write [camera]"},
		{oneGroup + "publish: [camera, §camera]\n", `"camera" stands twice in this list`},
		{minimal + "media: {m: §{}}\n", "neither audio nor video"},
		{minimal + "media: {m: {video: {codec: §vp9}}}\n", "it is one of vp8, h264"},
		{minimal + "media: {m: {audio: {codec: §pcmu}}}\n", "only opus is"},
		{minimal + "media: {m: {video: {fps: §0}}}\n", "out of range; from 1 to 240"},
		// Server.
		{minimal + "server: {mesh_limit: §1}\n", "out of range; from 2 to 64"},
		{minimal + "server: {turn: {urls: [§'stun:example.org'], username: a, password: b}}\n", "must be a URI like turn:"},
		{minimal + "server: {turn: {urls: §['turn:example.org']}}\n", "needs username and password, or secret"},
		{minimal + "server: {turn: {urls: ['turn:example.org'], secret: a, transports: §[udp]}}\n", "transports belong to the bundled server"},
		{minimal + "server: {turn: {secret: §abc}}\n", "secret belongs to an external server"},
		{minimal + "server: {turn: {enabled: false, relay_wait: §1s}}\n", "has no meaning with enabled: false"},
		{simulated + "server: {turn: {urls: §['turn:example.org'], secret: a}}\n", "an external TURN server is out of reach on network: simulated"},
		{minimal + "clock: virtual\nserver: {turn: {urls: §['turn:127.0.0.1'], secret: a}}\n", "an external TURN server is out of reach on network: simulated"},
		{oneGroup + "ice: §relay\nserver: {turn: {enabled: false}}\n", "ice: relay needs a TURN server"},
		{minimal + "server: {turn: {urls: ['turn:example.org'], secret: §'${NOWHERE}'}}\n", "the environment has no NOWHERE"},
		// Rooms.
		{oneGroup + "{topology: p2p, count: §3}\n", "exactly two in a room, not 3"},
		{oneGroup + "§{topology: p2p, rooms: 2, room: a}\n  b: {topology: p2p, rooms: 2, room: a}\n", "not 4"},
		{oneGroup + "{topology: mesh, count: §7}\n", "a mesh of 7 is larger than server.mesh_limit 6"},
		{"name: x\npeers:\n  a: {room: r, topology: mesh}\n  b: {room: r, topology: §conference}\n", "room r is mesh for group a and conference for b"},
		{"name: x\npeers:\n  a: {room: r, rooms: 2}\n  b: {room: r, rooms: §3}\n", "room r is 2 rooms for group a and 3 for b"},
		{"name: x\npeers:\n  a: {}\n  b: {room: §a}\n", `room "a" is also the own room of group a`},
		{"name: x\npeers:\n  a: {}\n  a-1: §{}\n", `the name "a-1" is also that of a peer or stream of group a`},
		{"name: x\npeers: §{a: {count: 100000, publish: []}, b: {count: 1, publish: []}}\n", "100001 peers in 1 cells; at most 100000"},
		{oneGroup + "join: §{every: 1s, over: 5s}\n", "join takes exactly one of"},
		{oneGroup + "join: §{}\n", "join takes exactly one of"},
		{oneGroup + "join: §{every: 1h}\n    count: 100\n", "the last of 100 peers would join after more than a day"},
		// Actions.
		{oneGroup + "actions: [{at: 1s, do: §dance}]\n", "it is one of mute, unmute"},
		{oneGroup + "actions: [§{do: leave}]\n", "at is missing"},
		{oneGroup + "actions: [§{at: 1s, do: mute}]\n", "do: mute needs track"},
		{oneGroup + "actions: [{at: 1s, do: leave, track: §audio}]\n", "track has no meaning with do: leave"},
		{oneGroup + "actions: [{at: §11s, do: leave}]\n", "at 11s the call is over"},
		{oneGroup + "actions: [{at: 1s, do: leave, peers: §3}]\n", "peers: 3, but the group has 2"},
		{oneGroup + "actions: [§{at: 1s, do: rejoin}]\n", "people-1 has not left by 1s and cannot rejoin"},
		{oneGroup + "actions: [{at: 1s, do: leave}, §{at: 2s, do: mute, track: audio}]\n", "people-1 has left before 2s and cannot mute"},
		{oneGroup + "actions: [§{at: 1s, do: publish, media: camera}]\n", "already publishes camera at 1s"},
		{oneGroup + "actions: [§{at: 1s, do: unpublish, media: screen}]\n", "does not publish screen at 1s"},
		{oneGroup + "publish: [screen]\n    actions: [§{at: 1s, do: mute, track: audio}]\n", "publishes no audio at 1s"},
		{oneGroup + "actions: [{at: 1s, do: link, link: §trian}]\nlinks: {train: {}}\n", `did you mean "train"?`},
		{oneGroup + "{link: a, actions: [{at: 1s, do: link, link: §b}]}\nnetwork: simulated\nlinks: {a: {nat: symmetric}, b: {nat: restricted}}\n", "link b has another NAT than that of group people; a link action changes rates, delays and losses, and a peer keeps the NAT and firewall it joined with"},
		{oneGroup + "{link: a, actions: [{at: 1s, do: link, link: §b}]}\nlinks: {a: {firewall: udp-blocked}, b: {firewall: open}}\n", "link b has another firewall than that of group people"},
		{oneGroup + "actions: [{at: 1s, do: link, link: §b}]\nnetwork: simulated\nlinks: {b: {nat: symmetric, firewall: udp-blocked}}\n", "link b has another NAT and firewall than that of group people"},
		{oneGroup + "{link: a, actions: [{at: 1s, do: link, link: §b}]}\nnetwork: simulated\nlinks: {a: {nat: symmetric}, b: {nat: none}}\n", "link b has another NAT"},
		{oneGroup + "{link: a, actions: [{at: 1s, do: link, link: §b}]}\nnetwork: simulated\nlinks: {a: {nat: {kind: symmetric, shared: true}}, b: {nat: {kind: symmetric, shared: true}}}\n", "link b has another NAT"},
		{oneGroup + "{link: §nowhere, actions: [{at: 1s, do: link, link: b}]}\nlinks: {b: {firewall: udp-blocked}}\n", `no link "nowhere"`},
		// What varies.
		{minimal + "vary: {§peers.people.cuont: [1, 2]}\n", `unknown key "cuont"; did you mean "count"?`},
		{minimal + "vary: {§peers.peple.count: [1, 2]}\n", `the file defines no "peple" there; did you mean "people"?`},
		{minimal + "vary: {peers.people.count: §[]}\n", "empty; at least 1"},
		{minimal + "vary: {peers.people.count: [2, §2]}\n", `"2" stands twice among the values`},
		{minimal + "vary: {peers.people.count: [2, §x]}\n", `"x" is not a whole number (in cell peers.people.count=x)`},
		{minimal + "vary: {§seed: [1, 2]}\n", "seed cannot vary"},
		{minimal + "vary: {§server.turn.secret: [a, b]}\n", "cannot vary: it holds a secret"},
		{minimal + "vary: {peers.people.data: [{rate: 1}], §peers.people.data.rate: [2]}\n", "vary the same thing"},
		{oneGroup + "topology: mesh\nvary: {peers.people.count: [4, §9]}\n", "a mesh of 9 is larger than server.mesh_limit 6; raise the limit or use topology: conference (in cell peers.people.count=9)"},
		{minimal + "repeat: 1000\nvary:\n  peers.people.count: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]\n", ""},
		// Thresholds.
		{minimal + "thresholds: {§conect.total: 'avg < 3s'}\n", `unknown metric "conect.total"`},
		{minimal + "thresholds: {connect.total: ['avg < 3s', §'p95 < 3s']}\n", `did you mean "p(95)"?`},
		{minimal + "thresholds: {connect.total: [{expr: §'avg < 3'}]}\n", "unit"},
		{minimal + "thresholds:\n  §media.loss{group=peple}: ['avg < 2%']\n", `no group "peple"; did you mean "people"?`},
		{minimal + "thresholds: {connect.total: [{expr: 'avg < 3s', after: §5s}]}\n", "it needs abort: true"},
		{minimal + "thresholds: {connect.total: [§{abort: true}]}\n", "expr is missing"},
		// Clock and network.
		{minimal + "clock: virtual\nnetwork: §sockets\n", "clock: virtual contradicts network: sockets; virtual time needs network: simulated"},
	}
}

func TestBrokenFiles(t *testing.T) {
	for _, b := range brokenFiles() {
		if b.message == "" {
			continue
		}
		before, _, _ := strings.Cut(b.src, "§")
		src := strings.Replace(b.src, "§", "", 1)
		line := strings.Count(before, "\n") + 1
		column := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
		_, err := Parse("f.yaml", []byte(src), Options{Env: func(string) (string, bool) { return "", false }})
		var pe *ParseError
		if !errors.As(err, &pe) {
			t.Errorf("%q: got %v, want a ParseError with %q", short(src), err, b.message)
			continue
		}
		f := pe.Faults[0]
		if len(pe.Faults) != 1 || f.Line != line || f.Column != column || !strings.Contains(f.Message, b.message) {
			t.Errorf("%q:\ngot  %s\nwant %d:%d %s", src, err, line, column, b.message)
		}
		if want := fmt.Sprintf("f.yaml:%d:%d: ", line, column); !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %q, want it to begin with %q", err, want)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	src := "name: x\nduration: 5\nlinks:\n  home:\n    up: {rate: 5Mbits, los: 2%}\npeers:\n  people: {count: 3, topology: p2p, link: hme}\n"
	_, err := Parse("all.yaml", []byte(src), Options{})
	want := `all.yaml:2:11: "5" has no unit; a duration is written like 20ms or 5s
    duration: 5
              ^
all.yaml:5:16: "5Mbits": unknown unit "Mbits"; a rate is written in bps, kbps, Mbps, Gbps, like 1.5Mbps or 500kbps
        up: {rate: 5Mbits, los: 2%}
                   ^
all.yaml:5:24: unknown key "los"; did you mean "loss"?
        up: {rate: 5Mbits, los: 2%}
                           ^
all.yaml:7:19: topology: p2p is for exactly two in a room, not 3; use mesh or conference
      people: {count: 3, topology: p2p, link: hme}
                      ^
all.yaml:7:43: no link "hme" in this file or among the presets; did you mean "home"?
      people: {count: 3, topology: p2p, link: hme}
                                              ^`
	if d := cmp.Diff(want, fmt.Sprint(err)); d != "" {
		t.Error(d)
	}
}

func TestExcerptOfALongLine(t *testing.T) {
	line, caret := excerpt(strings.Repeat("a", 500)+"X"+strings.Repeat("b", 500), 501)
	if at := strings.Index(caret, "^"); len(line) > 100 || line[at] != 'X' {
		t.Errorf("got %q over %q", line, caret)
	}
	if _, caret := excerpt("\tkey: x", 7); caret != "\t     ^" {
		t.Errorf("got %q, want the tab kept", caret)
	}
}

func TestExample(t *testing.T) {
	src, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := parseText(t, string(src), Options{})
	if got := len(s.models); got != 12 {
		t.Errorf("got %d cells, want 12", got)
	}
	_, err = Parse("e.yaml", src, Options{Clock: "wall", Network: "sockets"})
	if err == nil || !strings.Contains(err.Error(), "nat: port-restricted needs network: simulated") {
		t.Errorf("got %v, want nat refused on sockets", err)
	}
}

func TestCRLFAndBOM(t *testing.T) {
	s := parseText(t, "\ufeffname: x\r\npeers:\r\n  people:\r\n    count: 3\r\n", Options{})
	if got := len(s.Plan(1).Cells[0].Peers); got != 3 {
		t.Errorf("got %d peers, want 3", got)
	}
	_, err := Parse("crlf.yaml", []byte("name: x\r\npeers:\r\n  people:\r\n    cuont: 3\r\n"), Options{})
	if err == nil || strings.Contains(err.Error(), "\r") || !strings.HasPrefix(err.Error(), "crlf.yaml:4:5: ") {
		t.Errorf("got %q", err)
	}
}

func TestAnchorsAndMerge(t *testing.T) {
	s := parseText(t, `name: x
links:
  a: &l {up: {delay: 10ms}, down: &d {delay: 20ms}}
  b: *l
  c: {<<: *l, up: {delay: 30ms}}
peers:
  one: {link: b}
  two: {link: c}
`, Options{})
	p := s.Plan(1).Cells[0].Peers
	if p[0].Up.Delay.Milliseconds() != 10 || p[2].Up.Delay.Milliseconds() != 30 || p[2].Down.Delay.Milliseconds() != 20 {
		t.Errorf("got %v %v %v", p[0].Up, p[2].Up, p[2].Down)
	}
}

func TestBillionLaughs(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: x\na0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	_, err := Parse("bomb.yaml", []byte(b.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "too many values") {
		t.Errorf("got %.200v, want the expansion refused", err)
	}
}

func TestFileTooLarge(t *testing.T) {
	_, err := Parse("big.yaml", []byte("name: x\n#"+strings.Repeat("x", maxFileBytes)), Options{})
	if err == nil || !strings.Contains(err.Error(), "at most 1048576 are read") {
		t.Errorf("got %.200v", err)
	}
}

func TestTooManyTokens(t *testing.T) {
	_, err := Parse("long.yaml", []byte(strings.Repeat("a: 1\n", maxTokens)), Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "long.yaml:13334:2: too long") {
		t.Errorf("got %.200v", err)
	}
}

func TestTooManyFaults(t *testing.T) {
	_, err := Parse("many.yaml", []byte(minimal+"links:\n"+strings.Repeat("  \"?\": {}\n", 1)+manyLinks(300)), Options{})
	var pe *ParseError
	if !errors.As(err, &pe) || len(pe.Faults) != maxFaults || pe.Omitted != 201 || !strings.HasSuffix(err.Error(), "and 201 more") {
		t.Errorf("got %.200v", err)
	}
}

func manyLinks(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  l%d: {upp: {}}\n", i)
	}
	return b.String()
}
