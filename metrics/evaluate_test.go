package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustThreshold(t *testing.T, metric, expr string) Threshold {
	t.Helper()
	th, err := ParseThreshold(metric, expr)
	if err != nil {
		t.Fatal(err)
	}
	return th
}

func callSet() *Set {
	s := NewSet()
	for i := range 20 {
		peer := Tags{Group: "people", Room: "r1", Peer: "people-0", Topology: "mesh"}
		if i >= 10 {
			peer = Tags{Group: "people", Room: "r2", Peer: "people-1", Topology: "mesh", Path: "relay"}
		}
		s.Add("connect.total", peer, float64(100*(i+1))) // 100 … 2000
		s.Hist("media.delay", peer).Record(int64(1000 * (i + 1)))
	}
	for i := range 100 {
		v := 1.0
		if i == 0 {
			v = 0
		}
		s.Add("join.success", Tags{Group: "people"}, v)
	}
	s.Add("ice.selected", Tags{Candidate: "relay"}, 1)
	s.Add("ice.selected", Tags{Candidate: "relay"}, 1)
	s.Add("media.nack", Tags{Kind: "video"}, 7)
	s.Add("media.nack", Tags{Kind: "video"}, 5)
	s.Add("server.cpu", Tags{}, 0.5)
	return s
}

func TestEvaluate(t *testing.T) {
	for _, tt := range []struct {
		metric, expr string
		value        float64
		samples      int
		verdict      string
		unit         string
	}{
		{"connect.total", "p(95) < 2s", 1900, 20, Pass, "ms"},
		{"connect.total", "p(95) < 1.9s", 1900, 20, Fail, "ms"},
		{"connect.total", "p(95) <= 1.9s", 1900, 20, Pass, "ms"},
		{"connect.total", "p(0) == 100ms", 100, 20, Pass, "ms"},
		{"connect.total", "p(100) == 2s", 2000, 20, Pass, "ms"},
		{"connect.total", "med != 1s", 1000, 20, Fail, "ms"},
		{"connect.total", "avg == 1050ms", 1050, 20, Pass, "ms"},
		{"connect.total{room=r1}", "max > 1s", 1000, 10, Fail, "ms"},
		{"connect.total{peer=people-1}", "min >= 1.1s", 1100, 10, Pass, "ms"},
		{"connect.total{path=relay,group=people}", "count == 10", 10, 10, Pass, "count"},
		{"media.delay", "p(95) <= 19.01ms", 19.007, 20, Pass, "ms"},
		{"media.delay{room=r2}", "max == 20ms", 20, 10, Pass, "ms"},
		{"media.delay", "avg == 10.5ms", 10.5, 20, Pass, "ms"},
		{"join.success", "rate >= 99%", 0.99, 100, Pass, "ratio"},
		{"join.success", "rate > 99%", 0.99, 100, Fail, "ratio"},
		{"ice.selected{candidate=relay}", "count == 2", 2, 2, Pass, "count"},
		{"media.nack", "count <= 12", 12, 2, Pass, "count"},
		{"server.cpu", "value < 1", 0.5, 1, Pass, "cores"},
	} {
		got := Evaluate([]Threshold{mustThreshold(t, tt.metric, tt.expr)}, "c", 3, callSet())
		th := mustThreshold(t, tt.metric, tt.expr)
		want := []ThresholdResult{{
			Metric: tt.metric, Expr: tt.expr, Cell: "c", Repeat: 3, Value: Value(tt.value),
			Limit: Value(th.Limit), Unit: tt.unit, Samples: tt.samples, Verdict: tt.verdict,
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.metric, tt.expr, diff)
		}
	}
}

func TestEvaluateWithoutData(t *testing.T) {
	th := mustThreshold(t, "recovery.outage", "max < 1s")
	optional := th
	optional.Optional = true
	for _, s := range []*Set{nil, NewSet(), callSet()} {
		got := Evaluate([]Threshold{th, optional}, "", 0, s)
		want := []ThresholdResult{
			{Metric: "recovery.outage", Expr: "max < 1s", Value: Missing(), Limit: 1000, Unit: "ms", Verdict: NoData},
			{Metric: "recovery.outage", Expr: "max < 1s", Value: Missing(), Limit: 1000, Unit: "ms", Verdict: Pass},
		}
		if diff := cmp.Diff(want, got, equalValues()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if !got[0].Failed() || got[1].Failed() {
			t.Errorf("got failed %v, %v, want true, false", got[0].Failed(), got[1].Failed())
		}
	}
}

func TestThresholdAppliesTo(t *testing.T) {
	const cell = "peers.people.count=4,peers.people.topology=mesh"
	for selector, want := range map[string]bool{
		"":                                  true,
		"{cell=" + cell + "}":               true,
		"{cell=peers.people.count=4}":       true,
		"{cell=peers.people.topology=mesh}": true,
		"{cell=peers.people.topology=mesh,peers.people.count=4}": true,
		"{cell=peers.people.count=40}":                           false,
		"{cell=people.count=4}":                                  false,
		"{cell=peers.people.count=4,duration=3s}":                false,
	} {
		th := mustThreshold(t, "connect.total"+selector, "max < 1s")
		if got := th.AppliesTo(cell); got != want {
			t.Errorf("%s: got %v, want %v", selector, got, want)
		}
		if got := len(Evaluate([]Threshold{th}, cell, 0, NewSet())); (got == 1) != want {
			t.Errorf("%s: got %d results, applies is %v", selector, got, want)
		}
	}
}

func TestEvaluateLeavesTheSet(t *testing.T) {
	s := NewSet()
	s.Add("connect.total", Tags{}, 2)
	s.Add("connect.total", Tags{}, 1)
	Evaluate([]Threshold{mustThreshold(t, "connect.total", "max < 1s")}, "", 0, s)
	s.Entries()
	if got := s.Get(Key{Name: "connect.total"}).Values; !cmp.Equal(got, []float64{2, 1}) {
		t.Errorf("got %v, want the order in which they were added", got)
	}
}
