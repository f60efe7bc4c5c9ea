// Package bots is the synthetic peer: it joins a room, publishes made-up media, watches what it
// receives, acts as planned, and leaves. It knows neither the signaling dialect nor the network.
package bots

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/webrtc/v4"
)

// Config is what a bot is given. All but ICEServers, TLSRoots and Logger is required.
type Config struct {
	Peer        scenarios.Peer
	Host        network.Host
	Target      signaling.Target
	Stack       *Stack
	ICEServers  []webrtc.ICEServer
	TLSRoots    *x509.CertPool // whom to trust as a turns: server; nil: whom the system trusts
	Epoch       time.Time      // start of the cell: planned times count from here
	JoinTimeout time.Duration  // of a join, up to the last track that is due
	DataPeers   []uint32       // indexes of the others in the room, for data-channel echoes
	Logger      *slog.Logger

	// ICEGap keeps apart what a connection learns of, see rtpstream.NewCandidates, and what the
	// connections of a bot begin at one instant.
	ICEGap time.Duration
}

// Bot is one synthetic peer. Its methods are safe for concurrent use; actions are carried out in
// the order of the calls only if the caller waits for each.
type Bot struct {
	c     Config
	tally *tally

	mu     sync.Mutex // guards what follows
	stay   *stay      // in the room now; nil outside
	window time.Time  // when the measured window began; zero before
	ended  bool       // the window is over
}

// New makes a bot that has not joined yet.
func New(c Config) *Bot {
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	c.Logger = c.Logger.With("peer", c.Peer.Name)
	return &Bot{c: c, tally: newTally(c)}
}

// now is the present on the run's own clock: the machine's time at the epoch plus what has passed
// since on the monotonic clock, so that a step of the machine's time changes no delay.
func (b *Bot) now() time.Time { return b.c.Epoch.Add(time.Since(b.c.Epoch)) }

// Name is the peer's name in the plan.
func (b *Bot) Name() string { return b.c.Peer.Name }

// Join enters the room and returns when every track that was due has shown its first frame, or
// why that did not happen in time: an error that KindOf classifies, or context.Canceled when ctx
// ended or the bot left first. The bot stays in the room
// in either case, as far as it got, until Leave, Drop or Close.
func (b *Bot) Join(ctx context.Context) error {
	p := b.c.Peer
	return b.enter(ctx, visit{
		intended: b.c.Epoch.Add(p.JoinAt), dueFrom: b.c.Epoch.Add(p.DueFrom), due: p.Due, publish: p.Publish,
	})
}

// visit is a planned stay in the room.
type visit struct {
	intended, dueFrom time.Time
	due               []scenarios.Due
	publish           []scenarios.Published
	again             bool // not the first
}

func (b *Bot) enter(ctx context.Context, v visit) error {
	s := newStay(b, v)
	b.mu.Lock()
	if b.stay != nil {
		b.mu.Unlock()
		return failure(KindGenerator, errors.New("already in the room"))
	}
	b.stay = s
	b.mu.Unlock()

	b.tally.started(v, time.Now())
	deadline := v.dueFrom.Add(b.c.JoinTimeout)
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	err := s.join(limited)
	if err != nil && ctx.Err() != nil {
		return context.Canceled // the run ended; that says nothing about the join
	}
	if errors.Is(err, errLeft) {
		b.tally.left()
		return context.Canceled // as planned
	}
	b.tally.joined(s, err)
	return err
}

// current is the stay in progress, nil when the bot is outside.
func (b *Bot) current() *stay {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stay
}

// take ends the stay in progress as far as the bot is concerned and returns it.
func (b *Bot) take() *stay {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stay
	b.stay = nil
	return s
}

// Leave says goodbye and closes everything the stay opened. It does nothing outside.
func (b *Bot) Leave(ctx context.Context) error {
	s := b.take()
	if s == nil {
		return nil
	}
	return s.leave(ctx)
}

// Drop vanishes without a goodbye: sockets first, as a crash would.
func (b *Bot) Drop() error {
	s := b.take()
	if s == nil {
		return nil
	}
	return s.drop()
}

// StartWindow begins the measured window: what was counted before does not count.
func (b *Bot) StartWindow(now time.Time) {
	b.mu.Lock()
	b.window = now
	s := b.stay
	b.mu.Unlock()
	b.tally.startWindow(now, b.c.Host.Link().Traffic())
	if s != nil {
		s.startWindow(now)
	}
}

// EndWindow ends the measured window. It tells what is wrong with the peer at that moment: nil, or
// an error that KindOf classifies. Packets that are being repaired are still waited for: the
// figures are final once Settled.
func (b *Bot) EndWindow(now time.Time) error {
	b.mu.Lock()
	if b.window.IsZero() || b.ended {
		b.mu.Unlock()
		return nil
	}
	b.ended = true
	s := b.stay
	b.mu.Unlock()
	b.tally.endWindow(now, b.c.Host.Link().Traffic())
	var err error
	if s != nil {
		err = s.endWindow(now)
	}
	if err != nil {
		b.tally.lost(now, err)
	}
	return err
}

// Settled tells whether every packet of the measured window has arrived or is given up.
func (b *Bot) Settled() bool {
	s := b.current()
	return s == nil || s.settled()
}

// inWindow tells when the window began, and whether it is open.
func (b *Bot) inWindow() (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.window, !b.window.IsZero() && !b.ended
}

// Expect tells the bot that a stream's tracks of a kind are meant to arrive or not: a muted track
// is not frozen. An empty kind means both.
func (b *Bot) Expect(stream, kind string, on bool, now time.Time) {
	if s := b.current(); s != nil {
		s.expect(stream, kind, on, now)
	}
}

// Loss is how many packets of the received tracks never came, and how many should have, so far.
func (b *Bot) Loss() (lost, expected uint64) { return b.tally.loss() }

// EndRecording has the bot measure no more. It precedes the goodbye of a whole cell, in which peers
// go in an order that is chance.
func (b *Bot) EndRecording() { b.tally.end() }

// Recording is everything the bot measured, once its window is over and it has left.
func (b *Bot) Recording() *Recording { return b.tally.recording() }

// Measure is what the bot would report if its window ended now.
func (b *Bot) Measure(now time.Time) *metrics.Set {
	set := b.tally.snapshot(now, b.c.Host.Link().Traffic())
	if s := b.current(); s != nil {
		s.measure(now, set)
	}
	return set
}
