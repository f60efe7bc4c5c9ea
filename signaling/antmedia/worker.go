package antmedia

import (
	"context"
	"io"
	"time"
)

const (
	taskQueue     = 256
	answerTimeout = 10 * time.Second
)

// worker does the slow things of one session in order, so that they hold up neither the
// socket's reader nor another session. Its media is opened, used and closed by one goroutine.
type worker[T io.Closer] struct {
	tasks  chan func(ctx context.Context, media T)
	cancel context.CancelFunc
	turn   <-chan struct{} // closed when the socket's session before has opened its media
	open   chan struct{}   // closed when this one has, or has not
	done   chan struct{}   // closed when the media is closed
	ended  bool            // guarded by the server's mutex
}

// newWorker makes a worker that opens its media after the last one of the same socket.
func newWorker[T io.Closer](c *client) *worker[T] {
	w := &worker[T]{
		tasks: make(chan func(context.Context, T), taskQueue), turn: c.turn,
		open: make(chan struct{}), done: make(chan struct{}),
	}
	c.turn = w.open
	return w
}

// add queues a task and tells whether there was room.
func (w *worker[T]) add(task func(ctx context.Context, media T)) bool {
	select {
	case w.tasks <- task:
		return true
	default:
		return false
	}
}

// run opens the media and serves the tasks until ctx ends. opened runs once, before the first
// task.
func (w *worker[T]) run(ctx context.Context, before <-chan struct{}, open func() (T, error), opened func(media T)) error {
	defer close(w.done)
	media, ok, err := w.begin(ctx, before, open, opened)
	if !ok || err != nil {
		return err
	}
	for {
		select {
		case task := <-w.tasks:
			if ctx.Err() == nil {
				task(ctx, media)
			}
		case <-ctx.Done():
			return media.Close()
		}
	}
}

// begin opens the media once the sessions before it have: the last of the same socket opened its
// own, so that one socket's answers come in the order of its commands, and the last of the same
// name closed its own. ok tells whether ctx left time for it.
func (w *worker[T]) begin(
	ctx context.Context, before <-chan struct{}, open func() (T, error), opened func(media T),
) (media T, ok bool, err error) {
	defer close(w.open)
	if w.turn != nil {
		<-w.turn // the others only open meanwhile, or wait for media to close
		w.turn = nil
	}
	if before != nil {
		select {
		case <-before:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return media, false, nil
	}
	if media, err = open(); err != nil {
		return media, false, err
	}
	opened(media)
	return media, true, nil
}

// within bounds one call into the media.
func within(ctx context.Context, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return f(ctx)
}
