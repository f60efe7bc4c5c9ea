package bots

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/peerfleet/peerfleet/signaling"
)

// housekeeping is how often a stay asks for repairs and looks at deadlines: one timer for all
// its tracks.
const housekeeping = 20 * time.Millisecond

// dueTrack is a track whose first frame completes a join.
type dueTrack struct{ stream, kind string }

// stay is one visit to the room, from the join to the goodbye. It owns every goroutine the bot
// runs meanwhile.
type stay struct {
	b      *Bot
	v      visit
	ctx    context.Context //nolint:containedctx // ends the goroutines of this stay; made and cancelled by it
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ready  chan struct{} // closed once nothing is missing

	mu       sync.Mutex // guards what follows
	session  signaling.Session
	conns    []*connection
	outputs  []*output
	inputs   []*input
	muted    map[dueTrack]bool
	missing  map[dueTrack]bool
	entered  bool
	done     bool // ready is closed
	dataOpen bool // a data channel has opened
	leaving  bool
	abandon  context.CancelFunc // of the join under way
	broken   chan error         // the first connection that failed; capacity 1
	marks    joinMarks
}

// joinMarks are the moments of a join that no single connection knows.
type joinMarks struct {
	entered, firstPacket, firstFrame, total time.Time
	last                                    *connection // brought the last frame that was due
}

func newStay(b *Bot, v visit) *stay {
	s := &stay{
		b: b, v: v, ready: make(chan struct{}), broken: make(chan error, 1),
		muted: map[dueTrack]bool{}, missing: map[dueTrack]bool{}, abandon: func() {},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if b.c.Peer.Receive {
		for _, d := range v.due {
			if d.Audio {
				s.missing[dueTrack{d.Stream, "audio"}] = true
			}
			if d.Video {
				s.missing[dueTrack{d.Stream, "video"}] = true
			}
		}
	}
	return s
}

// join enters the room and waits for all that is due.
func (s *stay) join(ctx context.Context) error {
	p := s.b.c.Peer
	streams := make([]signaling.Stream, 0, len(s.v.publish))
	for i, pub := range s.v.publish {
		o, err := newOutput(s, pub, i)
		if err != nil {
			return failure(KindGenerator, err)
		}
		s.addOutput(o)
		streams = append(streams, signaling.Stream{ID: pub.ID, Audio: pub.Audio != nil, Video: pub.Video != nil})
	}
	s.wg.Go(s.housekeep)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	s.abandon = cancel
	s.mu.Unlock()
	session, err := s.b.c.Target.Join(ctx, signaling.Participant{
		ID: p.Name, Room: p.Room, Topology: signaling.Topology(p.Topology),
		Streams: streams, Receive: p.Receive, Connector: s,
	})
	if err != nil {
		if s.isLeaving() {
			return errLeft
		}
		return signalingFailure(err)
	}
	if !s.enteredRoom(session) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return errors.Join(errLeft, session.Leave(bounded))
	}

	select {
	case <-s.ready:
		return nil
	case err := <-s.broken:
		return err
	case <-s.ctx.Done():
		return errLeft
	case <-session.Done():
		if s.isLeaving() {
			return errLeft
		}
		return failure(KindClosedByPeer, fmt.Errorf("signaling ended: %w", errors.Join(session.Err(), errClosed)))
	case <-ctx.Done():
		if s.isLeaving() {
			return errLeft
		}
		return s.timedOut(ctx.Err())
	}
}

var (
	errClosed = errors.New("closed by the other side")
	errLeft   = errors.New("left before the join was complete")
)

// enteredRoom takes on the session that Join returned and starts what runs beside it; false when
// the stay is over already.
func (s *stay) enteredRoom(session signaling.Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leaving {
		return false
	}
	s.session, s.entered, s.marks.entered = session, true, time.Now()
	s.checkLocked(s.marks.entered, nil)
	s.wg.Go(func() { s.pingSignaling(session) })
	if s.b.c.Peer.Data.Rate > 0 {
		s.wg.Go(s.sendData)
	}
	return true
}

func (s *stay) isLeaving() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leaving
}

// pingEvery is how often the signaling service is asked for an answer.
const pingEvery = 2 * time.Second

// pingSignaling measures the signaling round trip until the stay or the session ends.
func (s *stay) pingSignaling(session signaling.Session) {
	// Not in the midst of what entering the room brings on.
	first := time.NewTimer(pingEvery/4 + s.b.skew())
	defer first.Stop()
	select {
	case <-s.ctx.Done():
		return
	case <-first.C:
	}
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		rtt, err := session.Ping(s.ctx)
		if err != nil {
			return // the session's own end says why
		}
		s.b.tally.signalingRTT(rtt)
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Connect implements signaling.Connector.
func (s *stay) Connect(spec signaling.ConnectionSpec) (signaling.Connection, error) {
	c, err := newConnection(s, spec)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.leaving {
		s.mu.Unlock()
		return nil, errors.Join(errClosed, c.Close())
	}
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	return c, nil
}

func (s *stay) addOutput(o *output) {
	s.mu.Lock()
	s.outputs = append(s.outputs, o)
	s.mu.Unlock()
	s.wg.Go(o.run)
}

// arrived notes a first packet or first complete frame of a track.
func (s *stay) arrived(in *input, frame bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marks.firstPacket.IsZero() {
		s.marks.firstPacket = now
	}
	if !frame {
		return
	}
	// An audio-only peer's first frame is its first audio packet: the caller says so by kind.
	if s.marks.firstFrame.IsZero() && (in.kind == "video" || !s.videoDueLocked()) {
		s.marks.firstFrame = now
	}
	delete(s.missing, dueTrack{in.stream, in.kind})
	s.checkLocked(now, in.conn)
}

func (s *stay) videoDueLocked() bool {
	for _, d := range s.v.due {
		if d.Video {
			return true
		}
	}
	return false
}

// checkLocked completes the join when nothing is missing. Where nobody's track is due, a
// conference member is complete when its own connections are up.
func (s *stay) checkLocked(now time.Time, by *connection) {
	if s.done || !s.entered || len(s.missing) > 0 {
		return
	}
	if s.b.c.Peer.Topology == string(signaling.TopologyConference) && !s.ownUpLocked() {
		return
	}
	s.done, s.marks.total = true, now
	if by == nil && len(s.conns) > 0 {
		by = s.conns[len(s.conns)-1]
	}
	s.marks.last = by
	close(s.ready)
}

// ownUpLocked tells whether every connection that a conference member needs is up.
func (s *stay) ownUpLocked() bool {
	want := len(s.v.publish)
	if s.b.c.Peer.Receive {
		want++
	}
	up := 0
	for _, c := range s.conns {
		if c.isUp() && !c.isClosed() {
			up++
		}
	}
	return up >= want
}

// connectionUp is called when a connection can carry media.
func (s *stay) connectionUp(c *connection, now time.Time) {
	s.mu.Lock()
	outputs := c.carries(s.outputs)
	s.checkLocked(now, c)
	s.mu.Unlock()
	for _, o := range outputs {
		o.requestKeyframe()
	}
}

// connectionLost is called when a connection has failed for good.
func (s *stay) connectionLost(c *connection, err error) {
	s.mu.Lock()
	leaving := s.leaving
	s.mu.Unlock()
	if leaving {
		return
	}
	s.b.tally.event(time.Now(), "connection-lost", err.Error())
	select {
	case s.broken <- err:
	default:
	}
}

// timedOut says how far a join got before its time was over.
func (s *stay) timedOut(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 {
		return failure(KindSignalTimeout, fmt.Errorf("no connection was negotiated: %w", cause))
	}
	for _, c := range s.conns {
		if c.isClosed() {
			continue
		}
		if err := c.stage(); err != nil {
			return fmt.Errorf("%w (%w)", err, cause)
		}
	}
	for d := range s.missing {
		for _, in := range s.inputs {
			if in.stream == d.stream && in.kind == d.kind && in.hasPackets() && d.kind == "video" {
				return failure(KindNoKeyframe, fmt.Errorf("%s of %s arrives without a keyframe", d.kind, d.stream))
			}
		}
	}
	return failure(KindNoMedia, fmt.Errorf("%d tracks that were due never came: %w", len(s.missing), cause))
}

func (s *stay) housekeep() {
	time.Sleep(s.b.skew()) // so that no tick falls on the beginning or end of the window
	t := time.NewTicker(housekeeping)
	defer t.Stop()
	second := time.Now().Add(time.Second)
	before := s.b.c.Host.Link().Traffic()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-t.C:
			whole := !now.Before(second)
			if whole {
				second = second.Add(time.Second)
				traffic := s.b.c.Host.Link().Traffic()
				s.b.tally.traffic(now, float64(traffic.UpBytes-before.UpBytes)*8, float64(traffic.DownBytes-before.DownBytes)*8)
				before = traffic
			}
			s.mu.Lock()
			inputs, conns := s.inputs, s.conns
			s.mu.Unlock()
			for _, c := range conns {
				c.feedback(now, inputs, whole)
			}
		}
	}
}

func (s *stay) startWindow(now time.Time) {
	s.mu.Lock()
	inputs := s.inputs
	s.mu.Unlock()
	for _, in := range inputs {
		in.startWindow(now)
	}
}

// endWindow closes every track's window and says what is wrong with the stay at this moment.
func (s *stay) endWindow(now time.Time) error {
	s.mu.Lock()
	inputs, conns, session, done := s.inputs, s.conns, s.session, s.done
	s.mu.Unlock()
	silent, expected := 0, 0
	for _, in := range inputs {
		in.endWindow(now)
		if in.expectedNow() {
			expected++
			if in.silentSince(now) > silence {
				silent++
			}
		}
	}
	if !done {
		return nil // the join itself will say what is wrong
	}
	for _, c := range conns {
		if c.isClosed() || c.young(now) {
			continue
		}
		if err := c.stage(); err != nil {
			return err
		}
	}
	if session != nil {
		select {
		case <-session.Done():
			return failure(KindClosedByPeer, errors.Join(errors.New("signaling ended"), session.Err()))
		default:
		}
	}
	if expected > 0 && silent == expected {
		return failure(KindNoMedia, fmt.Errorf("no packet of any of %d tracks for %v", expected, silence))
	}
	return nil
}

// silence is how long every track must have been quiet for a peer to count as cut off.
const silence = 2 * time.Second

func (s *stay) settled() bool {
	s.mu.Lock()
	inputs := s.inputs
	s.mu.Unlock()
	for _, in := range inputs {
		if _, settled := in.rtp.Window(); !settled && in.measured() {
			return false
		}
	}
	return true
}

func (s *stay) expect(stream, kind string, on bool, now time.Time) {
	s.mu.Lock()
	for _, k := range []string{"audio", "video"} {
		if kind == "" || kind == k {
			s.muted[dueTrack{stream, k}] = !on
			if !on {
				delete(s.missing, dueTrack{stream, k}) // it is not due any more
			}
		}
	}
	s.checkLocked(time.Now(), nil)
	inputs := s.inputs
	s.mu.Unlock()
	for _, in := range inputs {
		if in.stream == stream && (kind == "" || kind == in.kind) {
			in.expect(on, now)
		}
	}
}

// leave says goodbye first, so that the others hear of it, then closes everything.
func (s *stay) leave(ctx context.Context) error {
	conns, session := s.end()
	var err error
	if session != nil {
		err = session.Leave(ctx)
	}
	return errors.Join(err, s.shut(conns))
}

// drop closes the sockets under everything, then frees what hangs on them.
func (s *stay) drop() error {
	conns, session := s.end()
	s.b.c.Host.Crash()
	var err error
	if session != nil {
		err = session.Drop()
	}
	_ = s.shut(conns) // the sockets are gone: what closing says of them tells nothing
	return err
}

// end keeps further connections out and ends the open tracks.
func (s *stay) end() ([]*connection, signaling.Session) {
	now := s.b.now()
	s.mu.Lock()
	s.leaving = true
	s.abandon()
	conns, inputs, session := s.conns, s.inputs, s.session
	s.mu.Unlock()
	for _, in := range inputs {
		in.end(now)
	}
	return conns, session
}

func (s *stay) shut(conns []*connection) error {
	s.cancel()
	errs := make([]error, len(conns))
	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() { errs[i] = c.Close() })
	}
	wg.Wait()
	s.wg.Wait()
	return errors.Join(errs...)
}

// published finds what a stay publishes under a name.
func (s *stay) published(id string) *output {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outputs {
		if o.id == id {
			return o
		}
	}
	return nil
}

// publishing finds the first published stream that has a kind of track: the one that mute means.
func (s *stay) publishing(kind string) *output {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.outputs {
		if kind == "audio" && o.audioTrack != nil || kind == "video" && o.videoTrack != nil {
			return o
		}
	}
	return nil
}

// publish adds a stream to the call.
func (s *stay) publish(ctx context.Context, p scenarios.Published, number int) error {
	if s.published(p.ID) != nil {
		return fmt.Errorf("%s is published already", p.ID)
	}
	o, err := newOutput(s, p, number)
	if err != nil {
		return err
	}
	session, err := s.inRoom()
	if err != nil {
		return err
	}
	s.addOutput(o)
	return session.Publish(ctx, signaling.Stream{ID: p.ID, Audio: p.Audio != nil, Video: p.Video != nil})
}

// unpublish ends one stream.
func (s *stay) unpublish(ctx context.Context, id string) error {
	o := s.published(id)
	if o == nil {
		return fmt.Errorf("%s is not published", id)
	}
	session, err := s.inRoom()
	if err != nil {
		return err
	}
	s.mu.Lock()
	kept := make([]*output, 0, len(s.outputs))
	for _, other := range s.outputs {
		if other != o {
			kept = append(kept, other)
		}
	}
	s.outputs = kept
	s.mu.Unlock()
	o.stop()
	return session.Unpublish(ctx, id)
}

// inRoom is the session of a stay whose join has got that far.
func (s *stay) inRoom() (signaling.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return nil, errors.New("not in the room yet")
	}
	return s.session, nil
}
