package reports

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pngDPI makes a plot about 1100 pixels wide.
const pngDPI = 150

// Plot is a picture of a run with something in it.
type Plot struct {
	Name    string // of its files, without folder and extension
	Title   string
	Alt     string // what it shows, in words and figures
	Section string // ID of the section it belongs to

	width, height vg.Length
	paint         func(draw.Canvas)
}

// Plots draws nothing yet; it decides which plots a run has, in the order of the report. A plot
// that would be empty is left out.
func Plots(run *metrics.Run, d *Document) []Plot {
	plots := pairPlots(d.Pairs)
	plots = append(plots, bandwidthPlots(run, d.Cells)...)
	plots = append(plots, phasePlots(run, d.Cells)...)
	plots = append(plots, connectPlots(run)...)
	plots = append(plots, tracePlots(run, d.Cells)...)
	return append(plots, timelinePlots(run, d.Cells)...)
}

// SVG is the plot as a standalone file that can also stand inline in a page: it has a title and a
// label and no ids.
func (p *Plot) SVG() ([]byte, error) {
	c := vgsvg.New(p.width, p.height)
	p.onWhite(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("draw %s.svg: %w", p.Name, err)
	}
	_, body, ok := strings.Cut(b.String(), "<svg")
	if ok {
		_, body, ok = strings.Cut(body, ">\n")
	}
	if !ok {
		return nil, fmt.Errorf("draw %s.svg: unexpected form", p.Name)
	}
	body = strings.ReplaceAll(body, "font-family:Liberation Sans;", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")
	head := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="%.5gpt" height="%.5gpt" viewBox="0 0 %.5g %.5g" role="img" aria-label="%s">
<title>%s</title>
<desc>%s</desc>
`, p.width.Points(), p.height.Points(), p.width.Points(), p.height.Points(), escapeXML(p.Title), escapeXML(p.Title), escapeXML(p.Alt))
	return []byte(head + body), nil
}

// PNG is the plot at 150 dots per inch.
func (p *Plot) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(p.width, p.height), vgimg.UseDPI(pngDPI))
	p.onWhite(draw.New(c))
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.DefaultCompression}).Encode(&b, c.Image()); err != nil {
		return nil, fmt.Errorf("draw %s.png: %w", p.Name, err)
	}
	return b.Bytes(), nil
}

func (p *Plot) onWhite(c draw.Canvas) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	p.paint(c)
}

func escapeXML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(clean(s))
}

// fileName makes a name safe for a file on every system.
func fileName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := strings.Trim(b.String(), "-.")
	return name[:min(len(name), 80)]
}
