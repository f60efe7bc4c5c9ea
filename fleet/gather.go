package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/peerfleet/peerfleet/bots"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/scenarios"
)

// emptyCell is a cell in which nothing has been measured yet.
func emptyCell(c scenarios.Cell) metrics.Cell {
	m := metrics.Cell{
		ID: c.ID, Vary: c.Vary, Repeat: c.Repeat, AllowFailed: c.AllowFailed, WarmupS: c.Warmup.Seconds(),
		Expected: c.Expected,
		Peers:    metrics.PeerCounts{Planned: len(c.Peers), Unfinished: len(c.Peers), Failures: map[string]int{}},
		Metrics:  []metrics.Entry{}, Series: []metrics.Series{}, Links: []metrics.Link{},
		Events: []metrics.Event{}, PeersDetail: []metrics.PeerDetail{},
		Audit: metrics.CellAudit{Valid: true},
	}
	if len(c.Peers) > 0 {
		m.ICEWaits.Relay = float64(c.Peers[0].RelayWait) / float64(time.Millisecond)
		for i := range c.Peers {
			m.ICEWaits.Relay = max(m.ICEWaits.Relay, float64(c.Peers[i].RelayWait)/float64(time.Millisecond))
		}
	}
	return m
}

// gather turns recordings into the cell's document, its thresholds and its audit.
func (x *conductor) gather(out *outcome, ended time.Time) {
	cell := &out.cell
	if !x.traces.to.IsZero() {
		cell.DurationS = x.traces.to.Sub(x.traces.from).Seconds()
	}
	set := metrics.NewSet()
	lines := x.meter.lines(x.virtual())
	sums := recordings{sendLateness: metrics.NewHist(), startLateness: metrics.NewHist()}
	cell.Peers.Unfinished = 0
	for _, b := range x.bots {
		r := b.Recording()
		set.Merge(r.Set)
		lines = append(lines, r.Timelines...)
		sums.add(r)
		countPeer(&cell.Peers, r)
		cell.PeersDetail = append(cell.PeersDetail, r.Detail)
		for _, e := range r.Events {
			cell.Events = append(cell.Events, metrics.Event{
				TS: e.At.Sub(x.epoch).Seconds(), Peer: b.Name(), What: e.What, Detail: e.Detail,
			})
		}
	}
	slices.SortStableFunc(cell.Events, func(a, b metrics.Event) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Peer, b.Peer))
	})
	slices.SortStableFunc(cell.PeersDetail, worstFirst)
	x.serverMetrics(set)
	cell.Links = x.account
	cell.Audit, out.findings = x.audit(cell.Links, sums, set)
	cell.Metrics = set.Entries()
	cell.Series = metrics.MergeTimelines(int(ended.Sub(x.epoch)/time.Second), lines...)
	out.thresholds = metrics.Evaluate(x.plan.Thresholds, x.cell.ID, x.cell.Repeat, set)
	for _, c := range x.crossings { // what ended the run stands, whatever was repaired afterwards
		for i := range out.thresholds {
			if r := &out.thresholds[i]; r.Metric == c.Metric && r.Expr == c.Expr {
				*r = c
			}
		}
	}
}

// recordings are the sums over all bots that the audit looks at.
type recordings struct {
	sendLateness, startLateness *metrics.Hist
	sent, read                  uint64
}

func (s *recordings) add(r *bots.Recording) {
	s.sendLateness.Merge(r.SendLateness)
	s.startLateness.Merge(r.StartLateness)
	s.sent += r.PacketsSent
	s.read += r.PacketsRead
}

func countPeer(p *metrics.PeerCounts, r *bots.Recording) {
	if r.Joined {
		p.Joined++
	}
	switch {
	case r.Failure != nil:
		p.Failed++
		p.Failures[string(bots.KindOf(r.Failure))]++
	case r.Connected:
		p.Connected++
	default:
		p.Unfinished++
	}
}

// worstFirst orders peers by how badly off they were: failed, unfinished, then by the worst
// track's freezes, loss and delay.
func worstFirst(a, b metrics.PeerDetail) int {
	rank := map[string]int{"failed": 0, "unfinished": 1, "connected": 2}
	if c := cmp.Compare(rank[a.State], rank[b.State]); c != 0 {
		return c
	}
	fa, la, da := worstTrack(a)
	fb, lb, db := worstTrack(b)
	return cmp.Or(cmp.Compare(fb, fa), cmp.Compare(lb, la), cmp.Compare(db, da), cmp.Compare(a.Name, b.Name))
}

func worstTrack(p metrics.PeerDetail) (freeze, loss, delay float64) {
	for _, t := range p.Tracks {
		freeze, loss = max(freeze, t.FreezeRatio), max(loss, t.Loss)
		if t.DelayP95MS.Valid() {
			delay = max(delay, float64(t.DelayP95MS))
		}
	}
	return freeze, loss, delay
}

// serverMetrics adds what the embedded servers' links carried over the window.
func (x *conductor) serverMetrics(set *metrics.Set) {
	seconds := x.traces.to.Sub(x.traces.from).Seconds()
	if x.traces.to.IsZero() || seconds <= 0 {
		return
	}
	rate := func(to, from uint64) float64 { return float64(to-from) * 8 / seconds }
	t := &x.traces
	if x.lab.server != nil {
		tags := metrics.Tags{Topology: x.topology()}
		set.Add("bandwidth.server.in", tags, rate(t.after.DownBytes, t.before.DownBytes))
		set.Add("bandwidth.server.out", tags, rate(t.after.UpBytes, t.before.UpBytes))
	}
	if x.lab.turnHost != nil {
		set.Add("bandwidth.turn", metrics.Tags{Topology: x.topology()},
			rate(t.turnTo.DownBytes+t.turnTo.UpBytes, t.turnFrom.DownBytes+t.turnFrom.UpBytes))
	}
}

// topology is the one that all rooms of the cell share, "" where they differ.
func (x *conductor) topology() string {
	common := ""
	for i, r := range x.cell.Rooms {
		if i > 0 && r.Topology != common {
			return ""
		}
		common = r.Topology
	}
	return common
}

// links are the accounts of every peer's access link that was asked to do something.
func (x *conductor) links() []metrics.Link {
	out := []metrics.Link{}
	varies := map[int]bool{}
	for _, a := range x.cell.Actions {
		if a.Kind == scenarios.SwitchLink {
			varies[a.Peer] = true
		}
	}
	for i, h := range x.lab.hosts {
		p := x.cell.Peers[i]
		up, down := h.Link().Report()
		for _, d := range []struct {
			name    string
			profile impair.Profile
			report  network.LinkReport
		}{{"up", p.Up, up}, {"down", p.Down, down}} {
			if d.report.Offered == 0 {
				continue
			}
			l := linkOf(p.Name, d.name, d.profile, d.report)
			l.Varies = varies[i] || len(d.profile.Schedule) > 0
			out = append(out, l)
		}
	}
	return out
}

func linkOf(host, direction string, p impair.Profile, r network.LinkReport) metrics.Link {
	l := metrics.Link{
		Host: host, Direction: direction,
		Offered: r.Offered, Delivered: r.Delivered, Lost: r.Lost, QueuedOut: r.QueuedOut, Discarded: r.Discarded,
		ConfiguredLoss: p.LossRatio, DeliveredLoss: float64(r.Lost) / float64(r.Offered), Burst: p.Burst,
		ConfiguredDelayMS: float64(p.Delay) / float64(time.Millisecond),
		DelayMS:           metrics.DelayRange{P50: metrics.Missing(), P99: metrics.Missing()},
	}
	if r.Delay != nil && r.Delay.Count() > 0 {
		l.DelayMS.P50 = metrics.Value(float64(r.Delay.Quantile(0.5)) / 1e3)
		l.DelayMS.P99 = metrics.Value(float64(r.Delay.Quantile(0.99)) / 1e3)
	}
	return l
}
