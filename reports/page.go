package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
)

//go:embed report.html.tmpl
var pageTemplate string

// pageView is what the template of report.html sees.
type pageView struct {
	*Document
	State State
	Parts []pagePart
}

type pagePart struct {
	Section
	Figures []pageFigure
}

type pageFigure struct {
	Plot
	Drawing template.HTML // our own SVG, whose foreign text was escaped when it was drawn
}

// page writes report.html: one file that needs no network and no script.
func page(d *Document, plots []Plot) ([]byte, error) {
	view := pageView{Document: d, State: stateOf(d.Verdict.Word)}
	for _, s := range d.Sections {
		part := pagePart{Section: s}
		for _, p := range plotsOf(s, plots) {
			svg, err := p.SVG()
			if err != nil {
				return nil, err
			}
			_, drawing, _ := strings.Cut(string(svg), "?>\n")
			part.Figures = append(part.Figures, pageFigure{p, template.HTML(drawing)}) //nolint:gosec // see Drawing
		}
		if !s.empty() || len(part.Figures) > 0 {
			view.Parts = append(view.Parts, part)
		}
	}
	t, err := template.New("report").Funcs(template.FuncMap{"upper": strings.ToUpper, "count": count}).Parse(pageTemplate)
	if err != nil {
		return nil, fmt.Errorf("report.html: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return nil, fmt.Errorf("report.html: %w", err)
	}
	return b.Bytes(), nil
}
