package bots

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerfleet/peerfleet/scenarios"
)

// Do carries out a planned action whose time has come. at is its intended time. A peer whose action
// fails has failed: not everything planned was done.
func (b *Bot) Do(ctx context.Context, a scenarios.Action, at time.Time) error {
	err := b.do(ctx, a, at)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%s: %w", a.Kind, err)
	if ctx.Err() == nil {
		b.tally.event(time.Now(), string(a.Kind)+"-failed", err.Error())
		if a.Kind != scenarios.Rejoin { // whose join has recorded its own failure
			b.tally.lost(time.Now(), classified(err))
		}
	}
	return err
}

func (b *Bot) do(ctx context.Context, a scenarios.Action, at time.Time) error {
	b.tally.event(time.Now(), string(a.Kind), detail(a))
	s := b.current()
	if s == nil && a.Kind != scenarios.Rejoin && a.Kind != scenarios.SwitchLink {
		return errors.New("not in the room")
	}
	switch a.Kind {
	case scenarios.Mute, scenarios.Unmute:
		o := s.publishing(a.Track)
		if o == nil {
			return fmt.Errorf("no %s is published", a.Track)
		}
		o.mute(a.Track, a.Kind == scenarios.Mute)
	case scenarios.Publish:
		return s.publish(ctx, a.Publish, len(b.c.Peer.Publish)+1)
	case scenarios.Unpublish:
		return s.unpublish(ctx, a.Publish.ID)
	case scenarios.SwitchLink:
		b.disturb(s)
		b.c.Host.Link().Set(a.Up, a.Down)
	case scenarios.Leave:
		return b.Leave(ctx)
	case scenarios.Drop:
		return b.Drop()
	case scenarios.Rejoin:
		return b.enter(ctx, visit{intended: at, dueFrom: at, due: a.Due, publish: b.c.Peer.Publish, again: true})
	case scenarios.ICERestart:
		b.disturb(s)
		session, err := s.inRoom()
		if err != nil {
			return err
		}
		return session.RestartICE(ctx)
	default:
		return fmt.Errorf("unknown action %q", a.Kind)
	}
	return nil
}

// disturb starts measuring the outage of every track that arrives now.
func (b *Bot) disturb(s *stay) {
	if s == nil {
		return
	}
	s.mu.Lock()
	inputs := s.inputs
	s.mu.Unlock()
	for _, in := range inputs {
		in.disturb()
	}
}

func detail(a scenarios.Action) string {
	switch a.Kind {
	case scenarios.Mute, scenarios.Unmute:
		return a.Track
	case scenarios.Publish, scenarios.Unpublish:
		return a.Publish.Media
	case scenarios.SwitchLink:
		return a.Link
	}
	return ""
}
