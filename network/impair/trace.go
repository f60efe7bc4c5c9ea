package impair

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sort"
	"strconv"
	"time"
)

const (
	opportunity = 1500      // bytes
	traceLimit  = 1_000_000 // lines; the longest public traces have a third of it
)

// MeanBPS is the rate of a fully used trace in bits per second.
func (t *Trace) MeanBPS() float64 {
	if !t.delivers() {
		return 0
	}
	return float64(len(t.Opportunities)) * opportunity * 8 / t.period().Seconds()
}

func (t *Trace) period() time.Duration { return t.Opportunities[len(t.Opportunities)-1] }

// delivers is false for a trace without a period: nothing ever leaves.
func (t *Trace) delivers() bool { return len(t.Opportunities) > 0 && t.period() > 0 }

// ParseTrace reads a Mahimahi packet-delivery trace: a line per opportunity, each the whole
// milliseconds since the start. Errors name the line.
func ParseTrace(name string, r io.Reader) (*Trace, error) {
	t := &Trace{Name: name}
	lines := bufio.NewScanner(r)
	var last time.Duration
	for lines.Scan() {
		line := len(t.Opportunities) + 1
		if line > traceLimit {
			return nil, fmt.Errorf("trace %s: more than %d lines", name, traceLimit)
		}
		ms, err := strconv.ParseUint(lines.Text(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("trace %s, line %d: %q is not a whole number of milliseconds", name, line, lines.Text())
		}
		at := time.Duration(ms) * time.Millisecond
		if at < last {
			return nil, fmt.Errorf("trace %s, line %d: %d ms is before the line above", name, line, ms)
		}
		last = at
		t.Opportunities = append(t.Opportunities, at)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("trace %s: %w", name, err)
	}
	return t, t.check()
}

func (t *Trace) check() error {
	if !t.delivers() {
		return fmt.Errorf("trace %s: the last time has to be above 0", t.Name)
	}
	if !sort.SliceIsSorted(t.Opportunities, func(i, j int) bool { return t.Opportunities[i] < t.Opportunities[j] }) {
		return errors.New("trace " + t.Name + ": times go backwards")
	}
	return nil
}

// cursor is a place in a trace that repeats without end: the opportunity in use and what is left
// of it. It only moves forward.
type cursor struct {
	base  time.Duration // when the trace began
	cycle int64         // how often it has wrapped
	i     int
	left  int64 // bytes
	set   bool
}

func (c *cursor) at(t *Trace) time.Duration {
	return c.base + time.Duration(c.cycle)*t.period() + t.Opportunities[c.i]
}

// next moves to the first opportunity not before from that has bytes left, and returns when it
// is. What is unused of an earlier one is wasted.
func (c *cursor) next(t *Trace, from time.Duration) time.Duration {
	if !c.set || c.at(t) < from {
		c.seek(t, max(from-c.base, 0))
	}
	if c.left == 0 {
		c.step(t)
	}
	return c.at(t)
}

// seek finds the first opportunity at or after the trace's own time x. The last instant of one
// cycle is the first of the next, and belongs to the earlier.
func (c *cursor) seek(t *Trace, x time.Duration) {
	period := t.period()
	c.cycle = int64(max(x-1, 0) / period)
	x -= time.Duration(c.cycle) * period
	c.i = sort.Search(len(t.Opportunities), func(i int) bool { return t.Opportunities[i] >= x })
	c.left, c.set = opportunity, true
}

func (c *cursor) step(t *Trace) {
	if c.i++; c.i == len(t.Opportunities) {
		c.i = 0
		c.cycle++
	}
	c.left = opportunity
}

// take uses up size bytes from the current opportunity on and returns when the last one leaves.
func (c *cursor) take(t *Trace, size int64) time.Duration {
	for size > c.left {
		size -= c.left
		c.step(t)
	}
	c.left -= size
	return c.at(t)
}
