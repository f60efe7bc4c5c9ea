package clock

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Reasons why a function in virtual time did not come to its own end.
var (
	// ErrPanic is a panic of the function's own goroutine. One in a goroutine it started ends the
	// process, as always in Go.
	ErrPanic = errors.New("panic in virtual time")
	// ErrDeadlock means that every goroutine waited for another, or that some still waited when
	// the function had returned.
	ErrDeadlock = errors.New("deadlock in virtual time")
	// ErrStuck means that time could not pass, since a goroutine waited for something outside
	// virtual time: a socket, a lock that is held over a wait, a channel made elsewhere. What the
	// function had started is left behind.
	ErrStuck = errors.New("virtual time stands still")
	// ErrEndless means that the function went on past Options.Limit.
	ErrEndless = errors.New("virtual time has no end")
)

// Options shape virtual time. The zero value works.
type Options struct {
	Epoch time.Time     // when time begins; zero: 2026-01-01 00:00 UTC
	Limit time.Duration // of virtual time, after which the context ends with ErrEndless; 0: 24 h
	// StuckAfter is how long time may stand still, in real time, before the function is given up
	// with ErrStuck; 0: 5 s. Work that is being done does not count, up to ten times as long.
	StuckAfter time.Duration
}

func (o Options) withDefaults() Options {
	if o.Epoch.IsZero() {
		o.Epoch = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.Limit <= 0 {
		o.Limit = 24 * time.Hour
	}
	if o.StuckAfter <= 0 {
		o.StuckAfter = 5 * time.Second
	}
	return o
}

// The grain of what virtual time and the outside tell each other.
const (
	poll  = 50 * time.Millisecond  // virtual: how soon an end of the outer context is seen
	look  = 100 * time.Millisecond // real: how often time is looked at
	grace = 5 * time.Minute        // virtual: what the function has for its end after Limit
)

// Settle waits until every other goroutine of the caller's virtual time waits for something, and
// lets no time pass. One goroutine at a time may call it. Outside virtual time it panics.
func Settle() { synctest.Wait() }

// Virtual runs f in virtual time and returns what f returns, or one of the errors above. Time
// passes only while every goroutine that f has started waits, and then at once: the calls of
// package time take no real time. Nothing that f uses may wait for anything outside: no sockets,
// no files being waited for, no channels, timers or WaitGroups made before. Every goroutine that f
// starts has to have ended when f returns.
//
// The context f gets has the values of ctx. When ctx ends it ends too, within 50 ms of virtual
// time; it has no deadline of ctx's, which would be real time. f must not use ctx itself.
//
// Several calls may go on at once, each with a time of its own.
func Virtual(ctx context.Context, o Options, f func(ctx context.Context) error) error {
	b := &bubble{options: o.withDefaults(), outer: ctx, result: make(chan error, 1)}
	//nolint:contextcheck // virtual time has a context of its own: ctx's channel is none of its channels
	go b.run(f) // ends with f; is left behind if time stands still, which nothing can end
	return b.watch()
}

// bubble is one virtual time, seen from both sides.
type bubble struct {
	options   Options
	outer     context.Context //nolint:containedctx // for its values and its end, seen from outside
	result    chan error
	now       atomic.Int64 // virtual, Unix ns; 0 before it begins
	cancelled atomic.Bool
	label     atomic.Pointer[string] // of the bubble's goroutines in a stack trace
}

func (b *bubble) run(f func(ctx context.Context) error) {
	var err error
	defer func() {
		if r := recover(); r != nil { // of synctest itself
			err = errors.Join(err, fmt.Errorf("%w: %v", ErrDeadlock, r))
		}
		b.result <- err
	}()
	// A test in an ordinary program: the T is never touched, and must not be (see the tests).
	synctest.Test(&testing.T{}, func(*testing.T) { err = b.inside(f) })
}

// inside is the root of virtual time.
func (b *bubble) inside(f func(ctx context.Context) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", ErrPanic, r, debug.Stack())
		}
	}()
	b.label.Store(ownLabel())
	time.Sleep(time.Until(b.options.Epoch))
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(b.outer))
	defer cancel(nil)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		b.poll(cancel, done)
	}()
	defer func() {
		close(done)
		<-ended
	}()
	err = f(ctx)
	if errors.Is(context.Cause(ctx), ErrEndless) {
		err = errors.Join(err, fmt.Errorf("%w: still going after %v", ErrEndless, b.options.Limit))
	}
	return err
}

// poll tells the outside what time it is, and the inside what has happened outside. Some time
// after Limit it ends, so that what never ends is found out as a deadlock or runs no further.
func (b *bubble) poll(cancel context.CancelCauseFunc, done <-chan struct{}) {
	start := time.Now()
	b.now.Store(start.UnixNano())
	t := time.NewTicker(poll)
	defer t.Stop()
	for {
		select {
		case <-done:
			return
		case now := <-t.C:
			b.now.Store(now.UnixNano())
			if b.cancelled.Load() {
				cancel(context.Canceled)
			}
			if over := now.Sub(start) - b.options.Limit; over >= 0 {
				cancel(ErrEndless)
				if over > grace {
					b.now.Store(-1)
					return
				}
			}
		}
	}
}
