package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/bots"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/scenarios"
)

// The time between building the lab and the first planned join: what it takes to make the bots.
const (
	lead        = 50 * time.Millisecond
	leadPerPeer = time.Millisecond
)

// goodbye bounds how long the peers of a cell may take to leave.
const goodbye = 5 * time.Second

// outcome is what conducting one cell gave.
type outcome struct {
	cell       metrics.Cell
	thresholds []metrics.ThresholdResult
	findings   []metrics.Finding
	length     time.Duration    // of the cell, on its own clock
	aborted    bool             // by a threshold: no further cells
	packets    []capture.Packet // of the traced peer
	err        error            // a fault of peerfleet's own
}

// conductor runs one cell.
type conductor struct {
	plan   scenarios.Plan
	index  int
	cell   scenarios.Cell
	c      Config
	board  *board
	lab    *lab
	bots   []*bots.Bot
	epoch  time.Time
	begin  time.Time // planned start of the window
	meter  *meter
	crowd  crowd
	traces serverTraffic

	// Taken before the peers say goodbye all at once, which measures nothing.
	account []metrics.Link
	trace   string // hash of the packets; empty where it tells nothing

	joins     map[int]chan struct{} // closed when a peer's first join is over; not changed once act runs
	wg        sync.WaitGroup        // joins and actions under way
	aborted   atomic.Bool
	crossings []metrics.ThresholdResult // that ended the cell; written by watch, read after it
}

// virtual tells whether the cell goes on in virtual time, where the machine measures nothing.
func (x *conductor) virtual() bool { return x.plan.Clock == "virtual" }

// crowd counts peers for the progress display.
type crowd struct{ joined, connected, failed atomic.Int64 }

func conduct(ctx context.Context, plan scenarios.Plan, index int, c Config, board *board) outcome {
	x := &conductor{plan: plan, index: index, cell: plan.Cells[index], c: c, board: board}
	out := outcome{cell: emptyCell(x.cell)}
	l, err := newLab(ctx, plan, x.cell, c)
	if err != nil {
		out.err = fmt.Errorf("cell %q: %w", x.cell.ID, err)
		return out
	}
	x.lab = l
	if c.onLab != nil {
		c.onLab(l)
	}
	x.run(ctx)
	ended := time.Now()
	x.gather(&out, ended)
	out.length = ended.Sub(x.epoch)
	out.cell.SimulatedS = out.length.Seconds()
	out.aborted = x.aborted.Load()
	out.cell.TraceHash = x.trace
	if err := l.Close(context.WithoutCancel(ctx)); err != nil {
		c.Logger.Warn("close lab", "cell", x.cell.ID, "error", err)
	}
	for i := range x.cell.Peers {
		if p := &x.cell.Peers[i]; l.recorder != nil && p.Name == c.Trace {
			out.cell.Trace, out.packets = l.recorder.trace(p.Name, x.epoch.Add(p.JoinAt))
		}
	}
	return out
}

// run goes through the cell: joins, warm-up, window, goodbye.
func (x *conductor) run(ctx context.Context) {
	x.epoch = time.Now().Add(lead + time.Duration(len(x.cell.Peers))*leadPerPeer)
	x.begin = x.epoch.Add(x.cell.MeasureFrom())
	x.meter = newMeter(x.lab, x.epoch)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	x.makeBots()

	var watch sync.WaitGroup
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	watch.Go(func() { x.watch(watching, cancel) })

	x.joins = map[int]chan struct{}{}
	for i := range x.bots {
		done := make(chan struct{})
		x.joins[i] = done
		x.wg.Go(func() {
			defer close(done)
			x.join(ctx, i)
		})
	}
	x.wg.Go(func() { x.act(ctx) })
	if sleepUntil(ctx, x.begin) {
		x.startWindow()
		sleepUntil(ctx, x.begin.Add(x.cell.Duration))
		x.endWindow()
	}
	x.settle(ctx)
	cancel()
	x.wg.Wait()
	stopWatching()
	watch.Wait()
	for _, b := range x.bots {
		b.EndRecording()
	}
	x.account = x.links()
	if x.lab.sim != nil && x.virtual() {
		x.trace = fmt.Sprintf("%016x", x.lab.sim.TraceHash())
	}
	x.leave(context.WithoutCancel(ctx))
}

// settle waits for joins that are still within their time limit when the window is over, so that
// each ends as connected or as failed, and not by the end of the cell.
func (x *conductor) settle(ctx context.Context) {
	done := make(chan struct{})
	go func() { // ends with the joins and actions, which run waits for in any case
		x.wg.Wait()
		close(done)
	}()
	limit := time.NewTimer(x.cell.JoinTimeout + goodbye)
	defer limit.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-limit.C:
	}
}

func (x *conductor) makeBots() {
	rooms := map[string][]uint32{}
	for i := range x.cell.Peers {
		rooms[x.cell.Peers[i].Room] = append(rooms[x.cell.Peers[i].Room], uint32(x.cell.Peers[i].Index))
	}
	for i := range x.cell.Peers {
		p := x.cell.Peers[i]
		x.bots = append(x.bots, bots.New(bots.Config{
			Peer: p, Host: x.lab.hosts[i], Target: x.lab.target(i), Stack: x.lab.stack,
			ICEServers: x.lab.iceServers(p.Name), TLSRoots: x.lab.roots, Epoch: x.epoch, JoinTimeout: x.cell.JoinTimeout,
			DataPeers: others(rooms[p.Room], uint32(p.Index), p.Data.Rate > 0), Logger: x.c.Logger,
			ICEGap: x.lab.iceGap(),
		}))
	}
}

// others are the members of a room but one: what a peer that sends data-channel messages needs.
func others(room []uint32, self uint32, sends bool) []uint32 {
	if !sends {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(room), func(i uint32) bool { return i == self })
}

// join waits for a peer's intended start and joins. A join that the end of the cell cut short is
// neither connected nor failed.
func (x *conductor) join(ctx context.Context, i int) {
	if !sleepUntil(ctx, x.epoch.Add(x.cell.Peers[i].JoinAt)) {
		return
	}
	x.crowd.joined.Add(1)
	x.count(x.bots[i].Join(ctx))
}

func (x *conductor) count(err error) {
	switch {
	case err == nil:
		x.crowd.connected.Add(1)
	case !errors.Is(err, context.Canceled):
		x.crowd.failed.Add(1)
	}
}

// act carries out the planned actions, each at its time, none waiting for another's end but those
// of the same peer, whose join comes first. Only leaving may cut a join short.
func (x *conductor) act(ctx context.Context) {
	last := maps.Clone(x.joins)
	for _, a := range x.cell.Actions {
		at := x.begin.Add(a.At)
		if !sleepUntil(ctx, at) {
			return
		}
		before, done := last[a.Peer], make(chan struct{})
		last[a.Peer] = done
		x.wg.Go(func() {
			defer close(done)
			if leaves := a.Kind == scenarios.Leave || a.Kind == scenarios.Drop; before != nil && !(leaves && before == x.joins[a.Peer]) {
				select {
				case <-before:
				case <-ctx.Done():
					return
				}
			}
			x.expect(a)
			if err := x.bots[a.Peer].Do(ctx, a, at); err != nil {
				x.c.Logger.Info("action", "peer", x.bots[a.Peer].Name(), "error", err)
			}
		})
	}
}

// expect tells the others in the room what an action means for the streams they receive.
func (x *conductor) expect(a scenarios.Action) {
	p, now := x.cell.Peers[a.Peer], time.Now()
	tell := func(stream, kind string, on bool) {
		for i, b := range x.bots {
			if i != a.Peer && x.cell.Peers[i].Room == p.Room {
				b.Expect(stream, kind, on, now)
			}
		}
	}
	switch a.Kind {
	case scenarios.Mute, scenarios.Unmute:
		tell(mutedStream(p, a.Track), a.Track, a.Kind == scenarios.Unmute)
	case scenarios.Unpublish:
		tell(a.Publish.ID, "", false)
	case scenarios.Publish:
		tell(a.Publish.ID, "", true)
	case scenarios.Leave, scenarios.Drop:
		for _, s := range x.streamsOf(a.Peer) {
			tell(s, "", false)
		}
	case scenarios.Rejoin:
		for _, s := range p.Publish {
			tell(s.ID, "", true)
		}
	}
}

// mutedStream is the stream that muting a kind of track means: the first published that has one.
func mutedStream(p scenarios.Peer, kind string) string {
	for _, s := range p.Publish {
		if kind == "audio" && s.Audio != nil || kind == "video" && s.Video != nil {
			return s.ID
		}
	}
	return p.Name
}

// streamsOf are the names of every stream a peer may have published by plan.
func (x *conductor) streamsOf(peer int) []string {
	var ids []string
	for _, s := range x.cell.Peers[peer].Publish {
		ids = append(ids, s.ID)
	}
	for _, a := range x.cell.Actions {
		if a.Peer == peer && a.Kind == scenarios.Publish {
			ids = append(ids, a.Publish.ID)
		}
	}
	return ids
}

func (x *conductor) startWindow() {
	now := time.Now()
	x.meter.startWindow()
	for i, h := range x.lab.hosts {
		h.Link().Start(x.begin)
		x.bots[i].StartWindow(now)
	}
	x.traces.start(x.lab, now)
}

func (x *conductor) endWindow() {
	now := time.Now()
	for _, b := range x.bots {
		if err := b.EndWindow(now); err != nil {
			x.crowd.failed.Add(1)
		}
	}
	x.traces.end(x.lab, now)
	x.meter.endWindow()
	x.awaitRepairs()
}

// awaitRepairs waits until the packets of the window have arrived or are given up, so that a
// repair under way does not count as a loss.
func (x *conductor) awaitRepairs() {
	for limit := time.Now().Add(repairs); time.Now().Before(limit); time.Sleep(repairs / 50) {
		settled := true
		for _, b := range x.bots {
			settled = settled && b.Settled()
		}
		if settled {
			return
		}
	}
}

// repairs bounds how long a lost packet is asked for again.
const repairs = 1500 * time.Millisecond

// leave sends every peer home at once.
func (x *conductor) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	var wg sync.WaitGroup
	for _, b := range x.bots {
		wg.Go(func() {
			if err := b.Leave(ctx); err != nil {
				x.c.Logger.Debug("leave", "peer", b.Name(), "error", err)
			}
		})
	}
	wg.Wait()
}

// watch looks at the cell once a second: progress, live figures, thresholds that may end it.
func (x *conductor) watch(ctx context.Context, abort context.CancelFunc) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			x.meter.second(now)
			x.board.put(x.index, x.status(now))
			if x.c.Live == nil && !x.mayAbort() {
				continue
			}
			set := x.measure(now)
			if x.c.Live != nil {
				x.c.Live(set, x.progress(now))
			}
			if x.crossings = x.crossed(set, now); len(x.crossings) > 0 && !x.aborted.Load() {
				x.aborted.Store(true)
				abort()
			}
		}
	}
}

func (x *conductor) status(now time.Time) Status {
	s := Status{
		Cell: x.index + 1, Cells: len(x.plan.Cells), ID: x.cell.ID, Planned: len(x.bots),
		Joined: int(x.crowd.joined.Load()), Connected: int(x.crowd.connected.Load()),
		Failed: int(x.crowd.failed.Load()), CPU: x.meter.cpu(),
	}
	if lost, expected := x.loss(); expected > 0 {
		s.Loss = float64(lost) / float64(expected)
	}
	end := x.begin.Add(x.cell.Duration)
	switch {
	case now.Before(x.begin):
		s.Phase = "joining"
	case now.Before(end):
		s.Phase = "measuring"
	default:
		s.Phase = "leaving"
	}
	s.Left = max(0, end.Sub(now))
	return s
}

// loss counts the packets of all peers.
func (x *conductor) loss() (lost, expected uint64) {
	for _, b := range x.bots {
		l, e := b.Loss()
		lost, expected = lost+l, expected+e
	}
	return lost, expected
}

func (x *conductor) progress(now time.Time) CellProgress {
	p := CellProgress{Status: x.status(now), At: now.Sub(x.epoch)}
	p.Lost, p.Expected = x.loss()
	for _, h := range x.lab.hosts {
		t := trafficOf(h)
		p.Up, p.Down = p.Up+t.UpBytes, p.Down+t.DownBytes
	}
	t := trafficOf(x.lab.server)
	p.In, p.Out = t.DownBytes, t.UpBytes
	return p
}

// measure is the cell's set if its window ended now.
func (x *conductor) measure(now time.Time) *metrics.Set {
	set := metrics.NewSet()
	for _, b := range x.bots {
		set.Merge(b.Measure(now))
	}
	return set
}

func (x *conductor) mayAbort() bool {
	for _, t := range x.plan.Thresholds {
		if t.Abort {
			return true
		}
	}
	return false
}

// crossed lists the thresholds that may end the run and have failed on real samples.
func (x *conductor) crossed(set *metrics.Set, now time.Time) []metrics.ThresholdResult {
	if now.Before(x.begin) || now.After(x.begin.Add(x.cell.Duration)) || x.aborted.Load() {
		return x.crossings
	}
	var due []metrics.Threshold
	for _, t := range x.plan.Thresholds {
		if t.Abort && !now.Before(x.begin.Add(t.After)) {
			due = append(due, t)
		}
	}
	var failed []metrics.ThresholdResult
	for _, r := range metrics.Evaluate(due, x.cell.ID, x.cell.Repeat, set) {
		if r.Verdict == metrics.Fail {
			r.Aborted = true
			failed = append(failed, r)
		}
	}
	return failed
}

// sleepUntil waits for a moment, or returns false when ctx ends first.
func sleepUntil(ctx context.Context, at time.Time) bool {
	t := time.NewTimer(time.Until(at))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serverTraffic is what crossed the servers' links in the window.
type serverTraffic struct {
	from, to         time.Time
	before, after    network.Traffic
	turnFrom, turnTo network.Traffic
}

func (s *serverTraffic) start(l *lab, now time.Time) {
	s.from = now
	s.before, s.turnFrom = trafficOf(l.server), trafficOf(l.turnHost)
}

func (s *serverTraffic) end(l *lab, now time.Time) {
	s.to = now
	s.after, s.turnTo = trafficOf(l.server), trafficOf(l.turnHost)
}

func trafficOf(h network.Host) network.Traffic {
	if h == nil {
		return network.Traffic{}
	}
	return h.Link().Traffic()
}
