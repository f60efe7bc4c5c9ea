package metrics

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseThreshold(t *testing.T) {
	for _, tt := range []struct {
		metric, expr string
		want         Threshold
	}{
		{"connect.total", "p(95) < 3s", Threshold{Name: "connect.total", Stat: "p", Quantile: 0.95, Op: "<", Limit: 3000}},
		{"connect.total", "p(99.9)<=800ms", Threshold{Name: "connect.total", Stat: "p", Quantile: 0.999, Op: "<=", Limit: 800}},
		{"media.delay", " max  <  1.5 s ", Threshold{Name: "media.delay", Stat: "max", Op: "<", Limit: 1500}},
		{"media.delay", "min > 250us", Threshold{Name: "media.delay", Stat: "min", Op: ">", Limit: 0.25}},
		{"media.delay", "min > 0", Threshold{Name: "media.delay", Stat: "min", Op: ">", Limit: 0}},
		{"media.delay", "med < 80ms", Threshold{Name: "media.delay", Stat: "med", Quantile: 0.5, Op: "<", Limit: 80}},
		{"join.success", "rate >= 99%", Threshold{Name: "join.success", Stat: "rate", Op: ">=", Limit: 0.99}},
		{"join.success", "rate >= 99.9%", Threshold{Name: "join.success", Stat: "rate", Op: ">=", Limit: 0.999}},
		{"connect.total", "max < 1.1s", Threshold{Name: "connect.total", Stat: "max", Op: "<", Limit: 1100}},
		{"connect.total", "max < 2min", Threshold{Name: "connect.total", Stat: "max", Op: "<", Limit: 120_000}},
		{"join.success", "rate == 1", Threshold{Name: "join.success", Stat: "rate", Op: "==", Limit: 1}},
		{"media.loss", "avg < 0.02", Threshold{Name: "media.loss", Stat: "avg", Op: "<", Limit: 0.02}},
		{"media.fps", "avg >= 25fps", Threshold{Name: "media.fps", Stat: "avg", Op: ">=", Limit: 25}},
		{"bandwidth.peer.up", "avg <= 1.5Mbps", Threshold{Name: "bandwidth.peer.up", Stat: "avg", Op: "<=", Limit: 1.5e6}},
		{"bandwidth.peer.up", "max != 500kbps", Threshold{Name: "bandwidth.peer.up", Stat: "max", Op: "!=", Limit: 5e5}},
		{"media.mos", "p(5) >= 3.6", Threshold{Name: "media.mos", Stat: "p", Quantile: 0.05, Op: ">=", Limit: 3.6}},
		{"server.memory", "value < 64MiB", Threshold{Name: "server.memory", Stat: "value", Op: "<", Limit: 64 << 20}},
		{"server.cpu", "value < 1.5", Threshold{Name: "server.cpu", Stat: "value", Op: "<", Limit: 1.5}},
		{"connect.total", "count >= 10", Threshold{Name: "connect.total", Stat: "count", Op: ">=", Limit: 10}},
		{
			"media.loss{group=people, kind=video,direction=down}", "avg < 2%",
			Threshold{Name: "media.loss", Selector: Tags{Group: "people", Kind: "video", Direction: "down"}, Stat: "avg", Op: "<", Limit: 0.02},
		},
		{
			"ice.selected{candidate=relay,room=r1,peer=people-0,path=relay,topology=mesh}", "count == 2",
			Threshold{
				Name: "ice.selected", Stat: "count", Op: "==", Limit: 2,
				Selector: Tags{Candidate: "relay", Room: "r1", Peer: "people-0", Path: "relay", Topology: "mesh"},
			},
		},
		{
			"media.fps{cell=peers.people.count=4,peers.people.topology=mesh,group=people}", "avg > 20",
			Threshold{
				Name: "media.fps", Stat: "avg", Op: ">", Limit: 20,
				Selector: Tags{Cell: "peers.people.count=4,peers.people.topology=mesh", Group: "people"},
			},
		},
		{
			`media.fps{cell="group=4,a",room="x, y"}`, "avg > 20",
			Threshold{Name: "media.fps", Stat: "avg", Op: ">", Limit: 20, Selector: Tags{Cell: "group=4,a", Room: "x, y"}},
		},
		{"media.fps{}", "avg > 20", Threshold{Name: "media.fps", Stat: "avg", Op: ">", Limit: 20}},
	} {
		got, err := ParseThreshold(tt.metric, tt.expr)
		if err != nil {
			t.Errorf("%s: %s: %v", tt.metric, tt.expr, err)
			continue
		}
		tt.want.Metric, tt.want.Expr = tt.metric, tt.expr
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", tt.metric, tt.expr, diff)
		}
	}
}

func TestParseThresholdRefuses(t *testing.T) {
	for _, tt := range []struct{ metric, expr, want string }{
		{"conect.total", "avg < 1s", `unknown metric "conect.total", did you mean "connect.total"?`},
		{"loss", "avg < 1%", `did you mean "media.loss"?`},
		{"media.Delay", "avg < 1s", `did you mean "media.delay"?`},
		{"qqqqqqqqqq", "avg < 1", `unknown metric "qqqqqqqqqq"`},
		{"", "avg < 1", "names no metric"},
		{"{group=a}", "avg < 1", "names no metric"},
		{"media.loss{group=a", "avg < 1%", "does not end with }"},
		{"media.loss}", "avg < 1%", "} without {"},
		{"media.loss{grop=a}", "avg < 1%", `unknown tag "grop", did you mean "group"?`},
		{"media.loss{cell=a=1,grop=a}", "avg < 1%", `unknown tag "grop", did you mean "group"?`},
		{"media.loss{group}", "avg < 1%", `"group" is not tag=value`},
		{"media.loss{group=}", "avg < 1%", `tag "group" has no value`},
		{"media.loss{group=a,,kind=audio}", "avg < 1%", "empty between commas"},
		{"media.loss{group=a,group=b}", "avg < 1%", `tag "group" stands twice`},
		{"media.loss", "", "empty expression"},
		{"media.loss", "avg 2%", "no comparison"},
		{"media.loss", "< 2%", "no statistic"},
		{"media.loss", "avg = 2%", `did you mean "=="?`},
		{"media.loss", "avg => 2%", `did you mean ">="?`},
		{"media.loss", "avg <> 2%", `unknown comparison "<>"`},
		{"media.loss", "avrg < 2%", `unknown statistic "avrg", did you mean "avg"?`},
		{"media.loss", "p95 < 2%", `did you mean "p(95)"?`},
		{"media.loss", "p(101) < 2%", "p(0) to p(100)"},
		{"media.loss", "p(-1) < 2%", "p(0) to p(100)"},
		{"media.loss", "p(x) < 2%", "p(0) to p(100)"},
		{"media.loss", "avg <", "no limit"},
		{"media.loss", "avg < two", "not a number"},
		{"media.loss", "avg < 1.2.3%", "not a number"},
		{"media.loss", "avg < 2", `did you mean "2%"?`},
		{"media.loss", "avg < 200%", "at most 100%"},
		{"media.loss", "avg < -1%", "negative"},
		{"media.loss", "avg < 2ms", `unit "ms" does not fit media.loss, write % or a bare number`},
		{"connect.total", "avg < 3", "has no unit"},
		{"connect.total", "avg < 3 seconds", `unit "seconds" does not fit`},
		{"connect.total", "rate < 3s", "rate is for ratios"},
		{"connect.total", "count > 3s", "bare number"},
		{"media.mos", "avg > 36", "from 1 to 5"},
		{"bandwidth.peer.up", "avg < 3mbps", `unit "mbps" does not fit`},
		{"bandwidth.peer.up", "avg < " + strings.Repeat("9", 400) + "bps", "too large"},
		{"media.loss", "avg within 10% of baseline", "not available yet"},
	} {
		_, err := ParseThreshold(tt.metric, tt.expr)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s: got %v, want %q in it", tt.metric, tt.expr, err, tt.want)
		}
	}
}

func TestParseThresholdNamesAllFaults(t *testing.T) {
	_, err := ParseThreshold("media.loss{grop=a}", "avrg =< 5ms")
	for _, want := range []string{"grop", "avrg", "=<", `"ms"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func FuzzParseThreshold(f *testing.F) {
	f.Add("connect.total", "p(95) < 3s")
	f.Add("media.loss{group=people,kind=video}", "avg < 2%")
	f.Add(`media.fps{cell="a=1,b=2"}`, "avg >= 25fps")
	f.Add("media.fps{cell=a=1,b.c=2,group=x}", "rate != 0.5")
	f.Add("ice.selected{candidate=relay}", "count == 0")
	f.Add("bandwidth.turn", "avg within 10% of baseline")
	f.Add("x{", "p(")
	f.Fuzz(func(t *testing.T, metric, expr string) {
		th, err := ParseThreshold(metric, expr)
		if err != nil {
			if diff := cmp.Diff(Threshold{}, th); diff != "" {
				t.Errorf("a threshold beside an error: %s", diff)
			}
			return
		}
		if _, ok := Lookup(th.Name); !ok {
			t.Errorf("accepted unknown metric %q", th.Name)
		}
		if !(th.Limit >= 0) || !finite(th.Limit) || !(th.Quantile >= 0 && th.Quantile <= 1) {
			t.Errorf("accepted limit %v, quantile %v", th.Limit, th.Quantile)
		}
		s := NewSet()
		s.Add(th.Name, th.Selector, 1)
		if n := len(Evaluate([]Threshold{th}, th.Selector.Cell, 0, s)); n != 1 {
			t.Errorf("got %d results in its own cell, want 1", n)
		}
	})
}
