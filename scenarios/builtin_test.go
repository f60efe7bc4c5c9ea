package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBuiltins(t *testing.T) {
	want := []string{"churn", "lossy-links", "mesh-vs-conference", "relay-only", "smoke", "viewers"}
	if d := cmp.Diff(want, Builtins()); d != "" {
		t.Fatal(d)
	}
	for _, name := range want {
		src, ok := Builtin(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		s := parseText(t, string(src), Options{})
		p := s.Plan(s.Seed)
		if s.Unsupported() != nil || p.Name != name || p.Clock != "wall" || p.Network != "sockets" || len(p.Thresholds) == 0 {
			t.Errorf("%s: got %s on %s and %s, %d thresholds, %v", name, p.Name, p.Clock, p.Network, len(p.Thresholds), s.Unsupported())
		}
		if !strings.Contains(p.Description, "?") {
			t.Errorf("%s: the description asks no question: %s", name, p.Description)
		}
		var total time.Duration
		for _, c := range p.Cells {
			total += c.MeasureFrom() + c.Duration
		}
		if total > 90*time.Second {
			t.Errorf("%s takes %s", name, total)
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

func TestTemplate(t *testing.T) {
	for _, name := range []string{"mine", "Ümlaut & more: yes", `quo"te\`, "5", "null", "- x", "#1"} {
		s := parseText(t, string(Template(name)), Options{})
		if s.Name != name {
			t.Errorf("got %q, want %q", s.Name, name)
		}
	}
}
