package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// faults collects what is wrong, with where it stands, up to a bound.
type faults struct {
	where string
	errs  []error
}

const maxFaults = 20

func (f *faults) add(format string, a ...any) {
	if len(f.errs) < maxFaults {
		f.errs = append(f.errs, fmt.Errorf("%s%s", f.where, fmt.Sprintf(format, a...)))
	}
}

func (f *faults) negative(name string, v float64) {
	if v < 0 {
		f.add("%s is negative", name)
	}
}

func (r *Run) validate() error {
	f := &faults{}
	if !oneOf(r.Verdict, "", "pass", "fail", "invalid", "error", "interrupted") {
		f.add("unknown verdict %q", r.Verdict)
	}
	if r.ExitCode < 0 || r.ExitCode > 255 {
		f.add("exit_code %d is none", r.ExitCode)
	}
	f.negative("elapsed_s", r.ElapsedS)
	f.negative("simulated_s", r.SimulatedS)
	type cell struct {
		id     string
		repeat int
	}
	seen := map[cell]bool{}
	for i := range r.Cells {
		c := &r.Cells[i]
		f.where = fmt.Sprintf("cell %q: ", c.ID)
		if k := (cell{c.ID, c.Repeat}); seen[k] {
			f.add("repeat %d stands twice", c.Repeat)
		} else {
			seen[k] = true
		}
		c.validate(f)
	}
	f.where = ""
	for _, t := range r.Thresholds {
		if !oneOf(t.Verdict, Pass, Fail, NoData) {
			f.add("threshold %q: unknown verdict %q", t.Metric, t.Verdict)
		}
		f.negative(fmt.Sprintf("threshold %q: samples", t.Metric), float64(t.Samples))
	}
	return errors.Join(f.errs...)
}

func (c *Cell) validate(f *faults) {
	f.negative("repeat", float64(c.Repeat))
	f.negative("warmup_s", c.WarmupS)
	f.negative("duration_s", c.DurationS)
	f.negative("peers.planned", float64(c.Peers.Planned))
	f.negative("peers.joined", float64(c.Peers.Joined))
	f.negative("peers.connected", float64(c.Peers.Connected))
	f.negative("peers.failed", float64(c.Peers.Failed))
	f.negative("peers.unfinished", float64(c.Peers.Unfinished))
	for _, kind := range slices.Sorted(maps.Keys(c.Peers.Failures)) {
		f.negative("peers.failures."+kind, float64(c.Peers.Failures[kind]))
	}
	where := f.where
	for i := range c.Metrics {
		f.where = fmt.Sprintf("%smetric %q: ", where, c.Metrics[i].Name)
		c.Metrics[i].validate(f)
	}
	for _, s := range c.Series {
		f.where = fmt.Sprintf("%sseries %q: ", where, s.Name)
		f.negative("step_s", s.StepS)
	}
	f.where = where
}

func (e *Entry) validate(f *faults) {
	if strings.TrimSpace(e.Name) == "" {
		f.add("has no name")
	}
	if n := len(e.Values); n > 0 && uint64(n) != e.Count {
		f.add("count is %d, and there are %d values", e.Count, n)
	}
	if e.Hist != nil && len(e.Values) > 0 {
		f.add("has both values and hist")
	}
	if e.Hist != nil && e.Hist.Count() != e.Count {
		f.add("count is %d, and hist has %d", e.Count, e.Hist.Count())
	}
	if e.Min.Valid() && e.Max.Valid() && e.Min > e.Max {
		f.add("min is above max")
	}
}

func oneOf(s string, of ...string) bool { return slices.Contains(of, s) }
