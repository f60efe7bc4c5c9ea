package cli

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/metrics"
)

// freeAddress is a loopback address on which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func fetch(t *testing.T, url string) (int, string) {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// figures are those of a cell in which media flows.
func figures() (*metrics.Set, fleet.CellProgress) {
	set := metrics.NewSet()
	for _, group := range []string{"a", "b"} {
		h := set.Hist("media.delay", metrics.Tags{Group: group, Kind: "video"})
		h.Record(20_000)
	}
	for range 1000 { // enough for a percentile
		set.Hist("media.delay", metrics.Tags{Group: "b", Kind: "video"}).Record(60_000)
	}
	set.Add("media.loss", metrics.Tags{Group: "a", Kind: "video"}, 0.01)
	return set, fleet.CellProgress{Status: fleet.Status{ID: "n=2", Phase: "measuring", Connected: 2}, At: 3 * time.Second, Up: 6000}
}

func TestWatchers(t *testing.T) {
	metricsAt, pageAt := freeAddress(t), freeAddress(t)
	for name, at := range map[string]struct{ metrics, page string }{
		"apart": {metricsAt, pageAt}, "together": {metricsAt, metricsAt}, "the page alone": {"", pageAt}, "metrics alone": {metricsAt, ""},
	} {
		w, err := startWatchers(t.Context(), at.metrics, at.page)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.begin("run")
		w.observer()(figures())
		if at.page != "" {
			_, text := fetch(t, "http://"+at.page+"/feed")
			if !strings.Contains(text, `"t":3,"connected":2,"failed":0,"loss":null,"up":8000,`) || !strings.Contains(text, `"p95":60`) {
				t.Errorf("%s: page: got %s", name, text)
			}
			if code, text := fetch(t, "http://"+at.page+"/"); code != 200 || !strings.Contains(text, "<!doctype html>") {
				t.Errorf("%s: page: got %d %s", name, code, text)
			}
		}
		if at.metrics != "" {
			_, text := fetch(t, "http://"+at.metrics+"/metrics")
			if !strings.Contains(text, `peerfleet_media_loss{candidate="",cell="n=2",direction="",group="a",kind="video",stat="avg",topology=""} 0.01`) {
				t.Errorf("%s: metrics: got %s", name, text)
			}
		}
		if err := w.Close(context.Background()); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
	if w, err := startWatchers(t.Context(), "", ""); err != nil || w.observer() != nil || w.Close(context.Background()) != nil {
		t.Errorf("nobody watches: got %v, %v", w, err)
	}
	l, err := net.Listen("tcp", pageAt)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, bad := range []string{pageAt, "nonsense"} {
		if _, err := startWatchers(t.Context(), "", bad); err == nil {
			t.Errorf("a page on %s: no error", bad)
		}
	}
}

// TestDashboardShowsWhatIsServed holds the Grafana dashboard against the names of metrics and labels.
func TestDashboardShowsWhatIsServed(t *testing.T) {
	b, err := os.ReadFile("../../../docs/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title  string `json:"title"`
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string } `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, name := range metrics.Names() {
		served["peerfleet_"+strings.ReplaceAll(name, ".", "_")] = true
	}
	labels := map[string]bool{}
	for _, l := range liveLabels() {
		labels[l] = true
	}
	names, matchers := regexp.MustCompile(`peerfleet_\w+`), regexp.MustCompile(`(\w+)=~?"`)
	seen := 0
	taken := map[[2]int]string{}
	for _, p := range dashboard.Panels {
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panel %q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			for _, name := range names.FindAllString(target.Expr, -1) {
				if seen++; !served[name] {
					t.Errorf("panel %q asks for %s, which no run serves", p.Title, name)
				}
			}
			for _, m := range matchers.FindAllStringSubmatch(target.Expr, -1) {
				if !labels[m[1]] {
					t.Errorf("panel %q asks for the label %s, which no metric has", p.Title, m[1])
				}
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
	}
	if seen < 12 {
		t.Errorf("the dashboard shows %d metrics", seen)
	}
}
