package sfu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// ingress receives one published stream; it implements signaling.Ingress.
type ingress struct {
	s      *SFU
	room   *room
	p      signaling.Publication
	pc     *webrtc.PeerConnection
	remote *rtpstream.Candidates
	log    *slog.Logger

	quit        <-chan struct{} // closed by cancel
	cancel      context.CancelFunc
	negotiating chan struct{} // a token: one Answer at a time
	kick        chan struct{} // something for the loop to look at
	closed      chan struct{} // Close has finished

	mu      sync.Mutex // guards what follows
	wg      sync.WaitGroup
	closing bool
	sources []*source
	state   webrtc.PeerConnectionState
	up      bool // has been connected
	err     error
}

func newIngress(s *SFU, p signaling.Publication) (*ingress, error) {
	pc, err := s.newConnection()
	if err != nil {
		return nil, err
	}
	in := &ingress{
		s: s, p: p, pc: pc, remote: rtpstream.NewCandidates(pc, s.c.ICEGap), log: s.c.Logger.With("room", p.Room, "stream", p.Stream),
		negotiating: make(chan struct{}, 1), kick: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	in.quit, in.cancel = ctx.Done(), cancel
	if in.room, err = s.enter(p.Room, in); err != nil {
		cancel()
		return nil, errors.Join(err, pc.Close())
	}
	if !in.room.claim(p.Stream, in) {
		cancel()
		s.leave(in.room, in)
		return nil, errors.Join(ErrStreamTaken, pc.Close())
	}
	pc.OnConnectionStateChange(in.onState)
	pc.OnTrack(in.onTrack)
	pc.OnDataChannel(in.onDataChannel)
	in.spawn(func() { in.run(ctx) })
	return in, nil
}

// spawn runs f in a goroutine that Close waits for; not at all once closing has begun.
func (in *ingress) spawn(f func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closing {
		in.wg.Go(f)
	}
}

// Answer implements signaling.Ingress.
func (in *ingress) Answer(ctx context.Context, offer string) (string, error) {
	select {
	case in.negotiating <- struct{}{}:
		defer func() { <-in.negotiating }()
	case <-ctx.Done():
		return "", ctx.Err()
	case <-in.quit:
		return "", ErrClosed
	}
	d := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := in.remote.Describe(d); err != nil {
		return "", fmt.Errorf("apply offer of stream %q: %w", in.p.Stream, err)
	}
	answer, err := in.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("answer stream %q: %w", in.p.Stream, err)
	}
	if err := in.expect(offer); err != nil {
		return "", err
	}
	text, err := setLocal(ctx, in.pc, answer)
	if err != nil {
		return "", err
	}
	if err := in.remote.Release(); err != nil {
		in.log.Debug("candidates refused", "error", err)
	}
	return text, nil
}

// expect makes a source for each kind that the offer sends. Viewers are offered them when the
// connection is up, whether or not a packet has come by then.
func (in *ingress) expect(offer string) error {
	sending, err := sendingMIDs(offer)
	if err != nil {
		return fmt.Errorf("offer of stream %q: %w", in.p.Stream, err)
	}
	for _, t := range in.pc.GetTransceivers() {
		r := t.Receiver()
		if r == nil || !sending[t.Mid()] {
			continue
		}
		p := r.GetParameters()
		in.mu.Lock()
		if len(p.Codecs) > 0 && in.sourceLocked(t.Kind()) == nil {
			in.sources = append(in.sources, newSource(in, t.Kind(), p))
		}
		in.mu.Unlock()
	}
	notify(in.kick)
	return nil
}

// sendingMIDs are the media sections through which the far end wants to send.
func sendingMIDs(offer string) (map[string]bool, error) {
	var parsed sdp.SessionDescription
	if err := parsed.UnmarshalString(offer); err != nil {
		return nil, err
	}
	mids := map[string]bool{}
	for _, m := range parsed.MediaDescriptions {
		mid, ok := m.Attribute("mid")
		_, inactive := m.Attribute("inactive")
		_, receives := m.Attribute("recvonly")
		mids[mid] = ok && !inactive && !receives && m.MediaName.Port.Value != 0
	}
	return mids, nil
}

func (in *ingress) sourceLocked(kind webrtc.RTPCodecType) *source {
	for _, s := range in.sources {
		if s.kind == kind {
			return s
		}
	}
	return nil
}

// AddCandidate implements signaling.Ingress.
func (in *ingress) AddCandidate(c signaling.Candidate) error {
	if c.Candidate == "" {
		return nil // the end of candidates: checks go on for as long as ICE cares
	}
	if err := in.remote.Add(candidateInit(c)); err != nil {
		return fmt.Errorf("candidate of stream %q: %w", in.p.Stream, err)
	}
	return nil
}

func (in *ingress) onState(state webrtc.PeerConnectionState) {
	in.mu.Lock()
	in.state = state
	in.mu.Unlock()
	notify(in.kick)
}

// onTrack forwards a track. A publication has one of each kind, as viewers know them by stream
// and kind: a second one at the same time is refused.
func (in *ingress) onTrack(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	in.mu.Lock()
	src := in.sourceLocked(t.Kind())
	in.mu.Unlock()
	if src == nil || t.RID() != "" || !src.claimed.CompareAndSwap(false, true) {
		in.log.Warn("track is not forwarded", "kind", t.Kind().String(), "rid", t.RID())
		return
	}
	in.spawn(func() {
		defer src.claimed.Store(false) // another track may follow this one
		src.forward(t)
	})
	in.spawn(func() { src.reports(r) })
}

func (in *ingress) onDataChannel(c *webrtc.DataChannel) {
	c.OnMessage(func(m webrtc.DataChannelMessage) { in.s.relay(in.room, m, in.p.Stream, nil) })
}

// run announces the stream, tells its end, and sends feedback to the publisher.
func (in *ingress) run(ctx context.Context) {
	ticker := time.NewTicker(feedbackInterval)
	defer ticker.Stop()
	var ticks <-chan time.Time // nil, as there is nothing to say before the connection is up
	var f feedback
	var announced int
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.kick:
		case <-ticks:
		}
		in.mu.Lock()
		state, first, sources := in.state, !in.up, in.sources[:len(in.sources):len(in.sources)]
		in.up = in.up || state == webrtc.PeerConnectionStateConnected
		up := in.up
		in.mu.Unlock()
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			in.end(ctx, fmt.Errorf("%w: %s", ErrConnectionLost, state))
			return
		}
		if !up {
			continue
		}
		if first || len(sources) > announced {
			announced = len(sources)
			in.room.announce(sources)
		}
		if first {
			ticks = ticker.C
			if in.p.Started != nil {
				in.p.Started()
			}
		}
		f.send(in.pc, sources, time.Now())
	}
}

func (in *ingress) end(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // our own doing
	}
	in.room.withdraw(in)
	if in.p.Ended != nil {
		in.p.Ended(err)
	}
}

// Close implements signaling.Ingress.
func (in *ingress) Close() error {
	in.mu.Lock()
	first := !in.closing
	in.closing = true
	in.mu.Unlock()
	if !first {
		<-in.closed
		return in.err
	}
	in.cancel()
	in.room.withdraw(in)
	time.Sleep(closePause)
	in.err = in.pc.GracefulClose()
	in.wg.Wait()
	in.room.withdraw(in) // the loop may have announced something meanwhile
	in.room.free(in.p.Stream, in)
	in.s.leave(in.room, in)
	close(in.closed)
	return in.err
}

var _ signaling.Ingress = (*ingress)(nil)
