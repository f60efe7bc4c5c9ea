package reports

import (
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// Formats are the words that [Render] knows. "json" stands for run.json, which is written by
// whoever has the run; Render takes the word and adds nothing for it.
func Formats() []string { return []string{"text", "html", "md", "json", "junit", "csv", "plots"} }

// Render returns the files of a run by their path under the report's folder: summary.txt,
// report.html, report.md, junit.xml, samples.csv, plots/*.svg and plots/*.png. No formats means all
// of them. Equal runs give equal bytes. Unknown formats are reported all at once.
func Render(run *metrics.Run, formats []string) (map[string][]byte, error) {
	if err := checkFormats(formats); err != nil {
		return nil, err
	}
	want := func(f string) bool { return len(formats) == 0 || slices.Contains(formats, f) }
	d := Build(run)
	var plots []Plot
	if want("plots") || want("html") || want("md") {
		plots = Plots(run, d)
	}
	files := map[string][]byte{}
	if want("text") {
		files["summary.txt"] = []byte(Summary(d, false))
	}
	if want("md") {
		files["report.md"] = markdown(d, plots)
	}
	for _, f := range []struct {
		format, name string
		write        func() ([]byte, error)
	}{
		{"html", "report.html", func() ([]byte, error) { return page(d, plots) }},
		{"junit", "junit.xml", func() ([]byte, error) { return junit(run, d) }},
		{"csv", "samples.csv", func() ([]byte, error) { return samples(run) }},
	} {
		if !want(f.format) {
			continue
		}
		b, err := f.write()
		if err != nil {
			return nil, err
		}
		files[f.name] = b
	}
	if want("plots") {
		if err := addPlots(files, plots); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func addPlots(files map[string][]byte, plots []Plot) error {
	for _, p := range plots {
		svg, err := p.SVG()
		if err != nil {
			return err
		}
		png, err := p.PNG()
		if err != nil {
			return err
		}
		files["plots/"+p.Name+".svg"], files["plots/"+p.Name+".png"] = svg, png
	}
	return nil
}

func checkFormats(formats []string) error {
	var unknown []string
	for _, f := range formats {
		if !slices.Contains(Formats(), f) {
			unknown = append(unknown, fmt.Sprintf("%q", f))
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("unknown format %s; known are %s", strings.Join(unknown, ", "), strings.Join(Formats(), ", "))
	}
	return nil
}
