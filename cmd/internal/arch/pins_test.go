package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestPins holds the versions that were chosen on purpose; docs/adr says why.
func TestPins(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"github.com/pion/webrtc/v4":    "v4.2.20",
		"github.com/pion/turn/v4":      "v4.1.4",
		"github.com/pion/transport/v4": "v4.1.0",
		"github.com/gorilla/websocket": "v1.5.3",
		"gonum.org/v1/plot":            "v0.17.0",
	} {
		m := regexp.MustCompile(`(?m)^\s*(?:require\s+)?` + regexp.QuoteMeta(path) + `\s+(\S+)`).FindSubmatch(b)
		if m == nil {
			t.Errorf("%s is not required", path)
		} else if got := string(m[1]); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if regexp.MustCompile(`(?m)^\s*replace\b`).Match(b) {
		t.Error("go.mod replaces a module: others who require this one would not see that")
	}
}
