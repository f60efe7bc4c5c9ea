package reports

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
)

// Build decides what is said about a run. It does not change the run, and equal runs give equal
// documents whether they come from memory or from run.json.
func Build(run *metrics.Run) *Document {
	cells := cellRows(run)
	d := &Document{
		Name:        clean(cmp.Or(run.Scenario.Name, "run")),
		Description: clean(run.Scenario.Description),
		Speed:       speed(run),
		Facts:       facts(run),
		Thresholds:  thresholdRows(run, cells),
		Peers:       peerTotals(run),
		Cells:       cells,
		Audit:       auditLine(run),
		Cost:        costLine(run),
		Advice:      advice(run, cells),
		TraceHash:   traceHash(run),
		Pairs:       pairMatrices(run),
	}
	d.Verdict = verdictOf(run, d.Peers, d.Thresholds)
	d.Sections = sections(run, d)
	return d
}

func facts(run *metrics.Run) []Fact {
	s := run.Scenario
	fs := []Fact{
		{"cells", fmt.Sprint(len(run.Cells))},
		{"clock", clean(cmp.Or(s.Clock, "wall"))},
		{"network", clean(cmp.Or(s.Network, "sockets"))},
		{"seed", fmt.Sprint(s.Seed)},
		{"took", seconds(run.ElapsedS)},
	}
	if run.SimulatedS > 0 {
		fs = append(fs, Fact{"call time", seconds(run.SimulatedS)})
	}
	if s.Target != "" {
		fs = append(fs, Fact{"target", clean(s.Target)})
	}
	if !run.Started.IsZero() {
		fs = append(fs, Fact{"started", run.Started.UTC().Format("2006-01-02 15:04:05") + " UTC"})
	}
	return fs
}

func seconds(s float64) string {
	if s >= 120 {
		return time.Duration(s * float64(time.Second)).Round(time.Second).String()
	}
	return short(s, 1) + " s"
}

// auditLine sums up whether the figures can be trusted.
func auditLine(run *metrics.Run) string {
	if len(run.Cells) == 0 && len(run.Audit.Findings) == 0 {
		return "nothing was measured"
	}
	if n := len(run.Audit.Findings); n > 0 || !run.Audit.Valid {
		s := "not valid"
		if run.Audit.Valid {
			s = "valid, with remarks"
		}
		if n > 0 {
			f := run.Audit.Findings[0]
			s += ": " + clean(cmp.Or(f.Text, f.ID))
			if n > 1 {
				s += fmt.Sprintf(" (and %s)", count(n-1, "more finding"))
			}
		}
		return s
	}
	if virtual(run) {
		return "valid; virtual time is exact and says nothing about CPU"
	}
	var cpu, late, sent float64
	frames, emulated := false, false
	var drops uint64
	cpus := run.Host.CPUs
	for i := range run.Cells {
		a := &run.Cells[i].Audit
		cpu, late, drops = max(cpu, a.CPU), max(late, a.LatenessMS.P99), drops+a.SocketDrops
		sent, emulated = max(sent, a.SendLatenessMS.P99), emulated || delaysPackets(&run.Cells[i])
		frames = frames || a.PacketsSent > 0
		cpus = max(cpus, a.CPUs)
	}
	parts := []string{"valid"}
	if cpu > 0 {
		parts = append(parts, fmt.Sprintf("CPU at most %s of %s", short(cpu, 2), count(cpus, "core")))
	}
	var lates []string
	if frames {
		lates = append(lates, "frames "+inTime(round(sent, 3)))
	}
	if emulated {
		lates = append(lates, "links "+inTime(round(late, 3)))
	}
	if len(lates) > 0 {
		parts = append(parts, "late p99: "+strings.Join(lates, ", "))
	}
	return strings.Join(append(parts, count(int(drops), "socket drop")), ", ")
}

// delaysPackets tells whether the cell had emulated links; without any nothing could be late.
func delaysPackets(c *metrics.Cell) bool {
	late := collect(c.Metrics, "generator.lateness", nil)
	return late.count > 0 || c.Audit.LatenessMS.P99 > 0
}

// copied keeps the document apart from the run.
func copied(p metrics.PeerCounts) metrics.PeerCounts {
	p.Failures = maps.Clone(p.Failures)
	return p
}
