package reports

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

func TestTracePhases(t *testing.T) {
	heard := metrics.TraceStep{TMS: 200, Layer: "signaling", Direction: "received", What: "takeConfiguration (answer)"}
	hello := metrics.TraceStep{TMS: 300, Layer: "dtls", Direction: "sent", What: "ClientHello"}
	whole := map[string]float64{"signaling": 120, "ice": 360, "dtls": 160, "first_packet": 803}
	for _, c := range []struct {
		name    string
		steps   []metrics.TraceStep
		connect map[string]float64
		want    string
	}{
		{"whole", []metrics.TraceStep{heard, hello}, whole, "signaling 0 to 120 ms, ICE 200 to 560 ms, DTLS 560 to 720 ms, first media 720 to 803 ms"},
		{"unknown signaling", []metrics.TraceStep{hello}, map[string]float64{"signaling": 120, "ice": 50, "dtls": 10}, "signaling 0 to 120 ms, ICE 250 to 300 ms, DTLS 300 to 310 ms"},
		{"failed", []metrics.TraceStep{heard}, map[string]float64{"signaling": 120}, "signaling 0 to 120 ms"},
		{"nothing heard", nil, whole, "signaling 0 to 120 ms"},
		{"by metric", nil, map[string]float64{"connect.signaling": 40}, "signaling 0 to 40 ms"},
	} {
		got := tracePhases(&metrics.Trace{Steps: c.steps}, &metrics.PeerDetail{Connect: c.connect})
		if words := phaseWords(got); words != c.want {
			t.Errorf("%s: got %q, want %q", c.name, words, c.want)
		}
	}
	if got := tracePhases(&metrics.Trace{}, nil); got != nil {
		t.Errorf("no figures: got %+v", got)
	}
}

// TestBands puts phases that meet in one row beside each other, and leaves out what has no row.
func TestBands(t *testing.T) {
	var rows []traceRow
	for _, at := range []float64{0, 100, 100, 200, 300} {
		rows = append(rows, traceRow{step: &metrics.TraceStep{TMS: at}})
	}
	var got []string
	for _, b := range bands([]tracePhase{{"a", 0, 100, 0}, {"b", 100, 200, 0}, {"c", 200, 299.97, 0}, {"gone", 110, 190, 0}, {"third", 0, 300, 0}}, rows) {
		got = append(got, fmt.Sprint(b.name, " ", b.first, b.last, b.column))
	}
	if d := cmp.Diff([]string{"a 0 2 0", "b 1 3 1", "c 3 4 0"}, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestMarkPauses(t *testing.T) {
	var few, many []traceRow
	for i := range 40 {
		few = append(few, traceRow{pauseMS: float64(i / 36 * 15)})
		many = append(many, traceRow{pauseMS: float64(10 * i)})
	}
	markPauses(few)
	markPauses(many)
	tally := func(rows []traceRow) (n int) {
		for _, r := range rows {
			if r.pauseMS > 0 {
				n++
			}
		}
		return n
	}
	if tally(few) != 4 || tally(many) == 0 || tally(many) > maxPauses {
		t.Errorf("got %d and %d marks", tally(few), tally(many))
	}
}

func TestTraceRole(t *testing.T) {
	step := func(remote, direction, layer, what string) metrics.TraceStep {
		return metrics.TraceStep{Remote: remote, Direction: direction, Layer: layer, What: what}
	}
	trace := &metrics.Trace{Steps: []metrics.TraceStep{
		step("server", "sent", "stun", "Binding request"), step("server", "received", "stun", "Binding success"),
		step("deaf", "sent", "stun", "Binding request"),
		step("pair", "sent", "stun", "Binding request"), step("pair", "received", "stun", "Binding success"), step("pair", "received", "stun", "Binding request"),
		step("call", "sent", "stun", "Binding request"), step("call", "received", "dtls", "ClientHello"),
		step("both", "sent", "stun", "Binding request"), step("both", "sent", "turn", "Allocate request"),
		step("port", "sent", "stream", "connect"),
	}}
	for remote, want := range map[string]string{"server": "STUN", "deaf": "candidate", "pair": "candidate", "call": "DTLS", "both": "TURN", "port": "stream"} {
		if got := traceRole(trace, remote); got != want {
			t.Errorf("%s: got %q, want %q", remote, got, want)
		}
	}
}
