package antmedia

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// maxHeld bounds the local candidates that wait for their description.
const maxHeld = 256

var (
	errNoAnswer  = errors.New("offer was not answered in time")
	errLinkFlood = errors.New("the service sends faster than the connection can follow")
)

// link negotiates one connection, on a goroutine of its own that makes, uses and closes it: one
// negotiation at a time, requests for another are merged meanwhile.
type link struct {
	session *session
	spec    signaling.ConnectionSpec
	before  *link // of the same ID; it is gone before this one connects
	tasks   chan func(ctx context.Context)
	cancel  context.CancelFunc
	turn    <-chan struct{} // closed when the link before has connected
	opened  chan struct{}   // closed when this one has, or has not
	gone    chan struct{}   // closed when the connection is closed, or left to the peer

	// These are the session loop's.
	offerer bool
	wished  wish

	// These are the link goroutine's.
	conn         signaling.Connection
	want         *signaling.OfferOptions // the offer to make next
	audio, video int                     // tracks the far end is known to send
	unanswered   *time.Timer             // runs while an offer is open
	err          error

	mu      sync.Mutex // guards what follows
	holding bool       // local candidates belong to a description that has not been sent
	held    []signaling.Candidate
	closed  bool // nothing is sent any more
}

// connect makes a link; its goroutine makes the connection.
func (s *session) connect(ctx context.Context, spec signaling.ConnectionSpec) *link {
	maps.DeleteFunc(s.last, func(_ string, l *link) bool { return l.isGone() })
	ctx, cancel := context.WithCancel(ctx)
	l := &link{
		session: s, before: s.last[spec.ID], tasks: make(chan func(context.Context), taskQueue),
		cancel: cancel, turn: s.turn, opened: make(chan struct{}), gone: make(chan struct{}), holding: true,
	}
	s.turn = l.opened
	spec.Signal = l.signal
	l.spec = spec
	s.links[spec.ID], s.last[spec.ID] = l, l
	s.work.Go(func() { l.run(ctx) })
	for _, c := range s.early[spec.ID] {
		l.addCandidate(c)
	}
	delete(s.early, spec.ID)
	return l
}

// drop closes the connection of an ID, if there is one; nothing is sent for it from now on. It
// is called by the loop and does not wait.
func (s *session) drop(id string) {
	if l := s.links[id]; l != nil {
		delete(s.links, id)
		l.mute()
		l.cancel()
	}
}

func (l *link) isGone() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

func (l *link) mute() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed, l.held = true, nil
}

func (l *link) do(task func(ctx context.Context)) {
	select {
	case l.tasks <- task:
	default:
		l.session.end(fmt.Errorf("connection %q: %w", l.spec.ID, errLinkFlood), false)
	}
}

// run makes the connection and serves it until it fails, is dropped or the session ends.
func (l *link) run(ctx context.Context) {
	defer close(l.gone)
	defer l.cancel()
	if !l.open(ctx) {
		return
	}
	for l.err == nil && ctx.Err() == nil {
		l.step(ctx)
	}
	l.settled()
	if ctx.Err() != nil && l.session.abandons() {
		return
	}
	if err := l.conn.Close(); err != nil {
		l.session.target.log.Debug("close connection", "connection", l.spec.ID, "error", err)
	}
	if ctx.Err() == nil {
		l.report(ctx)
	}
}

// step does the next thing. An offer waits until nothing else does, which merges requests that
// come together.
func (l *link) step(ctx context.Context) {
	if l.want != nil && l.unanswered == nil {
		select {
		case task := <-l.tasks:
			task(ctx)
		default:
			l.offer(ctx)
		}
		return
	}
	select {
	case task := <-l.tasks:
		task(ctx)
	case <-l.expired():
		l.err = errNoAnswer
	case <-ctx.Done():
	}
}

// open waits for its turn at the connector and for its predecessor, and connects. Links connect
// in the order of their making, whatever the scheduler thinks.
func (l *link) open(ctx context.Context) bool {
	defer close(l.opened)
	if l.turn != nil {
		<-l.turn // others only connect meanwhile, or wait for a connection to close
	}
	s := l.session
	if l.before != nil {
		select {
		case <-l.before.gone:
		case <-ctx.Done():
			return false
		}
		l.before = nil
	}
	if ctx.Err() != nil {
		return false
	}
	conn, err := s.peer.Connector.Connect(l.spec)
	if err != nil {
		s.end(fmt.Errorf("connection %q: %w", l.spec.ID, err), false)
		return false
	}
	l.conn = conn
	return true
}

func (l *link) expired() <-chan time.Time {
	if l.unanswered == nil {
		return nil
	}
	return l.unanswered.C
}

func (l *link) settled() {
	if l.unanswered != nil {
		l.unanswered.Stop()
		l.unanswered = nil
	}
}

// report tells the loop that the connection has failed by itself.
func (l *link) report(ctx context.Context) {
	s := l.session
	s.target.log.Warn("connection failed", "peer", s.peer.ID, "connection", l.spec.ID, "error", l.err)
	select {
	case s.calls <- func(context.Context) { s.failed(l) }:
	case <-ctx.Done(): // dropped meanwhile, or the session has ended
	}
}

// failed clears up after a failed connection, as the SDK does: a stream is stopped, a room is
// played again.
func (s *session) failed(l *link) {
	if s.links[l.spec.ID] != l || s.left {
		return
	}
	s.drop(l.spec.ID)
	switch l.spec.Purpose {
	case signaling.ToPublish:
		s.stop(l.spec.ID)
	case signaling.ToPlay:
		s.send(object{"command": cmdStop, "streamId": l.spec.ID})
		s.play.asked = false
		s.play.after(retryPeriod)
	case signaling.ToPeer:
	}
}
