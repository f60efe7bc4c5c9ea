package scenarios

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOverrides(t *testing.T) {
	src := minimal + "duration: 9s\nvary: {peers.people.count: [2, 3], peers.people.topology: [mesh, conference]}\n"
	s := parseText(t, src, Options{
		Set: []Override{
			{"peers.people.count", "5"},
			{"peers.people.link", "lte"},
			{"thresholds.connect.total", "[p(95) < 1s]"},
		},
		Seed: "99", Duration: "3s", Repeat: "2",
	})
	p := s.Plan(s.Seed)
	if len(p.Cells) != 4 || p.Seed != 99 || p.Cells[0].Duration != 3*time.Second || len(p.Thresholds) != 1 {
		t.Errorf("got %d cells, seed %d, duration %s, thresholds %v", len(p.Cells), p.Seed, p.Cells[0].Duration, p.Thresholds)
	}
	if got, want := p.Cells[0].ID, "peers.people.count=5,peers.people.topology=mesh"; got != want {
		t.Errorf("got cell %q, want %q", got, want)
	}
	if got := p.Cells[0].Peers[0].Up.RateBPS; got != 12_000_000 {
		t.Errorf("got rate %d, want the preset's", got)
	}
	if s.Source != src {
		t.Error("the source is not as written")
	}
}

func TestBrokenOverrides(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Set: []Override{{"peers.people.count", "x"}}}, `--set peers.people.count=x: "x" is not a whole number`},
		{Options{Set: []Override{{"peers.people.cuont", "3"}}}, `--set peers.people.cuont=3: unknown key "cuont"; did you mean "count"?`},
		{Options{Set: []Override{{"peers.others.count", "3"}}}, `--set peers.others.count=3: the file defines no "others" there`},
		{Options{Set: []Override{{"duration.x", "3"}}}, `--set duration.x=3: nothing stands below it`},
		{Options{Set: []Override{{"links.slow.up.rate", "1Mbps"}}}, `the file defines no "slow" there`},
		{Options{Set: []Override{{"duration", "[1"}}}, "--set duration=[1: not valid YAML"},
		{Options{Set: []Override{{"duration", ""}}}, "a duration like 5s is wanted here, not nothing"},
		{Options{Set: []Override{{"", ""}}}, "--set =: unknown key"},
		{Options{Set: []Override{{"server.turn.secret", "hunter2"}}}, "--set server.turn.secret=***: secret belongs"},
		{Options{Set: []Override{{"server.turn", "{secret: hunter2}"}}}, "--set server.turn=***: secret belongs"},
		{Options{Seed: "-1"}, `--seed -1: "-1" is not a whole number`},
		{Options{Duration: "5"}, `--duration 5: "5" has no unit`},
		{Options{Repeat: "0"}, "--repeat 0: 0 is out of range"},
		{Options{Clock: "fast"}, "--clock fast: "},
		{Options{Clock: "virtual", Network: "sockets"}, "--network sockets: clock: virtual contradicts network: sockets; virtual time needs network: simulated"},
		{Options{Clock: "virtual", Target: "ws://localhost:5080/"}, "--clock virtual: clock: virtual contradicts a target"},
		{Options{Network: "simulated", Target: "ws://localhost:5080/"}, "--network simulated: network: simulated contradicts a target"},
		{Options{Clock: "wall", Set: []Override{{"links", "{l: {nat: symmetric}}"}}}, "on sockets the machine's own network counts; add --network=simulated"},
		{Options{Target: "http://localhost:5080/"}, "--target http://localhost:5080/: a target is a ws:// or wss:// URL"},
		{Options{Target: "localhost"}, "--target localhost: not a URL"},
		{Options{Target: "ws://u:hunter2@h/"}, "--target ws://u:xxxxx@h/: a target carries no user name"},
	} {
		_, err := Parse("f.yaml", []byte(minimal), c.o)
		if got := fmt.Sprint(err); !strings.Contains(got, c.want) || strings.Contains(got, "hunter2") {
			t.Errorf("%+v:\ngot  %s\nwant %s", c.o, got, c.want)
		}
	}
}

// TestWorlds tables how clock, network and target of the file and of flags fit each other.
func TestWorlds(t *testing.T) {
	const target = "ws://localhost:5080/"
	for _, c := range []struct {
		file string // what stands below a minimal file, from line 4 on
		o    Options
		want string // the world, or how the fault begins
	}{
		{"", Options{}, "wall sockets"},
		{"clock: wall\n", Options{}, "wall sockets"},
		{"clock: virtual\n", Options{}, "virtual simulated"},
		{"network: simulated\n", Options{}, "wall simulated"},
		{"clock: virtual\nnetwork: simulated\n", Options{}, "virtual simulated"},
		{"", Options{Clock: "virtual"}, "virtual simulated"},
		{"", Options{Network: "simulated"}, "wall simulated"},
		{"clock: virtual\n", Options{Clock: "wall"}, "wall sockets"},
		{"clock: virtual\nnetwork: simulated\n", Options{Clock: "wall"}, "wall simulated"},
		{"clock: virtual\n", Options{Clock: "wall", Network: "simulated"}, "wall simulated"},
		{"clock: virtual\n", Options{Clock: "wall", Target: target}, "wall sockets"},
		{"clock: virtual\nnetwork: simulated\n", Options{Clock: "wall", Network: "sockets", Target: target}, "wall sockets"},

		{"clock: virtual\n", Options{Network: "sockets"}, "--network sockets: clock: virtual contradicts network: sockets; virtual time needs network: simulated; add --clock=wall"},
		{"network: sockets\n", Options{Clock: "virtual"}, "f.yaml:4:10: clock: virtual contradicts network: sockets; virtual time needs network: simulated; add --network=simulated"},
		{"clock: virtual\n", Options{Target: target}, "f.yaml:4:8: clock: virtual contradicts a target; a real server needs clock: wall; add --clock=wall"},
		{"clock: virtual\nnetwork: simulated\n", Options{Target: target}, "f.yaml:4:8: clock: virtual contradicts a target; a real server needs clock: wall; add --clock=wall --network=sockets"},
		{"network: simulated\n", Options{Target: target}, "f.yaml:4:10: network: simulated contradicts a target; a real server needs network: sockets; add --network=sockets"},
		{"links: {l: {nat: symmetric}}\n", Options{}, "f.yaml:4:18: nat: symmetric needs network: simulated; on sockets the machine's own network counts\n"},
		{"clock: virtual\nlinks: {l: {nat: symmetric}}\n", Options{Clock: "wall"}, "f.yaml:5:18: nat: symmetric needs network: simulated; on sockets the machine's own network counts; add --network=simulated\n"},
		{"clock: virtual\nlinks: {l: {nat: symmetric}}\n", Options{Clock: "wall", Network: "simulated"}, "wall simulated"},
		{"links: {l: {nat: none}, m: {nat: {kind: none}}, n: {firewall: udp-blocked}}\n", Options{}, "wall sockets"},
		{"server: {turn: {urls: ['turn:127.0.0.1'], secret: a}}\n", Options{}, "wall sockets"},
		{"server: {turn: {urls: ['turn:127.0.0.1'], secret: a}}\n", Options{Clock: "virtual"}, "f.yaml:4:23: an external TURN server is out of reach"},
	} {
		s, err := Parse("f.yaml", []byte(minimal+c.file), c.o)
		got := fmt.Sprint(err)
		if err == nil {
			got = s.Clock + " " + s.Network
		}
		if !strings.HasPrefix(got+"\n", c.want) {
			t.Errorf("%q with %+v:\ngot  %s\nwant %s", c.file, c.o, got, c.want)
		}
	}
}

func TestTarget(t *testing.T) {
	s := parseText(t, minimal, Options{Target: "wss://example.org/LiveApp/websocket"})
	if got := s.Plan(1).Target; got != s.Target || got == "" {
		t.Errorf("got target %q", got)
	}
}

func TestSecrets(t *testing.T) {
	env := func(name string) (string, bool) { return "from-" + name, name != "MISSING" }
	turn := func(credentials string) string {
		return minimal + "server:\n  turn: {urls: ['turn:example.org'], " + credentials + "} # é\n"
	}
	for _, c := range []struct{ written, user, password, secret, source string }{
		{"username: u, password: hunter2", "u", "hunter2", "", "username: u, password: ***"},
		{"password: 'hun''ter2' , username: u", "u", "hun'ter2", "", "password: *** , username: u"},
		{`password: "hun\"ter2", username: é`, "é", `hun"ter2`, "", "password: ***, username: é"},
		{"username: '${USER}', password: '${PASS}'", "from-USER", "from-PASS", "", "username: '${USER}', password: '${PASS}'"},
		{"secret: '${A}-${B}'", "", "", "from-A-from-B", "secret: ***"},
		{"secret: hunter2", "", "", "hunter2", "secret: ***"},
	} {
		s := parseText(t, turn(c.written), Options{Env: env})
		got := s.Plan(1).Cells[0].Server.TURN
		if got.Username != c.user || got.Password != c.password || got.Secret != c.secret {
			t.Errorf("%s: got %+v", c.written, got)
		}
		if want := turn(c.source); s.Source != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.written, s.Source, want)
		}
	}
	s := parseText(t, turn("secret: '${A}'"), Options{})
	if got := s.Plan(1).Cells[0].Server.TURN.Secret; got != "${A}" {
		t.Errorf("got %q, want the text as written without an environment", got)
	}
}

func TestFaultsShowNoSecret(t *testing.T) {
	for _, turn := range []string{
		"{secret: hunter2}",
		"{secret: hunter2, sceret: 1}",
		"{secret: [hunter2]}",
		"{password: hunter2, password: hunter2}",
		"{secret: hunter2",
		"\n    secret: |\n      hunter2\n    oops: 1",
		"{secret: \"hunter2\", relay_wait: 5}",
	} {
		_, err := Parse("f.yaml", []byte(minimal+"server:\n  turn: "+turn+"\n"), Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v", turn, err)
		}
	}
}

func TestTrace(t *testing.T) {
	var asked string
	read := func(content string) func(string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			asked = path
			if content == "" {
				return nil, os.ErrNotExist
			}
			return []byte(content), nil
		}
	}
	src := minimal + "links: {l: {down: {trace: traces/lte.down}}}\n"
	s, err := Parse("some/dir/file.yaml", []byte(strings.Replace(src, "count: 2", "link: l", 1)), Options{ReadFile: read("0\n0\n1\n12\r\n")})
	if err != nil {
		t.Fatal(err)
	}
	if asked != "some/dir/traces/lte.down" {
		t.Errorf("got %q asked for", asked)
	}
	got := s.Plan(1).Cells[0].Peers[0].Down.Trace
	want := []time.Duration{0, 0, time.Millisecond, 12 * time.Millisecond}
	if d := cmp.Diff(want, got.Opportunities); d != "" || got.Name != "traces/lte.down" {
		t.Error(got.Name, d)
	}
	for content, want := range map[string]string{
		"":                          "f.yaml:4:27: trace: file does not exist",
		"1\n\n2\n":                  `trace traces/lte.down:2: "" is not a whole number of milliseconds`,
		"1\n2x\n":                   `trace traces/lte.down:2: "2x" is not`,
		"5\n4\n":                    "trace traces/lte.down:2: 4 ms goes back",
		"0\n0\n":                    "its last time must be above 0",
		"-1\n":                      `:1: "-1" is not`,
		"99999999999999999999999\n": "is not a whole number",
		"\n":                        "is empty",
	} {
		_, err := Parse("f.yaml", []byte(src), Options{ReadFile: read(content)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", content, err, want)
		}
	}
}
