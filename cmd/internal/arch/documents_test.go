package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents reads everything that is written for people: Markdown, and what CI runs.
func documents(t *testing.T) map[string]string {
	t.Helper()
	base, texts := root(t), map[string]string{}
	err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel == ".git" || rel == "out" || rel == ".ci/cache" || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(rel, ".md") || strings.HasPrefix(rel, ".ci/") || strings.HasPrefix(rel, ".github/") {
			b, err := os.ReadFile(name)
			texts[rel] = string(b)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestDocumentsNameNoMachine finds paths that exist only where somebody wrote the text.
func TestDocumentsNameNoMachine(t *testing.T) {
	local := []string{"/home/", "/root/", "/Users/", `C:\`, "file://"}
	if parent := filepath.Dir(root(t)); parent != filepath.Dir(parent) {
		local = append(local, parent+string(filepath.Separator))
	}
	for name, text := range documents(t) {
		for _, l := range local {
			if regexp.MustCompile(`(^|[^\w./-])` + regexp.QuoteMeta(l)).MatchString(text) {
				t.Errorf("%s names a path of one machine: %s", name, l)
			}
		}
	}
}

// TestLinksBetweenDocumentsLead follows every relative link.
func TestLinksBetweenDocumentsLead(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)
	for name, text := range documents(t) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			target := filepath.Join(root(t), filepath.Dir(name), filepath.FromSlash(m[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", name, m[1], err)
			}
		}
	}
}
