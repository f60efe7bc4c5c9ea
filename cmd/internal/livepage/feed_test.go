package livepage

import (
	"encoding/json"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func of(v float64) *float64 { return &v }

func TestPointsLieBetweenCounts(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		a, b Counts
		want Point
	}{
		"nothing measured": {
			Counts{},
			Counts{At: time.Second, Failed: 1, DelayP50MS: nan, DelayP95MS: nan},
			Point{T: 1, Failed: 1, InBPS: of(0), OutBPS: of(0)},
		},
		"a second": {
			Counts{At: time.Second, Lost: 1, Expected: 100, Up: 1000, Down: 1000, In: 10, Out: 20},
			Counts{
				At: 3 * time.Second, Connected: 2, CPU: 0.5, Lost: 3, Expected: 110, Up: 2000, Down: 4000, In: 260, Out: 520,
				DelayP50MS: 20, DelayP95MS: 40,
			},
			Point{
				T: 3, Connected: 2, CPU: 0.5, LossRatio: of(0.2), UpBPS: of(2000), DownBPS: of(6000), InBPS: of(1000), OutBPS: of(2000),
				DelayP50MS: of(20), DelayP95MS: of(40),
			},
		},
		"a packet that was lost has come": {
			Counts{Lost: 3, Expected: 100}, Counts{Lost: 2, Expected: 110, DelayP50MS: nan, DelayP95MS: nan}, Point{LossRatio: of(-0.1)},
		},
		"peers that left took their counts along": {
			Counts{Up: 5, Down: 5, In: 5, Out: 5},
			Counts{At: time.Second, Connected: 1, Up: 4, Down: 4, In: 4, Out: 4, DelayP50MS: nan, DelayP95MS: nan},
			Point{T: 1, Connected: 1},
		},
	} {
		if d := cmp.Diff(c.want, between(c.a, c.b)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestFeedKeepsAnHour(t *testing.T) {
	var f Feed
	if s := f.from("", 0); s.Cell != "" || len(s.Points) != 0 || s.Points == nil {
		t.Errorf("an empty feed: got %+v", s)
	}
	f.Begin("run")
	for i := range maxPoints + 10 {
		f.Add("a", Counts{At: time.Duration(i) * time.Second})
	}
	f.Add("b", Counts{Phase: "joining", Planned: 7})
	s := f.from("a", 0)
	if s.Next != maxPoints+10 || len(s.Points) != maxPoints || s.Points[0].T != 10 {
		t.Errorf("got %d points up to %d from %v s on", len(s.Points), s.Next, s.Points[0].T)
	}
	if s := f.from("a", maxPoints+9); len(s.Points) != 1 || s.Points[0].T != maxPoints+9 {
		t.Errorf("the latest point: got %+v", s.Points)
	}
	for _, unknown := range []string{"", "b", "c"} {
		if s := f.from(unknown, 99); s.Cell != "b" || s.Planned != 7 || len(s.Points) != 0 || s.Next != 1 {
			t.Errorf("cell %q: got %+v", unknown, s)
		}
	}
	f.Begin("next")
	if s := f.from("a", 0); s.Title != "next" || len(s.Cells) != 0 {
		t.Errorf("after the next run has begun: got %+v", s)
	}
}

func TestHandler(t *testing.T) {
	var f Feed
	f.Begin("<script>")
	f.Add("</script>", Counts{At: time.Second, DelayP50MS: math.NaN(), DelayP95MS: math.Inf(1)})
	get := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		f.Handler().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for path, want := range map[string]int{
		"/": 200, "/page.js": 200, "/page.css": 200, "/feed": 200, "/feed?after=1": 200, "/feed?after=-1": 400, "/feed?after=x": 400,
		"/none": 404, "/../feed.go": 404,
	} {
		w := get(http.MethodGet, path)
		if w.Code != want && (w.Code != http.StatusMovedPermanently && w.Code != http.StatusTemporaryRedirect || want != 404) {
			t.Errorf("%s: got %d, want %d", path, w.Code, want)
		}
		if !strings.HasPrefix(w.Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self';") {
			t.Errorf("%s: policy %q", path, w.Header().Get("Content-Security-Policy"))
		}
	}
	if w := get(http.MethodPost, "/feed"); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", w.Code)
	}
	text := get(http.MethodGet, "/feed").Body.String()
	var s state
	if err := json.Unmarshal([]byte(text), &s); err != nil || s.Title != "<script>" || len(s.Points) != 1 || s.Points[0].DelayP95MS != nil {
		t.Errorf("got %s, %v", text, err)
	}
	if strings.Contains(text, "<") {
		t.Errorf("markup in %s", text)
	}
}

// TestThePageNeedsNothingFromElsewhere looks for addresses, and for ways to turn text into markup.
func TestThePageNeedsNothingFromElsewhere(t *testing.T) {
	err := fs.WalkDir(subtree(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(subtree(), path)
		for _, bad := range []string{"https:", "//cdn", "@import", "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="} {
			if strings.Contains(string(b), bad) {
				t.Errorf("%s has %s", path, bad)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
