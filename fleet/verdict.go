package fleet

import "github.com/peerfleet/peerfleet/metrics"

// The exit codes that a run can end with, by what they mean.
const (
	ExitPass        = 0
	ExitFault       = 1
	ExitUsage       = 2
	ExitRegression  = 4
	ExitPeersFailed = 5
	ExitInvalid     = 6
	ExitThreshold   = 99
	ExitInterrupted = 130
)

// ExitOrder is the order in which codes win where several hold, the first first. What is not in
// it is a pass.
func ExitOrder() []int {
	return []int{ExitInterrupted, ExitFault, ExitInvalid, ExitPeersFailed, ExitThreshold, ExitRegression}
}

// judge gives a run its verdict and exit code.
func judge(run *metrics.Run, interrupted bool, fault error) {
	holds := map[int]bool{ExitInterrupted: interrupted, ExitFault: fault != nil, ExitInvalid: !run.Audit.Valid}
	for i := range run.Cells {
		if run.Cells[i].TooManyFailed() {
			holds[ExitPeersFailed] = true
		}
	}
	for _, t := range run.Thresholds {
		if t.Failed() {
			holds[ExitThreshold] = true
		}
	}
	run.ExitCode, run.Verdict = ExitPass, "pass"
	for _, code := range ExitOrder() {
		if holds[code] {
			run.ExitCode, run.Verdict = code, verdictOf(code)
			break
		}
	}
	if fault != nil {
		run.Error = fault.Error()
	}
}

func verdictOf(code int) string {
	switch code {
	case ExitInterrupted:
		return "interrupted"
	case ExitFault:
		return "error"
	case ExitInvalid:
		return "invalid"
	}
	return "fail"
}
