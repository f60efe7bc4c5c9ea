package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/reports"
	"github.com/spf13/cobra"
)

func reportCommand(env Env) *cobra.Command {
	var out, format string
	c := &cobra.Command{
		Use: "report RUN", Short: "Render a run.json again", Args: exactly(1, "a run.json or the folder it lies in"),
		RunE: func(_ *cobra.Command, args []string) error { return rerender(env, args[0], out, format) },
	}
	c.Flags().StringVar(&out, "out", "", "folder to write to (default: the run's own)")
	c.Flags().StringVar(&format, "format", strings.Join(reports.Formats(), ","), "what to write")
	return c
}

func rerender(env Env, path, out, format string) error {
	formats, err := parseFormats(format)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "run.json")
	}
	f, err := os.Open(path)
	if err != nil {
		return usageError{err}
	}
	run, err := metrics.ReadRun(f)
	_ = f.Close() // only read from
	if err != nil {
		return usage("%s: %w", path, err)
	}
	if out == "" {
		out = filepath.Dir(path)
		formats = slices.DeleteFunc(formats, func(f string) bool { return f == "json" }) // it is the source
	}
	if err := writeReport(run, out, formats); err != nil {
		return err
	}
	fmt.Fprint(env.Stdout, reports.Summary(reports.Build(run), env.color()))
	fmt.Fprintln(env.Stdout, "report:", out)
	return nil
}

// color tells whether results may be coloured.
func (e Env) color() bool {
	_, no := e.LookupEnv("NO_COLOR")
	return e.ColorOut && !no
}

// parseFormats reads a --format list.
func parseFormats(list string) ([]string, error) {
	var formats []string
	for f := range strings.SplitSeq(list, ",") {
		f = strings.TrimSpace(f)
		if !slices.Contains(reports.Formats(), f) {
			return nil, usage("--format: %q is not one of %s", f, strings.Join(reports.Formats(), ", "))
		}
		formats = append(formats, f)
	}
	return formats, nil
}

// writeReport writes run.json, where asked for, and everything rendered from it into a folder,
// which it makes. Each file appears whole or not at all.
func writeReport(run *metrics.Run, dir string, formats []string) error {
	files, err := reports.Render(run, formats)
	if err != nil {
		return fmt.Errorf("render report: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o755); err != nil {
		return err
	}
	if !slices.Contains(formats, "plots") {
		_ = os.Remove(filepath.Join(dir, "plots")) // succeeds only while it is empty
	}
	if slices.Contains(formats, "json") {
		var b bytes.Buffer
		if err := run.Write(&b); err != nil {
			return fmt.Errorf("write run.json: %w", err)
		}
		files["run.json"] = b.Bytes()
	}
	for name, content := range files {
		if err := writeWhole(filepath.Join(dir, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return nil
}

// writeWhole replaces a file by renaming a finished one over it.
func writeWhole(path string, content []byte) error {
	temporary := path + ".part"
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
