package antmedia

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
)

// Bounds of a session.
const (
	retryPeriod  = 3 * time.Second
	leaveTimeout = time.Second
	maxEarly     = 64 // candidates kept per connection, and connections kept for
	maxWaiting   = 64 // unanswered pings or room queries
)

// session is a peer's stay in a room. One loop owns everything but the connections: it acts on
// messages in order, and on what other goroutines ask for through calls. Every connection has a
// link, which negotiates it on a goroutine of its own.
type session struct {
	target *Target
	peer   signaling.Participant
	socket *socket
	inbox  chan incoming
	calls  chan func(ctx context.Context)
	quit   <-chan struct{}
	cancel context.CancelFunc
	work   sync.WaitGroup // reader, writer, loop and links
	done   chan struct{}

	mu        sync.Mutex // guards what follows
	ended     bool
	err       error
	abandoned bool // connections are left to the peer
	parting   bool // the end that comes is the one asked for

	// The rest is the loop's.
	entry    entry
	streams  []signaling.Stream
	links    map[string]*link
	turn     <-chan struct{}  // closed when the youngest link has connected
	last     map[string]*link // the latest link of each ID, to order its successor
	early    map[string][]signaling.Candidate
	pairs    map[string]string // pairwise mesh: the peer at the far end of each joined ID
	starting map[string]chan<- error
	pings    []ping
	queries  []chan<- []string
	play     play
	stopped  map[string]int  // streams stopped, and how often, without a confirmation yet
	left     bool            // Leave has begun
	unparted map[string]bool // IDs whose end Leave waits for
	parted   chan<- struct{}
}

// incoming is a message and when it came.
type incoming struct {
	message
	at time.Time
}

// entry is the way in: what the service has yet to admit.
type entry struct {
	done   chan error // nil: admitted or refused already
	awaits map[string]bool
}

// ping is one that was sent; answered is nil for the session's own.
type ping struct {
	at       time.Time
	answered chan<- time.Duration
}

// newSession starts a session that outlives ctx; end ends it.
func newSession(ctx context.Context, t *Target, p signaling.Participant, ws *websocket.Conn) *session {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{
		target: t, peer: p, socket: newSocket(ws, maxIncoming, t.config.MaxMessage),
		inbox: make(chan incoming), calls: make(chan func(context.Context)),
		quit: ctx.Done(), cancel: cancel, done: make(chan struct{}),
		links: map[string]*link{}, last: map[string]*link{}, early: map[string][]signaling.Candidate{},
		pairs: map[string]string{}, starting: map[string]chan<- error{}, stopped: map[string]int{}, unparted: map[string]bool{},
	}
	s.streams = append(s.streams, p.Streams...)
	s.work.Go(s.socket.write)
	s.work.Go(s.read)
	s.work.Go(func() { s.loop(ctx) })
	go func() { // ends with the three above, which end ends, and the links, which the loop owns
		s.work.Wait()
		close(s.done)
	}()
	return s
}

func (s *session) conference() bool { return s.peer.Topology == signaling.TopologyConference }

func (s *session) read() {
	err := s.socket.read(idleTimeout, func() {}, func(frame []byte) {
		m, err := decode(frame)
		if err != nil {
			s.target.log.Debug("message ignored", "peer", s.peer.ID, "error", err)
			return
		}
		select {
		case s.inbox <- incoming{m, time.Now()}:
		case <-s.quit:
		}
	})
	if cause := s.socket.reason(); cause != nil {
		err = cause
	}
	// Through the loop, so that the last message, which may tell a better reason, comes first.
	select {
	case s.calls <- func(context.Context) { s.end(fmt.Errorf("signaling lost: %w", err), true) }:
	case <-s.quit:
	}
}

// end ends the session; the first cause stays. abandon leaves the connections to the peer.
func (s *session) end(err error, abandon bool) {
	s.mu.Lock()
	first := !s.ended
	if s.parting {
		err, abandon = nil, false
	}
	if first {
		s.ended, s.err, s.abandoned = true, err, abandon
	}
	s.mu.Unlock()
	if first {
		s.cancel()
	}
}

func (s *session) abandons() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.abandoned
}

// loop ends, and closes the socket, when the session is ended.
func (s *session) loop(ctx context.Context) {
	defer s.socket.kill(nil)
	tick := time.NewTicker(pingPeriod)
	defer tick.Stop()
	defer s.play.cancel()
	for {
		select {
		case m := <-s.inbox:
			s.receive(ctx, m)
		case f := <-s.calls:
			f(ctx)
		case <-tick.C:
			s.ping(nil)
		case <-s.play.due():
			s.askToPlay()
		case <-ctx.Done():
			return
		}
	}
}

// do has the loop run f and waits until it has.
func (s *session) do(ctx context.Context, f func(ctx context.Context) error) error {
	result := make(chan error, 1)
	select {
	case s.calls <- func(loop context.Context) { result <- f(loop) }:
		return <-result
	case <-s.quit:
		return s.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gone is what methods return after the end.
func (s *session) gone() error {
	if err := s.Err(); err != nil {
		return err
	}
	return ErrSessionEnded
}

// send queues a message. One that is too long for the service ends the session: nothing else
// would tell the peer why it never connects.
func (s *session) send(o object) {
	if err := s.socket.send(o); err != nil {
		s.end(err, false)
	}
}

// enter asks for admission and waits for it.
func (s *session) enter(ctx context.Context) error {
	admitted := make(chan error, 1)
	err := s.do(ctx, func(context.Context) error {
		s.entry = entry{done: admitted, awaits: map[string]bool{}}
		if s.conference() {
			s.enterConference()
		} else {
			s.enterPeers()
		}
		if len(s.entry.awaits) == 0 {
			s.admit(nil)
		}
		return nil
	})
	if err == nil {
		select {
		case err = <-admitted:
		case <-s.quit:
			err = s.gone()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		s.end(err, false)
		<-s.done
	}
	return err
}

func (s *session) enterConference() {
	for _, stream := range s.streams {
		s.askToPublish(stream)
	}
	if s.peer.Receive {
		s.askToPlay()
	}
	switch {
	case len(s.streams) > 0:
		s.entry.awaits[s.streams[0].ID] = true
	case s.peer.Receive:
		s.entry.awaits[s.peer.Room] = true
	}
}

func (s *session) enterPeers() {
	ids := []string{s.peer.Room}
	if s.pairwise() {
		ids = nil
		for _, other := range s.target.config.Peers(s.peer.Room) {
			if other == s.peer.ID {
				continue
			}
			id := pairID(s.peer.Room, s.peer.ID, other)
			s.pairs[id] = other
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		s.entry.awaits[id] = true
		s.send(object{
			"command": cmdJoin, "streamId": id, "multiPeer": false, "mode": "both", "streamName": s.peer.ID,
			"token": s.target.config.Token(id),
		})
	}
}

func (s *session) pairwise() bool {
	return s.peer.Topology == signaling.TopologyMesh && s.target.config.PairwiseMesh
}

func pairID(room, a, b string) string { return room + "-" + min(a, b) + "-" + max(a, b) }

// admit reports one ID as admitted, or the whole entry as refused.
func (s *session) admit(err error, ids ...string) {
	if s.entry.done == nil {
		return
	}
	for _, id := range ids {
		delete(s.entry.awaits, id)
	}
	if err != nil || len(s.entry.awaits) == 0 {
		s.entry.done <- err
		s.entry.done = nil
	}
}

// Done is closed when the socket is closed and every goroutine of the session has ended.
func (s *session) Done() <-chan struct{} { return s.done }

// Err is nil before the end, and after Leave and Drop.
func (s *session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Drop closes the socket at once.
func (s *session) Drop() error {
	s.end(nil, true)
	s.socket.kill(nil)
	return s.closed(leaveTimeout)
}
