package impair

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// constant is a trace of a constant rate in Mbit/s.
func constant(mbps float64, of time.Duration) string {
	var b strings.Builder
	for i := 1; i <= int(mbps*of.Seconds()*1e6/12000); i++ {
		fmt.Fprintf(&b, "%d\n", int(float64(i)*12/mbps))
	}
	return b.String()
}

func parse(t *testing.T, text string) *Trace {
	t.Helper()
	trace, err := ParseTrace("test", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

func TestConstantTrace(t *testing.T) {
	for _, mbps := range []float64{1.2, 6, 12, 48} {
		trace := parse(t, constant(mbps, 2*time.Second))
		if got, want := len(trace.Opportunities), int(mbps*2e6/12000); got != want {
			t.Errorf("%v Mbit/s: %d lines, want %d", mbps, got, want)
		}
		if got := trace.MeanBPS(); math.Abs(got/(mbps*1e6)-1) > .01 {
			t.Errorf("%v Mbit/s: mean %v", mbps, got)
		}
		l, sum := NewLink(Profile{Trace: trace}, 1), 0
		for now := time.Duration(0); now < 10*time.Second; now += 100 * time.Microsecond {
			if f := l.Offer(at(now), 1000); f.Drop == Delivered && !f.At.After(at(10*time.Second)) {
				sum += 8000
			}
		}
		if got := float64(sum) / 10; math.Abs(got/(mbps*1e6)-1) > .01 {
			t.Errorf("%v Mbit/s: %v through the link", mbps, got)
		}
	}
}

func TestTraceOpportunities(t *testing.T) {
	trace := parse(t, "2\n2\n5\n10\n")
	offer := func(l *Link, at ...float64) (left []float64) {
		for _, now := range at {
			f := l.Offer(epoch.Add(time.Duration(now*1e6)), 1000)
			left = append(left, float64(f.At.Sub(epoch))/1e6)
		}
		return left
	}
	// 1000 of 1500 bytes leave, the next packet takes the 500 left and 500 of the next.
	got := offer(NewLink(Profile{Trace: trace, QueueBytes: 1 << 20}, 1), 0, 0, 0, 0, 0, 0, 0, 0)
	if diff := cmp.Diff([]float64{2, 2, 2, 5, 10, 10, 12, 12}, got); diff != "" {
		t.Error("backlog:", diff)
	}
	// Unused opportunities are wasted, also the rest of one; the trace wraps every 10 ms.
	got = offer(NewLink(Profile{Trace: trace, QueueBytes: 1 << 20}, 1), 0, 3, 5, 6, 10, 10.5, 99, 123)
	if diff := cmp.Diff([]float64{2, 5, 10, 10, 12, 12, 100, 125}, got); diff != "" {
		t.Error("idle:", diff)
	}
}

func TestTraceBeginsAnewAtStart(t *testing.T) {
	l := NewLink(Profile{Trace: parse(t, "3\n100\n")}, 1)
	l.Offer(epoch, 1500)
	l.Start(at(50 * ms))
	if f := l.Offer(at(51*ms), 1500); f.At != at(53*ms) {
		t.Errorf("got %v, want 53 ms", f.At.Sub(epoch))
	}
}

func TestTraceQueue(t *testing.T) {
	l := NewLink(Profile{Trace: parse(t, "1000\n"), QueueBytes: 3000}, 1)
	for i, want := range []Drop{Delivered, Delivered, Delivered, DropQueue} {
		if f := l.Offer(epoch, 1000); f.Drop != want {
			t.Errorf("packet %d: got %v, want %v", i, f.Drop, want)
		}
	}
	l = NewLink(Profile{Trace: &Trace{}}, 1)
	if f := l.Offer(epoch, 1000); f.Drop != DropQueue {
		t.Errorf("empty trace: got %v", f.Drop)
	}
}

func TestParseTraceFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":            "the last time has to be above 0",
		"0\n0\n":      "the last time has to be above 0",
		"1\n\n2\n":    `line 2: "" is not a whole number`,
		"1\n-2\n":     "line 2",
		"5\n4\n":      "line 2: 4 ms is before the line above",
		"1.5\n":       "line 1",
		"99999999999": "line 1",
	} {
		if _, err := ParseTrace("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	for _, s := range []string{"1\n2\n", "0\n0\n5\n", "", "x", "1\r\n2\r\n", "7\n7\n6\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		trace, err := ParseTrace("fuzz", strings.NewReader(text))
		if err != nil {
			return
		}
		l := NewLink(Profile{Trace: trace}, 1)
		last := epoch
		for i := range 50 {
			now := at(time.Duration(i*i) * ms)
			fate := l.Offer(now, 900)
			if fate.Drop == Delivered && (fate.At.Before(now) || fate.At.Before(last)) {
				t.Fatalf("packet %d arrives at %v", i, fate.At)
			}
			if fate.Drop == Delivered {
				last = fate.At
			}
		}
	})
}
