package sfu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/webrtc/v4"
)

// egress sends a room's streams to one viewer; it implements signaling.Egress. Its loop is the
// only one to negotiate: it compares what the room has with what the viewer was offered, so that
// any number of changes while an offer is outstanding become one further offer.
type egress struct {
	s       *SFU
	room    *room
	v       signaling.Viewing
	pc      *webrtc.PeerConnection
	remote  *rtpstream.Candidates
	channel *webrtc.DataChannel
	log     *slog.Logger

	cancel  context.CancelFunc // ends the loop
	wake    chan struct{}      // something for the loop to look at
	answers chan answer
	done    chan struct{} // the loop has ended
	closed  chan struct{} // Close has finished

	mu      sync.Mutex // guards what follows
	wg      sync.WaitGroup
	closing bool
	views   []*view
	off     map[muted]bool
	state   webrtc.PeerConnectionState
	err     error
}

// muted names the tracks of a kind of a stream.
type muted struct{ stream, kind string }

type answer struct {
	sdp    string
	result chan error // of capacity one
}

func newEgress(s *SFU, v signaling.Viewing) (*egress, error) {
	pc, err := s.newConnection()
	if err != nil {
		return nil, err
	}
	e := &egress{
		s: s, v: v, pc: pc, remote: rtpstream.NewCandidates(pc, s.c.ICEGap), log: s.c.Logger.With("room", v.Room, "viewer", v.Viewer),
		wake: make(chan struct{}, 1), answers: make(chan answer),
		done: make(chan struct{}), closed: make(chan struct{}), off: map[muted]bool{},
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancel = cancel
	if e.channel, err = pc.CreateDataChannel(v.Room, nil); err != nil {
		cancel()
		return nil, errors.Join(fmt.Errorf("create data channel: %w", err), pc.Close())
	}
	if e.room, err = s.enter(v.Room, e); err != nil {
		cancel()
		return nil, errors.Join(err, pc.Close())
	}
	pc.OnConnectionStateChange(e.onState)
	pc.OnDataChannel(e.listen)
	e.listen(e.channel)
	e.room.watch(e)
	e.spawn(func() { e.run(ctx) })
	return e, nil
}

// spawn runs f in a goroutine that Close waits for; not at all once closing has begun.
func (e *egress) spawn(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closing {
		e.wg.Go(f)
	}
}

func (e *egress) listen(c *webrtc.DataChannel) {
	c.OnMessage(func(m webrtc.DataChannelMessage) { e.s.relay(e.room, m, e.v.Exclude, e) })
}

func (e *egress) onState(state webrtc.PeerConnectionState) {
	e.mu.Lock()
	e.state = state
	e.mu.Unlock()
	notify(e.wake)
}

// run negotiates until the viewing ends.
func (e *egress) run(ctx context.Context) {
	defer close(e.done)
	if err := e.negotiate(ctx); err != nil && ctx.Err() == nil {
		if errors.Is(err, webrtc.ErrConnectionClosed) {
			err = fmt.Errorf("%w: %w", ErrConnectionLost, err)
		}
		e.log.Info("viewing ended", "error", err)
		e.room.unwatch(e)
		e.detach()
		if e.v.Ended != nil {
			e.v.Ended(err)
		}
	}
}

// negotiate returns why the viewing cannot go on; nil when it was closed.
func (e *egress) negotiate(ctx context.Context) error {
	deadline := time.NewTimer(e.s.c.AnswerTimeout)
	defer deadline.Stop()
	outstanding, started := false, false
	for first := true; ; first = false {
		if !outstanding {
			// One offer for all that begins at this instant, and behind what else the viewer is told
			// at it, such as the answer to its own offer.
			time.Sleep(e.s.c.ICEGap * 2)
			changed, err := e.reconcile()
			if err != nil {
				return err
			}
			if changed || first {
				if err := e.offer(ctx); err != nil {
					return err
				}
				outstanding = true
				deadline.Reset(e.s.c.AnswerTimeout)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			if outstanding {
				return ErrUnanswered
			}
		case a := <-e.answers:
			if !outstanding {
				// One that was sent twice or has crossed with another: nothing is wrong.
				e.log.Debug("answer without an offer")
				a.result <- nil
				continue
			}
			err := e.apply(a.sdp)
			a.result <- err
			outstanding = err != nil // a wrong answer may be followed by a right one
		case <-e.wake:
		}
		state := e.connectionState()
		switch state {
		case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
			return fmt.Errorf("%w: %s", ErrConnectionLost, state)
		case webrtc.PeerConnectionStateConnected:
			if !started {
				started = true
				if e.v.Started != nil {
					e.v.Started()
				}
			}
			e.greet()
		}
	}
}

func (e *egress) connectionState() webrtc.PeerConnectionState {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

// Answer implements signaling.Egress.
func (e *egress) Answer(ctx context.Context, sdp string) error {
	a := answer{sdp: sdp, result: make(chan error, 1)}
	select {
	case e.answers <- a:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return ErrClosed
	}
	select {
	case err := <-a.result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return ErrClosed
	}
}

// AddCandidate implements signaling.Egress.
func (e *egress) AddCandidate(c signaling.Candidate) error {
	if c.Candidate == "" {
		return nil // the end of candidates: checks go on for as long as ICE cares
	}
	if err := e.remote.Add(candidateInit(c)); err != nil {
		return fmt.Errorf("candidate of viewer %q: %w", e.v.Viewer, err)
	}
	return nil
}

// Enable implements signaling.Egress.
func (e *egress) Enable(stream, kind string, on bool) {
	e.mu.Lock()
	if on {
		delete(e.off, muted{stream, kind})
	} else {
		e.off[muted{stream, kind}] = true
	}
	views := slices.Clone(e.views)
	e.mu.Unlock()
	for _, v := range views {
		if v.source.in.p.Stream == stream && v.source.kind.String() == kind {
			v.enable(on)
		}
	}
}

// Close implements signaling.Egress.
func (e *egress) Close() error {
	e.mu.Lock()
	first := !e.closing
	e.closing = true
	e.mu.Unlock()
	if !first {
		<-e.closed
		return e.err
	}
	e.cancel()
	e.room.unwatch(e)
	<-e.done
	time.Sleep(closePause)
	e.err = e.pc.GracefulClose()
	e.wg.Wait()
	e.s.leave(e.room, e)
	close(e.closed)
	return e.err
}

var _ signaling.Egress = (*egress)(nil)
