package arch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/scenarios"
)

func document(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root(t), "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEveryMetricIsDocumented(t *testing.T) {
	text := document(t, "metrics.md")
	for _, name := range metrics.Names() {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/metrics.md does not define %s", name)
		}
	}
}

func TestEveryPresetIsDocumented(t *testing.T) {
	text := document(t, "scenario-reference.md")
	for _, p := range scenarios.Presets() {
		if !strings.Contains(text, "\n| `"+p.Name+"` |") {
			t.Errorf("docs/scenario-reference.md does not list preset %s", p.Name)
		}
	}
}

// TestEveryKeyIsDocumented takes the keys from the JSON Schema, which is made from what the parser
// reads.
func TestEveryKeyIsDocumented(t *testing.T) {
	var schema any
	if err := json.Unmarshal(scenarios.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	text := document(t, "scenario-reference.md")
	for key := range properties(schema, map[string]bool{}) {
		if !regexp.MustCompile("[`.]" + regexp.QuoteMeta(key) + "[`.:]").MatchString(text) {
			t.Errorf("docs/scenario-reference.md does not explain %s", key)
		}
	}
}

// properties collects the names under every "properties" of a schema.
func properties(schema any, names map[string]bool) map[string]bool {
	switch s := schema.(type) {
	case map[string]any:
		if p, ok := s["properties"].(map[string]any); ok {
			for name := range p {
				names[name] = true
			}
		}
		for _, part := range s {
			properties(part, names)
		}
	case []any:
		for _, part := range s {
			properties(part, names)
		}
	}
	return names
}
