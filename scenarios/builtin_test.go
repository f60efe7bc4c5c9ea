package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// maxBuiltinPackets is what a core delivers in virtual time in about ten seconds.
const maxBuiltinPackets = 400_000

func TestBuiltins(t *testing.T) {
	clocks := map[string]string{
		"churn": "wall", "firewall": "virtual", "lossy-links": "wall", "lte-drive": "virtual", "mesh-vs-conference": "virtual",
		"nat-matrix": "virtual", "network-change": "virtual", "relay-only": "wall", "satellite": "virtual", "smoke": "virtual",
		"viewers": "wall",
	}
	if d := cmp.Diff(sortedKeys(clocks), Builtins()); d != "" {
		t.Fatal(d)
	}
	for name, clock := range clocks {
		src, ok := Builtin(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		s := parseText(t, string(src), Options{})
		p := s.Plan(s.Seed)
		network := map[string]string{"wall": "sockets", "virtual": "simulated"}[clock]
		if p.Name != name || p.Clock != clock || p.Network != network || len(p.Thresholds) == 0 {
			t.Errorf("%s: got %s on %s and %s, %d thresholds", name, p.Name, p.Clock, p.Network, len(p.Thresholds))
		}
		if !strings.Contains(p.Description, "?") {
			t.Errorf("%s: the description asks no question: %s", name, p.Description)
		}
		packets, total := p.VirtualCost()
		if clock == "wall" && total > 90*time.Second || clock == "virtual" && packets > maxBuiltinPackets {
			t.Errorf("%s takes %s and %.0f packets", name, total, packets)
		}
	}
	for _, name := range []string{"template", "", "../smoke", "nothing"} {
		if _, ok := Builtin(name); ok {
			t.Errorf("%q is a built-in", name)
		}
	}
}

func TestMeshVsConferenceIsNotCongested(t *testing.T) {
	src, _ := Builtin("mesh-vs-conference")
	for _, c := range parseText(t, string(src), Options{}).Plan(7).Cells {
		if p := c.Peers[0]; c.Expected.PeerUpBPS*1.5 > float64(p.Up.RateBPS) || c.Expected.PeerDownBPS*1.5 > float64(p.Down.RateBPS) {
			t.Errorf("%s: %.0f up of %d, %.0f down of %d", c.ID, c.Expected.PeerUpBPS, p.Up.RateBPS, c.Expected.PeerDownBPS, p.Down.RateBPS)
		}
	}
}

// TestThresholdsOfTheNATMatrix makes sure that every selector picks as many cells as it is meant to.
func TestThresholdsOfTheNATMatrix(t *testing.T) {
	src, _ := Builtin("nat-matrix")
	p := parseText(t, string(src), Options{}).Plan(1)
	var got []int
	for i := range p.Thresholds {
		n := 0
		for _, c := range p.Cells {
			if p.Thresholds[i].AppliesTo(c.ID) {
				n++
			}
		}
		got = append(got, n)
	}
	if d := cmp.Diff([]int{36, 1, 1, 1, 1, 1, 6}, got); d != "" || len(p.Cells) != 72 {
		t.Errorf("%d cells: %s", len(p.Cells), d)
	}
}

func TestFirewallOffersTLS(t *testing.T) {
	src, _ := Builtin("firewall")
	c := parseText(t, string(src), Options{}).Plan(1).Cells[0]
	if d := cmp.Diff([]string{"udp", "tcp", "tls"}, c.Server.TURN.Transports); d != "" {
		t.Error(d)
	}
}

func TestTemplate(t *testing.T) {
	for _, name := range []string{"mine", "Ümlaut & more: yes", `quo"te\`, "5", "null", "- x", "#1"} {
		s := parseText(t, string(Template(name)), Options{})
		if s.Name != name {
			t.Errorf("got %q, want %q", s.Name, name)
		}
	}
}
