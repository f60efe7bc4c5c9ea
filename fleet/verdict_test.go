package fleet

import (
	"errors"
	"testing"

	"github.com/peerfleet/peerfleet/metrics"
)

func TestJudge(t *testing.T) {
	peers := func(planned, failed int) metrics.Cell {
		return metrics.Cell{Peers: metrics.PeerCounts{Planned: planned, Failed: failed}}
	}
	fail := []metrics.ThresholdResult{{Verdict: "pass"}, {Verdict: "fail"}}
	noData := []metrics.ThresholdResult{{Verdict: "no data"}}
	for _, c := range []struct {
		name        string
		run         metrics.Run
		allowed     float64
		interrupted bool
		fault       error
		code        int
		verdict     string
	}{
		{name: "all well", run: metrics.Run{Cells: []metrics.Cell{peers(4, 0)}}, code: 0, verdict: "pass"},
		{name: "threshold", run: metrics.Run{Thresholds: fail}, code: 99, verdict: "fail"},
		{name: "missing data is a failure", run: metrics.Run{Thresholds: noData}, code: 99, verdict: "fail"},
		{name: "a failed peer", run: metrics.Run{Cells: []metrics.Cell{peers(4, 1)}}, code: 5, verdict: "fail"},
		{name: "an allowed failure", run: metrics.Run{Cells: []metrics.Cell{peers(4, 1)}}, allowed: 0.25, code: 0, verdict: "pass"},
		{name: "one more than allowed", run: metrics.Run{Cells: []metrics.Cell{peers(4, 2)}}, allowed: 0.25, code: 5, verdict: "fail"},
		{name: "failed peers before thresholds", run: metrics.Run{Cells: []metrics.Cell{peers(4, 1)}, Thresholds: fail}, code: 5, verdict: "fail"},
		{name: "a fault before everything but an interrupt", run: metrics.Run{Thresholds: fail}, fault: errors.New("x"), code: 1, verdict: "error"},
		{name: "an interrupt before all", run: metrics.Run{Thresholds: fail}, fault: errors.New("x"), interrupted: true, code: 130, verdict: "interrupted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := c.run
			run.Audit.Valid = true
			for i := range run.Cells {
				run.Cells[i].AllowFailed = c.allowed
			}
			judge(&run, c.interrupted, c.fault)
			if run.ExitCode != c.code || run.Verdict != c.verdict {
				t.Errorf("got %d %s, want %d %s", run.ExitCode, run.Verdict, c.code, c.verdict)
			}
		})
	}
	t.Run("an invalid measurement before failed peers", func(t *testing.T) {
		run := metrics.Run{Cells: []metrics.Cell{peers(4, 1)}, Thresholds: fail}
		judge(&run, false, nil)
		if run.ExitCode != 6 || run.Verdict != "invalid" {
			t.Errorf("got %d %s, want 6 invalid", run.ExitCode, run.Verdict)
		}
	})
}

func TestAuditOfLinks(t *testing.T) {
	for _, c := range []struct {
		name string
		link metrics.Link
		want bool // a finding
	}{
		{"what was asked for", metrics.Link{Offered: 10000, ConfiguredLoss: 0.03, DeliveredLoss: 0.031}, false},
		{"no loss asked, none delivered", metrics.Link{Offered: 10000}, false},
		{"no loss asked, some delivered", metrics.Link{Offered: 10000, DeliveredLoss: 0.001}, true},
		{"half of the loss", metrics.Link{Offered: 10000, ConfiguredLoss: 0.03, DeliveredLoss: 0.015}, true},
		{"too few packets to tell", metrics.Link{Offered: 100, ConfiguredLoss: 0.03}, false},
		{"too few bursts to tell", metrics.Link{Offered: 600, ConfiguredLoss: 0.01, Burst: 50, DeliveredLoss: 0.2}, false},
		{"bursts spread wider", metrics.Link{Offered: 20000, ConfiguredLoss: 0.05, Burst: 5, DeliveredLoss: 0.06}, false},
		{"a link that was changed on purpose", metrics.Link{Offered: 10000, DeliveredLoss: 0.2, Varies: true}, false},
		{"everything lost as asked", metrics.Link{Offered: 10000, ConfiguredLoss: 1, DeliveredLoss: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := finder{}
			f.link(c.link)
			if got := len(f.findings) > 0; got != c.want {
				t.Errorf("got findings %v, want some: %v", f.findings, c.want)
			}
		})
	}
}

func TestAuditOfGenerator(t *testing.T) {
	hist := func(us int64) *metrics.Hist {
		h := metrics.NewHist()
		h.RecordN(us, 1000)
		return h
	}
	ok := recordings{sendLateness: hist(100), startLateness: hist(100)}
	for _, c := range []struct {
		name  string
		audit metrics.CellAudit
		sums  recordings
		want  string // the finding's id
	}{
		{"idle", metrics.CellAudit{CPU: 0.5, CPUs: 2}, ok, ""},
		{"starved", metrics.CellAudit{CPU: 1.97, CPUs: 2}, ok, "generator-cpu"},
		{"late emulator", metrics.CellAudit{CPUs: 2, LatenessMS: metrics.Spread{P50: 6}}, ok, "emulator-lateness"},
		{"late tail", metrics.CellAudit{CPUs: 2, LatenessMS: metrics.Spread{P99: 60}}, ok, "emulator-lateness"},
		{"late frames", metrics.CellAudit{CPUs: 2, SendLatenessMS: metrics.Spread{P99: 150}}, ok, "send-lateness"},
		{"late joins", metrics.CellAudit{CPUs: 2, StartLatenessMS: metrics.Spread{P99: 900}}, ok, "start-lateness"},
		{"drops", metrics.CellAudit{CPUs: 2, SocketDrops: 500, PacketsReceived: 1000}, ok, "socket-drops"},
		{"a few drops", metrics.CellAudit{CPUs: 2, SocketDrops: 5, PacketsReceived: 1000}, ok, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := finder{}
			f.generator(c.audit, 1000, c.sums)
			got := ""
			if len(f.findings) > 0 {
				got = f.findings[0].ID
			}
			if got != c.want || len(f.findings) > 1 {
				t.Errorf("got %v, want %q", f.findings, c.want)
			}
		})
	}
}
