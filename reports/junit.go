package reports

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitResult `xml:"failure"`
	Error   *junitResult `xml:"error"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitResult struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junit writes junit.xml: a suite for the run itself and one for every cell, with a case for its
// peers and one for each of its thresholds.
func junit(run *metrics.Run, d *Document) ([]byte, error) {
	all := junitSuites{Name: d.Name, Time: junitTime(run.ElapsedS)}
	used := make([]bool, len(d.Thresholds))
	cells := make([]junitSuite, len(run.Cells))
	for i := range run.Cells {
		cells[i] = junitCell(run, d, i, used)
	}
	own := junitSuite{Name: d.Name, Time: junitTime(run.ElapsedS), Cases: []junitCase{junitRun(run, d)}}
	for i := range d.Thresholds {
		if !used[i] {
			own.Cases = append(own.Cases, junitThreshold(d, &d.Thresholds[i]))
		}
	}
	all.Suites = append([]junitSuite{own}, cells...)
	for i := range all.Suites {
		all.Suites[i].tally()
		all.Tests += all.Suites[i].Tests
		all.Failures += all.Suites[i].Failures
		all.Errors += all.Suites[i].Errors
	}
	b, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write junit.xml: %w", err)
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}

func junitTime(s float64) string { return fmt.Sprintf("%.3f", max(s, 0)) }

func (s *junitSuite) tally() {
	s.Tests = len(s.Cases)
	for _, c := range s.Cases {
		switch {
		case c.Error != nil:
			s.Errors++
		case c.Failure != nil:
			s.Failures++
		}
	}
}

// junitRun is the case of the whole run: it errs when nothing can be said about the objectives.
func junitRun(run *metrics.Run, d *Document) junitCase {
	c := junitCase{Class: d.Name, Name: "run", Time: junitTime(run.ElapsedS)}
	switch run.Verdict {
	case "pass":
	case "fail":
		if run.ExitCode == 4 {
			c.Failure = &junitResult{Message: d.Verdict.Reasons[0], Type: "regression", Text: strings.Join(d.Verdict.Reasons, "\n")}
		}
	default:
		c.Error = &junitResult{Message: d.Verdict.Reasons[0], Type: d.Verdict.Word, Text: junitFindings(run, d)}
	}
	return c
}

func junitFindings(run *metrics.Run, d *Document) string {
	lines := d.Verdict.Reasons
	for _, f := range run.Audit.Findings {
		lines = append(lines[:len(lines):len(lines)], fmt.Sprintf("%s %s: measured %s, allowed %s: %s",
			clean(f.ID), clean(f.Cell), number(f.Measured), number(f.Allowed), clean(f.Text)))
	}
	return strings.Join(lines, "\n")
}

func junitCell(run *metrics.Run, d *Document, i int, used []bool) junitSuite {
	cell := &run.Cells[i]
	s := junitSuite{Name: d.Name + " / " + d.Cells[i].Name, Time: junitTime(cell.DurationS)}
	s.Cases = append(s.Cases, junitPeers(run, d, i))
	for j := range d.Thresholds {
		t := &d.Thresholds[j]
		if !used[j] && t.Cell == cell.ID && t.Repeat == cell.Repeat {
			used[j] = true
			s.Cases = append(s.Cases, junitThreshold(d, t))
		}
	}
	return s
}

// junitPeers is the case of a cell's joins. Failures that the scenario allows do not fail it.
func junitPeers(run *metrics.Run, d *Document, i int) junitCase {
	cell := &run.Cells[i]
	p := cell.Peers
	c := junitCase{Class: junitClass(d, d.Cells[i].Name), Name: "peers", Time: junitTime(cell.DurationS)}
	summary := fmt.Sprintf("%d planned, %d joined, %d connected, %d failed, %d unfinished", p.Planned, p.Joined, p.Connected, p.Failed, p.Unfinished)
	switch {
	case cell.TooManyFailed():
		c.Failure = &junitResult{Message: summary + ": " + failureKinds(p.Failures, 3), Type: "peers", Text: failedPeers(cell)}
	case p.Unfinished > 0 || run.Verdict == "interrupted" && p.Connected < p.Planned:
		c.Error = &junitResult{Message: summary, Type: "interrupted"}
	case !cell.Audit.Valid:
		c.Error = &junitResult{Message: "the measurement of this cell cannot be trusted; " + summary, Type: "invalid"}
	default:
		c.Out = summary
	}
	return c
}

func junitClass(d *Document, cell string) string {
	return strings.ReplaceAll(d.Name, ".", "_") + "." + strings.ReplaceAll(cell, ".", "_")
}

func failedPeers(cell *metrics.Cell) string {
	var lines []string
	for _, p := range cell.PeersDetail {
		if p.State != "failed" {
			continue
		}
		if len(lines) == 50 {
			return strings.Join(append(lines, "and more in run.json"), "\n")
		}
		lines = append(lines, strings.TrimSpace(clean(p.Name)+": "+clean(p.Failure)+" "+clean(p.Detail)))
	}
	return strings.Join(lines, "\n")
}

func junitThreshold(d *Document, t *Threshold) junitCase {
	c := junitCase{Class: junitClass(d, t.CellName), Name: clean(t.Metric) + " " + clean(t.Expr), Time: "0.000"}
	message := fmt.Sprintf("%s: measured %s, limit %s, margin %s, %s", c.Name, t.Measured, t.LimitAs, t.MarginAs, count(t.Samples, "sample"))
	switch t.Verdict {
	case "pass":
		c.Out = message
	case "no data":
		c.Failure = &junitResult{Message: message, Type: "no data"}
	default:
		c.Failure = &junitResult{Message: message, Type: "threshold"}
	}
	return c
}
