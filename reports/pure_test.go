package reports

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

func TestInUnit(t *testing.T) {
	for _, c := range []struct {
		v    metrics.Value
		unit string
		want string
	}{
		{metrics.Missing(), "ms", "–"},
		{0, "ms", "0 ms"},
		{0.4, "ms", "0.4 ms"},
		{12.34, "ms", "12.3 ms"},
		{812.4, "ms", "812 ms"},
		{12_345, "ms", "12.3 s"},
		{586_000, "bit/s", "586 kbit/s"},
		{4_102_000, "bit/s", "4.10 Mbit/s"},
		{5.79e9, "bit/s", "5.79 Gbit/s"},
		{0.005, "ratio", "0.5 %"},
		{0, "ratio", "0 %"},
		{1, "ratio", "100 %"},
		{29.7, "1/s", "29.7/s"},
		{3, "count", "3"},
		{2 << 20, "bytes", "2 MiB"},
		{0.42, "cores", "0.42 cores"},
		{-2.5, "ms", "-2.50 ms"},
	} {
		if got := inUnit(c.v, c.unit); got != c.want {
			t.Errorf("inUnit(%v, %s): got %q, want %q", float64(c.v), c.unit, got, c.want)
		}
	}
}

func TestQuantileIsNearestRank(t *testing.T) {
	d := collect([]metrics.Entry{{Name: "m", Values: []float64{5, 1, 4}, Count: 3}, {Name: "m", Values: []float64{3, 2}, Count: 2}, {Name: "o", Values: []float64{9}}}, "m", nil)
	for q, want := range map[float64]metrics.Value{0: 1, 0.2: 1, 0.5: 3, 0.8: 4, 0.95: 5, 1: 5} {
		if got := d.quantile(q); got != want {
			t.Errorf("p%v: got %v, want %v", 100*q, got, want)
		}
	}
	if got := d.mean(); got != 3 {
		t.Errorf("mean: got %v, want 3", got)
	}
	var none distribution
	if none.quantile(0.5).Valid() || none.mean().Valid() {
		t.Error("nothing has a percentile or mean")
	}
}

// TestTrimmedEntry reads the written statistics when the samples were left out of run.json.
func TestTrimmedEntry(t *testing.T) {
	e := metrics.Entry{Name: "m", Count: 40, Sum: 80, Med: 2, P95: metrics.Missing(), Max: 7}
	d := collect([]metrics.Entry{e}, "m", nil)
	if d.quantile(0.5) != 2 || d.quantile(0.95).Valid() || d.quantile(1) != 7 || d.mean() != 2 {
		t.Errorf("got %v %v %v %v", d.quantile(0.5), d.quantile(0.95), d.quantile(1), d.mean())
	}
}

func TestMargins(t *testing.T) {
	run := &metrics.Run{}
	for _, c := range []struct {
		expr         string
		value, limit metrics.Value
		unit         string
		margin       string
	}{
		{"p(95) < 3s", 2000, 3000, "ms", "1000 ms (+33 %)"},
		{"p(95) <= 3s", 3500, 3000, "ms", "-500 ms (-17 %)"},
		{"avg > 25", 30, 25, "1/s", "5/s (+20 %)"},
		{"rate >= 99%", 0.95, 0.99, "ratio", "-4 %"},
		{"count == 4", 4, 4, "count", "–"},
		{"avg < 1s", metrics.Missing(), 1000, "ms", "–"},
	} {
		got := thresholdRow(metrics.ThresholdResult{Expr: c.expr, Value: c.value, Limit: c.limit, Unit: c.unit}, run, nil)
		if got.MarginAs != c.margin {
			t.Errorf("%s with %v: got %q, want %q", c.expr, c.value, got.MarginAs, c.margin)
		}
	}
}

func TestVerdictReasons(t *testing.T) {
	for _, c := range []struct {
		run  metrics.Run
		want []string
	}{
		{metrics.Run{Verdict: "pass", Audit: metrics.RunAudit{Valid: true}, Cells: make([]metrics.Cell, 1)}, []string{"everything planned was done and every objective held"}},
		{metrics.Run{Verdict: "fail", ExitCode: 4, Audit: metrics.RunAudit{Valid: true}}, []string{"a regression against the baseline"}},
		{metrics.Run{Verdict: "fail", ExitCode: 5, Audit: metrics.RunAudit{Valid: true}, Cells: []metrics.Cell{{Peers: metrics.PeerCounts{Planned: 4, Connected: 3}}}}, []string{"only 3 of 4 peers connected"}},
		{metrics.Run{Verdict: "invalid", ExitCode: 6}, []string{"the measurement cannot be trusted"}},
		{metrics.Run{Verdict: "error", ExitCode: 1, Error: "no socket", Audit: metrics.RunAudit{Valid: true}}, []string{"fault: no socket"}},
		{metrics.Run{Verdict: "interrupted", ExitCode: 130, Audit: metrics.RunAudit{Valid: true}}, []string{"interrupted; what was measured until then is here"}},
	} {
		if d := cmp.Diff(c.want, Build(&c.run).Verdict.Reasons); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.run.Verdict, d)
		}
	}
}

func TestGrowth(t *testing.T) {
	run := callFixture(2, 4, 8)
	up := growths(run, cellRows(run), "bandwidth.peer.up", false, peerUp)
	if len(up) != 2 || up[0].topology != "mesh" || up[1].topology != "conference" {
		t.Fatalf("got %+v", up)
	}
	if s, ok := up[0].slope(); !ok || math.Abs(s/streamBPS-1) > 0.05 {
		t.Errorf("mesh slope: got %v, want about %v", s, streamBPS)
	}
	if s, ok := up[1].slope(); !ok || math.Abs(s) > 0.02*streamBPS {
		t.Errorf("conference slope: got %v, want about 0", s)
	}
	for _, g := range up {
		if d, _, ok := g.deviation(); !ok || math.Abs(d) > 0.1 {
			t.Errorf("%s: got deviation %v", g.topology, d)
		}
	}
}

func TestAdviceSaysOnlyWhatWasMeasured(t *testing.T) {
	if got := Build(emptyFixture()).Advice; len(got) != 0 {
		t.Errorf("got %q of an empty run", got)
	}
	run := callFixture(2, 5)
	run.Cells = run.Cells[:1]
	for _, line := range Build(run).Advice {
		if strings.Contains(line, "mesh") || strings.Contains(line, "further participant") {
			t.Errorf("one conference of one size: got %q", line)
		}
	}
}

func TestHappeningsMerge(t *testing.T) {
	hs := happenings([]metrics.Event{
		{TS: 9, Peer: "c", What: "leave"},
		{TS: 0, Peer: "a", What: "join"},
		{TS: 0.9, Peer: "b", What: "join"},
		{TS: 1.7, Peer: "c", What: "join"},
		{TS: 3, Peer: "d", What: "join"},
		{TS: 3, Peer: "a", What: "mute", Detail: "audio"},
	})
	var got []string
	for _, h := range hs {
		got = append(got, markText(h))
	}
	if d := cmp.Diff([]string{"join ×3", "join (d)", "mute audio (a)", "leave (c)"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMarksDoNotOverlap(t *testing.T) {
	var hs []happening
	for i := range 40 {
		hs = append(hs, happening{at: float64(i) / 2, what: "publish", detail: "screen", peers: []string{"people-12"}})
	}
	marks := placeMarks(hs, 20, 450)
	sty := style(smallSize, false, black(), 0, 0)
	shown := 0
	for i, a := range marks {
		if a.row < 0 {
			continue
		}
		shown++
		for _, b := range marks[:i] {
			ax, bx := a.at/20*450, b.at/20*450
			if a.row == b.row && !a.flip && !b.flip && math.Abs(ax-bx) < float64(sty.Width(a.text)) {
				t.Errorf("labels at %v and %v overlap in row %d", b.at, a.at, a.row)
			}
		}
	}
	if shown < 10 || markRows(marks) > maxMarkRows {
		t.Errorf("got %d labels in %d rows", shown, markRows(marks))
	}
}

func TestScaleTicks(t *testing.T) {
	for _, c := range []struct {
		what, unit string
		top        float64
		label      string
		first      string
		last       string
	}{
		{"up", "bit/s", 586_000, "up (kbit/s)", "0", "600"},
		{"up", "bit/s", 4_100_000, "up (Mbit/s)", "0", "6"},
		{"loss", "ratio", 0.0077, "loss (%)", "0", "0.8"},
		{"delay", "ms", 130, "delay (ms)", "0", "150"},
		{"delay", "ms", 12_000, "delay (s)", "0", "15"},
		{"loss", "ratio", 0, "loss (%)", "0", "1.0"},
	} {
		s := upwards(c.what, c.unit, c.top, 4)
		if s.label != c.label || s.write(s.ticks[0]) != c.first || s.write(s.ticks[len(s.ticks)-1]) != c.last {
			t.Errorf("%s to %v: got %q from %s to %s, want %q from %s to %s", c.unit, c.top, s.label, s.write(s.ticks[0]), s.write(s.ticks[len(s.ticks)-1]), c.label, c.first, c.last)
		}
	}
}

func TestQuoted(t *testing.T) {
	for in, want := range map[string]string{"wall": "wall", "ws://h:1/p": "ws://h:1/p", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'", "": "''"} {
		if got := quoted(in); got != want {
			t.Errorf("quoted(%q): got %s, want %s", in, got, want)
		}
	}
}

// FuzzRender takes any run.json, plots included.
func FuzzRender(f *testing.F) {
	for _, run := range []*metrics.Run{interruptedFixture(), emptyFixture(), callFixture(2)} {
		run.Scenario.Source = ""
		b, err := json.Marshal(run)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"cells":[{"expected":{"participants":2000000000,"peer_up_bps":1e308},"metrics":[{"name":"bandwidth.peer.up","tags":{"topology":"mesh"},"count":2,"values":[-1e308,1e308]}]},` +
		`{"expected":{"participants":-5},"peers":{"planned":3},"series":[{"name":"media.delay","step_s":-1,"values":[null,1e300,-4]}],"metrics":[{"name":"connect.ice","tags":{"topology":"mesh"},"values":[1e300]},{"name":"connect.total","tags":{"topology":"mesh"},"values":[0,0]}]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var run metrics.Run
		if len(b) > 1<<18 || json.Unmarshal(b, &run) != nil {
			return
		}
		files, err := Render(&run, []string{"text", "html", "md", "junit", "csv"})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, string(files["junit.xml"]))
		for _, p := range Plots(&run, Build(&run)) {
			svg, err := p.SVG()
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, string(svg))
			if _, err := p.PNG(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
