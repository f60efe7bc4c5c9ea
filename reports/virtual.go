package reports

import (
	"fmt"

	"github.com/peerfleet/peerfleet/metrics"
)

// virtual tells whether the run's time was not that of the machine, which then was not measured.
func virtual(run *metrics.Run) bool { return run.Scenario.Clock == "virtual" }

// speed compares virtual to real time.
func speed(run *metrics.Run) string {
	if !virtual(run) || run.SimulatedS <= 0 || run.ElapsedS <= 0 {
		return ""
	}
	if times := run.SimulatedS / run.ElapsedS; times >= 1 {
		return fmt.Sprintf("%s times faster than real time", number(round(times, 1)))
	}
	return fmt.Sprintf("%s times slower than real time", number(round(run.ElapsedS/run.SimulatedS, 1)))
}

// after puts a text after what leads to it, or is nothing without a text.
func after(lead, text string) string {
	if text == "" {
		return ""
	}
	return lead + text
}

// traceHash is empty on the wall clock, where no two runs are the same to the last packet.
func traceHash(run *metrics.Run) string {
	if !virtual(run) {
		return ""
	}
	return clean(run.TraceHash)
}
