package fleet

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
)

// The limits of the audit: past them a figure says more about this machine than about the call.
const (
	maxCPUShare       = 0.95                   // of the machine's cores, mean over the window
	maxLatenessP50    = 5 * time.Millisecond   // of the emulator: typical packets would carry a wrong delay
	maxLatenessP99    = 40 * time.Millisecond  // of the emulator: more than a jitter buffer's smallest setting
	maxSendLateness   = 100 * time.Millisecond // p99 of frames: three video frames
	maxStartLateness  = 500 * time.Millisecond // p99 of joins
	maxDropShare      = 0.001                  // of received packets, lost in this machine's sockets
	lossSigmas        = 5.0                    // of delivered against configured loss: one in a million links
	minLossPackets    = 500                    // fewer say nothing about a loss ratio
	minBursts         = 50                     // expected: with fewer the ratio is too skewed for a bound in sigmas
	minAuditedPackets = 100
)

// audit judges whether the cell can be trusted.
func (x *conductor) audit(links []metrics.Link, sums recordings, set *metrics.Set) (metrics.CellAudit, []metrics.Finding) {
	cpu, length := x.meter.window()
	a := metrics.CellAudit{
		CPUs: cores(), Sockets: x.meter.sockets,
		SendLatenessMS: spread(sums.sendLateness), StartLatenessMS: spread(sums.startLateness),
		PacketsSent: sums.sent, PacketsReceived: sums.read,
		SocketDrops: x.meter.dropsTo - x.meter.dropsFrom + x.lab.net.Overflows(),
	}
	lateness := x.lab.net.Lateness()
	if x.virtual() { // nothing is late, and what the machine did says nothing about the call
		lateness = metrics.NewHist()
		sums.sendLateness, sums.startLateness = metrics.NewHist(), metrics.NewHist()
		a.SendLatenessMS, a.StartLatenessMS, a.CPUs = metrics.Spread{}, metrics.Spread{}, 0
		a.SocketDrops = x.lab.net.Overflows()
	} else {
		a.MemoryBytes = x.meter.memory
	}
	a.LatenessMS = spread(lateness)
	if length > 0 && !x.virtual() {
		a.CPU = cpu.Seconds() / length.Seconds()
		set.Add("generator.cpu", metrics.Tags{}, a.CPU)
		if packets := sums.read + x.forwarded(); packets > 0 {
			a.CPUPerPacketUS = float64(cpu.Microseconds()) / float64(packets)
		}
	}
	if lateness.Count() > 0 {
		set.Hist("generator.lateness", metrics.Tags{}).Merge(lateness)
	}
	f := finder{cell: x.cell.ID, findings: []metrics.Finding{}}
	f.generator(a, lateness.Count(), sums)
	for _, l := range links {
		f.link(l)
	}
	if length > 0 && !x.aborted.Load() && x.crowd.connected.Load() > 0 && x.mediaDue() && !hasMedia(set) {
		f.add("nothing-measured", 0, 1, "no media arrived in the measured window although it was due: the peers were not ready for it; allow a longer warmup or duration")
	}
	a.Valid = len(f.findings) == 0
	return a, f.findings
}

// mediaDue tells whether any peer is meant to receive something by plan.
func (x *conductor) mediaDue() bool {
	for i := range x.cell.Peers {
		if x.cell.Peers[i].Receive && len(x.cell.Peers[i].Due) > 0 {
			return true
		}
	}
	return false
}

func hasMedia(set *metrics.Set) bool {
	for _, k := range set.Keys() {
		if strings.HasPrefix(k.Name, "media.") {
			return true
		}
	}
	return false
}

// forwarded is how many packets the servers' links sent in the window.
func (x *conductor) forwarded() uint64 {
	t := &x.traces
	return t.after.UpPackets - t.before.UpPackets + t.turnTo.UpPackets - t.turnFrom.UpPackets
}

// finder collects broken limits.
type finder struct {
	cell     string
	findings []metrics.Finding
}

func (f *finder) add(id string, measured, allowed float64, format string, args ...any) {
	f.findings = append(f.findings, metrics.Finding{
		ID: id, Cell: f.cell, Measured: measured, Allowed: allowed, Text: fmt.Sprintf(format, args...),
	})
}

func (f *finder) generator(a metrics.CellAudit, emulated uint64, sums recordings) {
	if limit := maxCPUShare * float64(a.CPUs); a.CPU > limit {
		f.add("generator-cpu", a.CPU, limit,
			"the generator used %.2f of %d cores: it was starved, so delays and losses are its own; use fewer peers or a larger machine", a.CPU, a.CPUs)
	}
	if emulated >= minAuditedPackets {
		if limit := msOf(maxLatenessP50); a.LatenessMS.P50 > limit {
			f.add("emulator-lateness", a.LatenessMS.P50, limit,
				"half of the delayed packets were handed on more than %.1f ms late: the configured delays were not delivered; free the machine or use fewer peers", a.LatenessMS.P50)
		} else if limit := msOf(maxLatenessP99); a.LatenessMS.P99 > limit {
			f.add("emulator-lateness", a.LatenessMS.P99, limit,
				"1 %% of the delayed packets were handed on more than %.1f ms late: the tail of delays is the machine's; free the machine or use fewer peers", a.LatenessMS.P99)
		}
	}
	if limit := msOf(maxSendLateness); sums.sendLateness.Count() >= minAuditedPackets && a.SendLatenessMS.P99 > limit {
		f.add("send-lateness", a.SendLatenessMS.P99, limit,
			"1 %% of the frames left more than %.1f ms late: the sources could not keep time; use fewer peers or lower bitrates", a.SendLatenessMS.P99)
	}
	if limit := msOf(maxStartLateness); a.StartLatenessMS.P99 > limit {
		f.add("start-lateness", a.StartLatenessMS.P99, limit,
			"joins began up to %.0f ms after their intended time: connect times include the generator's own queue; spread the joins", a.StartLatenessMS.P99)
	}
	if limit := maxDropShare * float64(a.PacketsReceived); a.SocketDrops > 0 && float64(a.SocketDrops) > max(limit, 10) {
		f.add("socket-drops", float64(a.SocketDrops), max(limit, 10),
			"%d packets were lost in this machine's socket buffers: losses are partly its own; use fewer peers or raise net.core.rmem_max", a.SocketDrops)
	}
}

// link holds what a link did against what it was asked to do. A burst makes losses cluster, which
// widens the spread of the measured ratio (variance inflation of the Gilbert-Elliott chain).
func (f *finder) link(l metrics.Link) {
	if l.Varies || l.Offered < minLossPackets || l.Burst > 1 && float64(l.Offered)*l.ConfiguredLoss < minBursts*l.Burst {
		return
	}
	n, m := float64(l.Offered), l.ConfiguredLoss
	if m <= 0 || m >= 1 {
		if l.DeliveredLoss != m {
			f.add("link-loss", l.DeliveredLoss, m, "%s %s lost %.3f %% of its packets where %.0f %% was asked for",
				l.Host, l.Direction, 100*l.DeliveredLoss, 100*m)
		}
		return
	}
	inflation := 1.0
	if l.Burst > 1 {
		r := 1 / l.Burst
		rho := 1 - m*r/(1-m) - r
		inflation = (1 + rho) / (1 - rho)
	}
	allowed := lossSigmas*math.Sqrt(m*(1-m)*inflation/n) + 3/n
	if off := math.Abs(l.DeliveredLoss - m); off > allowed {
		f.add("link-loss", l.DeliveredLoss, m, "%s %s lost %.2f %% of its packets where %.2f %% ± %.2f was asked for: the emulator did not deliver",
			l.Host, l.Direction, 100*l.DeliveredLoss, 100*m, 100*allowed)
	}
}

func spread(h *metrics.Hist) metrics.Spread {
	if h.Count() == 0 {
		return metrics.Spread{}
	}
	return metrics.Spread{P50: float64(h.Quantile(0.5)) / 1e3, P99: float64(h.Quantile(0.99)) / 1e3}
}

func msOf(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
