package reports

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Measures of the bands beside a ladder, in points.
const (
	bandWidth   = 13
	bandColumns = 2 // side by side, as one phase ends with the packet that begins the next
)

// tracePhase is a part of connecting with its place in the trace, in ms.
type tracePhase struct {
	name     string
	from, to float64
	color    int // of phaseColor
}

// tracePhases places what the peer measured of its phases. Only their lengths are known: ICE
// begins with the first candidate or description that came, DTLS where ICE ends.
func tracePhases(t *metrics.Trace, peer *metrics.PeerDetail) []tracePhase {
	if peer == nil {
		return nil
	}
	var phases []tracePhase
	add := func(name string, from, to float64, color int) {
		if to > from {
			phases = append(phases, tracePhase{name, from, to, color})
		}
	}
	length := func(metric string) float64 {
		return cmp.Or(peer.Connect[metric], peer.Connect["connect."+metric])
	}
	add("signaling", 0, length("signaling"), 0)
	ice := length("ice")
	if heard, ok := firstHeard(t, ice); ok && ice > 0 {
		connected := heard + ice
		secured := connected + length("dtls")
		add("ICE", heard, connected, 3)
		add("DTLS", connected, secured, 4)
		add("first media", secured, length("first_packet"), phaseFirstFrame)
	}
	return phases
}

// firstHeard is when the peer heard of the other end: of its candidates, which may stand in a
// description. Where signaling says nothing, ICE is taken to end with the first packet of DTLS.
func firstHeard(t *metrics.Trace, iceMS float64) (float64, bool) {
	for i := range t.Steps {
		s := &t.Steps[i]
		if s.Layer == "signaling" && s.Direction == "received" && strings.HasPrefix(s.What, "take") {
			return s.TMS, true
		}
	}
	for i := range t.Steps {
		if s := &t.Steps[i]; s.Layer == "dtls" {
			return max(s.TMS-iceMS, 0), true
		}
	}
	return 0, false
}

// peerOf finds the traced peer's own figures.
func peerOf(c *metrics.Cell) *metrics.PeerDetail {
	for i := range c.PeersDetail {
		if c.Trace != nil && c.PeersDetail[i].Name == c.Trace.Peer {
			return &c.PeersDetail[i]
		}
	}
	return nil
}

// band is a phase beside the rows that lie in it.
type band struct {
	tracePhase
	first, last, column int
}

// bands places phases so that none covers another; what has no row or no column is left out.
func bands(phases []tracePhase, rows []traceRow) []band {
	const instant = 0.05 // times are written with so many digits
	var placed []band
	for _, p := range phases {
		b := band{tracePhase: p, first: -1}
		for i := range rows {
			if at := rows[i].step.TMS; at >= p.from-instant && at <= p.to+instant {
				if b.first < 0 {
					b.first = i
				}
				b.last = i
			}
		}
		if b.first < 0 {
			continue
		}
		for _, o := range placed {
			if o.column == b.column && o.first <= b.last && b.first <= o.last {
				b.column++
			}
		}
		if b.column < bandColumns {
			placed = append(placed, b)
		}
	}
	return placed
}

// phaseWords tells the phases where a band is too short for them.
func phaseWords(phases []tracePhase) string {
	var parts []string
	for _, p := range phases {
		parts = append(parts, fmt.Sprintf("%s %s to %s", p.name, short(p.from, 0), inTime(round(p.to, 0))))
	}
	return strings.Join(parts, ", ")
}

// paintBand draws a band from top to bottom with its name along it, as much of it as fits.
func paintBand(c draw.Canvas, b band, top, bottom vg.Length) {
	left := c.Min.X + vg.Length(b.column)*bandWidth
	r := vg.Rectangle{Min: vg.Point{X: left, Y: bottom + 0.5}, Max: vg.Point{X: left + bandWidth - 1.5, Y: top - 0.5}}
	c.SetColor(phaseColor(b.color))
	c.Fill(r.Path())
	sty := style(smallSize-1, true, phaseInk(b.color), draw.XCenter, draw.YCenter)
	for _, label := range []string{b.name + " " + inTime(round(b.to-b.from, 0)), b.name} {
		if sty.Width(label)+4 > top-bottom {
			continue
		}
		sty.Rotation = math.Pi / 2
		c.FillText(sty, vg.Point{X: left + (bandWidth-1.5)/2, Y: (top + bottom) / 2}, label)
		return
	}
}
