package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func fixtures() map[string]func() *metrics.Run {
	return map[string]func() *metrics.Run{
		"failed": failedFixture, "interrupted": interruptedFixture, "invalid": invalidFixture,
		"empty": emptyFixture, "viewers": viewersFixture, "pairs": pairsFixture, "traced": tracedFixture,
		"passed": func() *metrics.Run { return callFixture(2, 3) },
	}
}

func render(t *testing.T, run *metrics.Run, formats ...string) map[string][]byte {
	t.Helper()
	files, err := Render(run, formats)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(fixtures())) {
		files := render(t, fixtures()[name](), "text", "md", "junit")
		for _, file := range []string{"summary.txt", "report.md", "junit.xml"} {
			golden(t, filepath.Join("testdata", name+"."+file), files[file])
		}
	}
	passed := render(t, callFixture(2, 3), "plots")
	for _, name := range []string{"upload-by-participants.svg", "connect-phases.svg"} {
		golden(t, filepath.Join("testdata", "passed."+name), passed["plots/"+name])
	}
	golden(t, "testdata/traced.trace-anna.svg", render(t, tracedFixture(), "plots")["plots/trace-anna.svg"])
	pairs := render(t, pairsFixture(), "plots", "html")
	golden(t, "testdata/pairs.pair-matrix.svg", pairs["plots/pair-matrix.svg"])
	golden(t, "testdata/pairs.report.html", pairs["report.html"])
	golden(t, "testdata/interrupted.report.html", render(t, interruptedFixture())["report.html"])
	golden(t, "testdata/interrupted.samples.csv", render(t, interruptedFixture())["samples.csv"])
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// TestSameBytes renders a run from memory, and an equal one from what run.json keeps.
func TestSameBytes(t *testing.T) {
	for name, make := range fixtures() {
		t.Run(name, func(t *testing.T) {
			first := render(t, make())
			b, err := json.Marshal(make())
			if err != nil {
				t.Fatal(err)
			}
			var again metrics.Run
			if err := json.Unmarshal(b, &again); err != nil {
				t.Fatal(err)
			}
			same(t, "from run.json", first, render(t, &again))
		})
	}
}

func same(t *testing.T, when string, a, b map[string][]byte) {
	t.Helper()
	if got, want := slices.Sorted(maps.Keys(b)), slices.Sorted(maps.Keys(a)); !slices.Equal(got, want) {
		t.Errorf("%s: got files %v, want %v", when, got, want)
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s: %s differs", when, name)
		}
	}
}

func TestSummaryFitsAScreen(t *testing.T) {
	for name, make := range fixtures() {
		s := Summary(Build(make()), false)
		lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
		if len(lines) > summaryLines {
			t.Errorf("%s: got %d lines, want at most %d:\n%s", name, len(lines), summaryLines, s)
		}
		for _, l := range lines {
			if n := utf8.RuneCountInString(l); n > summaryWidth {
				t.Errorf("%s: got %d characters, want at most %d: %s", name, n, summaryWidth, l)
			}
		}
		if strings.ContainsAny(s, "\x1b\x00") {
			t.Errorf("%s: control characters in %q", name, s)
		}
		if c := Summary(Build(make()), true); !strings.Contains(c, "\x1b[") {
			t.Errorf("%s: no colour", name)
		}
	}
}

func TestPlotsHaveContentAndStandInThePage(t *testing.T) {
	want := map[string][]string{
		"empty": nil, "interrupted": nil,
		"passed": {
			"upload-by-participants", "download-by-participants", "server-in-by-participants", "server-out-by-participants",
			"connect-phases", "connect-distribution", "timeline-count-3-topology-conference", "timeline-count-3-topology-mesh",
		},
	}
	for name, make := range fixtures() {
		run := make()
		files := render(t, run)
		var names []string
		for _, p := range Plots(run, Build(run)) {
			names = append(names, p.Name)
			svg := string(files["plots/"+p.Name+".svg"])
			checkSVG(t, svg)
			if _, inline, _ := strings.Cut(svg, "?>\n"); !bytes.Contains(files["report.html"], []byte(inline)) {
				t.Errorf("%s: %s.svg does not stand in report.html", name, p.Name)
			}
			img, err := png.Decode(bytes.NewReader(files["plots/"+p.Name+".png"]))
			if err != nil || img.Bounds().Dx() < 1000 {
				t.Errorf("%s: %s.png: %v, %v", name, p.Name, img, err)
			}
		}
		if w, ok := want[name]; ok && !slices.Equal(names, w) {
			t.Errorf("%s: got plots %q, want %q", name, names, w)
		}
	}
}

func checkSVG(t *testing.T, svg string) {
	t.Helper()
	wellFormed(t, svg)
	for _, s := range []string{`role="img"`, `aria-label="`, "<title>"} {
		if !strings.Contains(svg, s) {
			t.Errorf("svg has no %s", s)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf,") || strings.Contains(svg, " id=") {
		t.Error("svg holds NaN, Inf or an id")
	}
}

func wellFormed(t *testing.T, doc string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
	}
}

func TestForeignTextIsHarmless(t *testing.T) {
	files := render(t, failedFixture(), "html", "md", "junit")
	page := string(files["report.html"])
	for _, s := range []string{"<script", "\x1b", "\x00", "\u202e", "http://", "https://", "src="} {
		if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), "http://www.w3.org/1999/xlink", ""), s) {
			t.Errorf("report.html holds %q", s)
		}
	}
	if md := string(files["report.md"]); strings.Contains(md, "<script") || strings.Contains(md, "\x1b") {
		t.Error("report.md holds markup of a name")
	}
	wellFormed(t, string(files["junit.xml"]))
	if strings.ContainsAny(string(files["junit.xml"]), "\x00\x1b") {
		t.Error("junit.xml holds control characters")
	}
}

func TestJUnit(t *testing.T) {
	for name, want := range map[string]struct{ cases, failures, errors int }{
		"passed": {5, 0, 0}, "failed": {27, 3, 0}, "interrupted": {2, 0, 2}, "invalid": {3, 0, 2}, "empty": {1, 0, 1}, "viewers": {5, 0, 0},
	} {
		var got junitSuites
		if err := xml.Unmarshal(render(t, fixtures()[name](), "junit")["junit.xml"], &got); err != nil {
			t.Fatal(err)
		}
		if got.Tests != want.cases || got.Failures != want.failures || got.Errors != want.errors {
			t.Errorf("%s: got %d cases, %d failures, %d errors, want %+v", name, got.Tests, got.Failures, got.Errors, want)
		}
	}
}

// TestSamples adds the counts up to those of the entries.
func TestSamples(t *testing.T) {
	run := callFixture(3)
	run.Cells[0].Metrics[0].Tags.Group = "=1+1"
	rows, err := csv.NewReader(bytes.NewReader(render(t, run, "csv")["samples.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var want uint64
	for _, c := range run.Cells {
		for _, e := range c.Metrics {
			want += e.Count
		}
	}
	var got uint64
	for _, r := range rows[1:] {
		var n uint64
		if err := json.Unmarshal([]byte(r[10]), &n); err != nil {
			t.Fatal(err)
		}
		got += n
	}
	if got != want {
		t.Errorf("got %d samples, want %d", got, want)
	}
	if rows[1][3] != "'=1+1" {
		t.Errorf("got group %q", rows[1][3])
	}
}

func TestLargeRunStaysSmall(t *testing.T) {
	files := render(t, largeFixture(100), "html", "md")
	if n := len(files["report.html"]); n > 2<<20 {
		t.Errorf("report.html: got %d bytes", n)
	}
	if n := len(files["report.md"]); n > 1<<20 {
		t.Errorf("report.md: got %d bytes", n)
	}
}

func TestFormats(t *testing.T) {
	files, err := Render(callFixture(2), []string{"text", "json", "csv"})
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, []string{"samples.csv", "summary.txt"}) {
		t.Errorf("got %v", got)
	}
	_, err = Render(callFixture(2), []string{"pdf", "text", "doc"})
	if err == nil || !strings.Contains(err.Error(), `"pdf", "doc"`) {
		t.Errorf("got %v, want both unknown formats", err)
	}
}

func BenchmarkRender100Peers(b *testing.B) {
	run := largeFixture(100)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Render(run, nil); err != nil {
			b.Fatal(err)
		}
	}
}
