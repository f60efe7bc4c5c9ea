package bots

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/signaling"
)

// Event is something that happened to a peer.
type Event struct {
	At           time.Time
	What, Detail string
}

// Recording is what one bot measured. It is the reader's own.
type Recording struct {
	Set           *metrics.Set        // with the finest tags: group, room, peer and what the metric adds
	Timelines     []*metrics.Timeline // by the second, tagged by group and topology
	Detail        metrics.PeerDetail
	Events        []Event
	Joined        bool          // entered the room at least once
	Connected     bool          // every join was completed
	Failure       error         // the first failed join; nil when none failed
	SendLateness  *metrics.Hist // of frames behind their due time, µs
	StartLateness *metrics.Hist // of joins behind their intended start, µs
	PacketsSent   uint64
	PacketsRead   uint64
}

// tally collects what a bot measures, from all its goroutines.
type tally struct {
	base  metrics.Tags
	epoch time.Time
	limit time.Duration // of a join

	mu            sync.Mutex // guards what follows
	set           *metrics.Set
	detail        metrics.PeerDetail
	events        []Event
	entered       bool
	joins, total  int // completed, begun
	failed        error
	sendLateness  *metrics.Hist
	startLateness *metrics.Hist
	sentPackets   uint64
	readPackets   uint64
	open          bool // the window is
	over          bool // the goodbye has begun: nothing more counts
	began         time.Time
	before        network.Traffic // at the start of the window
	rtt           *metrics.Hist
	senders       map[uint32]*dataSender
	lines         map[lineKey]*metrics.Timeline

	packetsLost, packetsExpected uint64 // of received tracks, so far
}

// dataSender is what arrived of one peer's data-channel messages in the window.
type dataSender struct {
	first, last uint32
	received    uint32
}

type lineKey struct{ name, kind string }

// secondOf is what a received track adds to the series each second.
type secondOf struct {
	delaySum, delayN int64 // of frame delays, µs
	expected, lost   uint64
}

func newTally(c Config) *tally {
	p := c.Peer
	return &tally{
		base:  metrics.Tags{Group: p.Group, Room: p.Room, Peer: p.Name, Topology: p.Topology},
		epoch: c.Epoch, limit: c.JoinTimeout,
		set:          metrics.NewSet(),
		sendLateness: metrics.NewHist(), startLateness: metrics.NewHist(), rtt: metrics.NewHist(),
		senders: map[uint32]*dataSender{}, lines: map[lineKey]*metrics.Timeline{},
		detail: metrics.PeerDetail{
			Name: p.Name, Group: p.Group, Room: p.Room, Topology: p.Topology,
			State: "unfinished", Connect: map[string]float64{}, Tracks: []metrics.TrackDetail{},
		},
	}
}

func (t *tally) event(at time.Time, what, detail string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.events = append(t.events, Event{At: at, What: what, Detail: detail})
}

// started notes that a join begins. A rejoin waits for its leave to be over, which says nothing of
// the generator.
func (t *tally) started(v visit, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total++
	if !v.again {
		t.startLateness.Record(now.Sub(v.intended).Microseconds())
	}
	t.events = append(t.events, Event{At: now, What: "join"})
}

// sent counts packets and how late their frame was.
func (t *tally) sent(late time.Duration, packets int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.sendLateness.Record(late.Microseconds())
	t.sentPackets += uint64(packets)
}

// joined records a finished join. A failed one counts in connect.total with the time limit: a
// value that stands for "at least", not a dropped sample.
func (t *tally) joined(s *stay, err error) {
	s.mu.Lock()
	m, session := s.marks, s.entered
	s.mu.Unlock()
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entered = t.entered || session
	if err != nil {
		t.failLocked(now, err)
		t.set.Add("join.success", t.base, 0)
		t.set.Add("connect.total", t.base, ms(t.limit))
		t.connectLocked(s, m, t.base)
		return
	}
	t.joins++
	t.events = append(t.events, Event{At: m.total, What: "connected"})
	tags := t.base
	if m.last != nil {
		tags.Candidate, tags.Path = m.last.path()
		t.detail.Candidate = tags.Candidate
	}
	t.set.Add("join.success", t.base, 1)
	t.phaseLocked("total", tags, s.since(m.total))
	t.connectLocked(s, m, tags)
}

// left takes back a join that a planned leave cut short: it neither succeeded nor failed.
func (t *tally) left() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total--
}

func (t *tally) failLocked(now time.Time, err error) {
	t.events = append(t.events, Event{At: now, What: "failed", Detail: err.Error()})
	if t.failed == nil {
		t.failed = err
	}
}

// connectLocked records the phases of a join as far as it got.
func (t *tally) connectLocked(s *stay, m joinMarks, tags metrics.Tags) {
	if !m.entered.IsZero() {
		t.phaseLocked("signaling", tags, m.entered.Sub(s.v.intended))
	}
	if !m.firstPacket.IsZero() {
		t.phaseLocked("first_packet", tags, s.since(m.firstPacket))
	}
	if !m.firstFrame.IsZero() {
		t.phaseLocked("first_frame", tags, s.since(m.firstFrame))
	}
	if m.last == nil {
		return
	}
	c := m.last.moments()
	if !c.negotiated.IsZero() {
		t.phaseLocked("offer_answer", tags, c.negotiated.Sub(c.negotiating))
	}
	if !c.firstCandidate.IsZero() {
		g := tags
		g.Candidate = c.candidate
		t.phaseLocked("gathering", g, c.firstCandidate.Sub(c.gathering))
	}
	if !c.ice.IsZero() && !c.remoteCandidate.IsZero() {
		t.phaseLocked("ice", tags, c.ice.Sub(c.remoteCandidate))
	}
	if !c.dtls.IsZero() && !c.ice.IsZero() {
		t.phaseLocked("dtls", tags, c.dtls.Sub(c.ice))
	}
}

func (t *tally) phaseLocked(name string, tags metrics.Tags, d time.Duration) {
	d = max(d, 0)
	t.set.Add("connect."+name, tags, ms(d))
	t.detail.Connect[name] = ms(d)
}

func (t *tally) dataChannel(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phaseLocked("data_channel", t.base, d)
}

// since is how long after the intended start something happened. Where the bot had to wait for
// another peer's join, the time counts from that one; a conference's own connections do not wait.
func (s *stay) since(at time.Time) time.Duration {
	if at.Before(s.v.dueFrom) {
		return at.Sub(s.v.intended)
	}
	return at.Sub(s.v.dueFrom)
}

// selected counts the candidate pair of a connection that has come up.
func (t *tally) selected(candidate, path string) {
	if candidate == "" {
		return
	}
	tags := t.base
	tags.Candidate, tags.Path = candidate, path
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set.Add("ice.selected", tags, 1)
}

func (t *tally) startWindow(now time.Time, traffic network.Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open, t.began, t.before = true, now, traffic
}

func (t *tally) endWindow(now time.Time, traffic network.Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return
	}
	t.open = false
	t.detail.UpBPS, t.detail.DownBPS = t.windowLocked(t.set, now, traffic)
}

// windowLocked adds what counts over the window as a whole.
func (t *tally) windowLocked(set *metrics.Set, now time.Time, traffic network.Traffic) (up, down float64) {
	seconds := now.Sub(t.began).Seconds()
	if seconds <= 0 {
		return 0, 0
	}
	up = float64(traffic.UpBytes-t.before.UpBytes) * 8 / seconds
	down = float64(traffic.DownBytes-t.before.DownBytes) * 8 / seconds
	set.Add("bandwidth.peer.up", t.base, up)
	set.Add("bandwidth.peer.down", t.base, down)
	if t.rtt.Count() > 0 {
		set.Hist("data.rtt", t.base).Merge(t.rtt)
	}
	for _, d := range t.senders {
		if expected := d.last - d.first + 1; expected > 0 {
			set.Add("data.loss", t.base, max(0, 1-float64(d.received)/float64(expected)))
		}
	}
	return up, down
}

func (t *tally) signalingRTT(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.set.Add("signaling.rtt", t.base, ms(d))
}

func (t *tally) dataRTT(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open {
		t.rtt.Record(d.Microseconds())
	}
}

func (t *tally) dataArrived(from, seq uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.open {
		return
	}
	d := t.senders[from]
	if d == nil {
		d = &dataSender{first: seq, last: seq}
		t.senders[from] = d
	}
	d.last = max(d.last, seq)
	d.received++
}

func (t *tally) outage(tags metrics.Tags, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set.Add("recovery.outage", tags, ms(d))
}

// minSecond is how many packets a second needs for its loss to say something: a track that ends
// early in a second settles there what it lost before.
const minSecond = 10

// second adds one track's last second to the series, at its middle.
func (t *tally) second(now time.Time, kind string, s secondOf) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	if s.delayN > 0 {
		t.lineLocked("media.delay", kind, "ms").Add(now.Add(-time.Second/2), float64(s.delaySum)/float64(s.delayN)/1e3)
	}
	t.packetsLost += s.lost
	t.packetsExpected += s.expected
	if s.expected >= minSecond {
		t.lineLocked("media.loss", kind, "ratio").Add(now.Add(-time.Second/2), float64(s.lost)/float64(s.expected))
	}
}

func (t *tally) loss() (lost, expected uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.packetsLost, t.packetsExpected
}

// traffic adds the last second's bandwidth to the series.
func (t *tally) traffic(now time.Time, upBPS, downBPS float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.lineLocked("bandwidth.peer.up", "", "bit/s").Add(now.Add(-time.Second/2), upBPS)
	t.lineLocked("bandwidth.peer.down", "", "bit/s").Add(now.Add(-time.Second/2), downBPS)
}

func (t *tally) lineLocked(name, kind, unit string) *metrics.Timeline {
	k := lineKey{name, kind}
	l := t.lines[k]
	if l == nil {
		tags := metrics.Tags{Group: t.base.Group, Topology: t.base.Topology, Kind: kind}
		l = metrics.NewTimeline(name, tags, unit, t.epoch, metrics.MeanOfSecond)
		t.lines[k] = l
	}
	return l
}

func (t *tally) snapshot(now time.Time, traffic network.Traffic) *metrics.Set {
	set := metrics.NewSet()
	t.mu.Lock()
	defer t.mu.Unlock()
	set.Merge(t.set)
	if t.open {
		t.windowLocked(set, now, traffic)
	}
	return set
}

// end has what follows not count.
func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// lost makes a peer that had connected a failed one.
func (t *tally) lost(now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	t.failLocked(now, err)
}

func (t *tally) recording() *Recording {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Recording{
		Set: t.set, Detail: t.detail, Events: t.events,
		Joined: t.entered, Connected: t.failed == nil && t.joins > 0 && t.joins == t.total, Failure: t.failed,
		SendLateness: t.sendLateness, StartLateness: t.startLateness,
		PacketsSent: t.sentPackets, PacketsRead: t.readPackets,
	}
	slices.SortStableFunc(r.Detail.Tracks, func(a, b metrics.TrackDetail) int {
		return cmp.Or(strings.Compare(a.From, b.From), strings.Compare(a.Kind, b.Kind))
	})
	for _, l := range t.lines {
		r.Timelines = append(r.Timelines, l)
	}
	switch {
	case r.Connected:
		r.Detail.State = "connected"
	case r.Failure != nil:
		r.Detail.State = "failed"
		r.Detail.Failure, r.Detail.Detail = string(KindOf(r.Failure)), cause(r.Failure)
	}
	return r
}

// cause is a failure's text without its kind.
func cause(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Err.Error()
	}
	return err.Error()
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// tags are the finest tags of a received track's entries.
func (in *input) tags() metrics.Tags {
	t := in.conn.s.b.tally.base
	t.Kind = in.kind
	_, t.Path = in.conn.path()
	return t
}

var _ signaling.Connector = (*stay)(nil)
