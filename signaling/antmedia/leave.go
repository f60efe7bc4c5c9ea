package antmedia

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errUnclosed = errors.New("connections have not closed in time")

// Leave stops and leaves every ID, waits at most a second for the service to confirm, closes
// the connections, and then the socket with a close frame. After a session that ended by itself
// it returns why.
func (s *session) Leave(ctx context.Context) error {
	if err := s.leave(ctx); err != nil && !errors.Is(err, ErrSessionEnded) {
		return fmt.Errorf("leave room %q: %w", s.peer.Room, err)
	}
	return nil
}

func (s *session) leave(ctx context.Context) error {
	parted := make(chan struct{}, 1)
	if err := s.do(ctx, func(context.Context) error { s.part(parted); return nil }); err != nil {
		s.end(nil, false)
		return errors.Join(err, s.closed(leaveTimeout))
	}
	wait(ctx.Done(), leaveTimeout, parted, s.done)
	var links []*link
	err := s.do(ctx, func(context.Context) error {
		for _, id := range inOrder(s.last) {
			links = append(links, s.last[id])
			s.drop(id)
		}
		return nil
	})
	closing, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	for _, l := range links {
		wait(closing.Done(), leaveTimeout, l.gone, s.done)
	}
	s.mu.Lock()
	s.parting = true
	s.mu.Unlock()
	s.socket.finish()
	wait(ctx.Done(), 2*leaveTimeout, s.socket.killed, s.done)
	s.end(nil, false)
	return errors.Join(err, s.closed(leaveTimeout))
}

// wait waits for either event, but not long, and not once stop is closed.
func wait(stop <-chan struct{}, limit time.Duration, event, end <-chan struct{}) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-event:
	case <-end:
	case <-stop:
	case <-timer.C:
	}
}

// closed waits for the session's goroutines. Only a connection that does not close holds them
// up.
func (s *session) closed(limit time.Duration) error {
	wait(nil, limit, s.done, s.done)
	select {
	case <-s.done:
		return nil
	default:
		return errUnclosed
	}
}

// part says goodbye for every ID.
func (s *session) part(parted chan<- struct{}) {
	s.left, s.parted = true, parted
	s.play.cancel()
	switch {
	case s.conference():
		for _, stream := range s.streams {
			s.say(cmdStop, stream.ID)
		}
		if s.play.asked {
			s.say(cmdStop, s.peer.Room)
		}
	case s.pairwise():
		for _, id := range inOrder(s.pairs) {
			s.say(cmdLeave, id)
		}
	default:
		s.say(cmdLeave, s.peer.Room)
	}
	s.confirm("")
}

func (s *session) say(command, id string) {
	s.unparted[id] = true
	s.send(object{"command": command, "streamId": id})
}

// confirm notes that the service has ended an ID.
func (s *session) confirm(id string) {
	delete(s.unparted, id)
	if s.parted != nil && len(s.unparted) == 0 {
		s.parted <- struct{}{}
		s.parted = nil
	}
}
