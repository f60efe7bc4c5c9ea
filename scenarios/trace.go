package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// The limits of a trace file.
const (
	maxTraceBytes = 16 << 20
	maxTraceLines = 2_000_000
)

// parseTrace reads a Mahimahi packet-delivery trace: one whole number of milliseconds per line,
// never falling, the last above 0. Faults name the line.
func parseTrace(name string, src []byte) (*impair.Trace, error) {
	if len(src) > maxTraceBytes {
		return nil, fmt.Errorf("trace %s has %d bytes; at most %d are read", name, len(src), maxTraceBytes)
	}
	src = bytes.TrimSuffix(src, []byte("\n"))
	if len(src) == 0 {
		return nil, fmt.Errorf("trace %s is empty", name)
	}
	t := &impair.Trace{Name: name, Opportunities: make([]time.Duration, 0, min(bytes.Count(src, []byte("\n"))+1, maxTraceLines))}
	var last time.Duration
	for row := range bytes.SplitSeq(src, []byte("\n")) {
		line := len(t.Opportunities) + 1
		if line > maxTraceLines {
			return nil, fmt.Errorf("trace %s has more than %d lines", name, maxTraceLines)
		}
		row = bytes.TrimSuffix(row, []byte("\r"))
		ms, err := strconv.ParseUint(string(row[:min(len(row), 20)]), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("trace %s:%d: %q is not a whole number of milliseconds", name, line, short(string(row[:min(len(row), 40)])))
		}
		at := time.Duration(ms) * time.Millisecond
		if at < last || at > day {
			return nil, fmt.Errorf("trace %s:%d: %d ms goes back or beyond a day; times never fall", name, line, ms)
		}
		t.Opportunities = append(t.Opportunities, at)
		last = at
	}
	if last == 0 {
		return nil, fmt.Errorf("trace %s: its last time must be above 0", name)
	}
	return t, nil
}

// trace reads a trace file once for all cells.
func (b *builder) trace(v *value) *impair.Trace {
	r, ok := b.traces[v.text]
	if !ok {
		r = b.readTrace(v.text)
		b.traces[v.text] = r
	}
	if r.err != nil {
		b.at(v.place, "%s", r.err)
	}
	return r.trace
}

func (b *builder) readTrace(name string) traceResult {
	if b.options.ReadFile == nil {
		return traceResult{err: errors.New("trace files cannot be read here")}
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(b.dir, path)
	}
	src, err := b.options.ReadFile(path)
	if err != nil {
		return traceResult{err: errors.New("trace: " + strings.ReplaceAll(err.Error(), "\n", " "))}
	}
	t, err := parseTrace(name, src)
	return traceResult{t, err}
}
