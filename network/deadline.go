package network

import (
	"os"
	"sync"
	"time"
)

// deadline is a point in time that waiting calls select on: its channel closes when the time has
// come. The zero value never comes.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	gone  chan struct{} // nil until somebody asks or sets
}

// set moves the deadline; calls that wait see the new one. The zero time means never.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil && !d.timer.Stop() {
		<-d.gone // the timer's function has closed it or is about to
	}
	d.timer = nil
	over := isClosed(d.gone)
	if d.gone == nil || over && (t.IsZero() || time.Until(t) > 0) {
		d.gone = make(chan struct{})
		over = false
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait > 0:
		gone := d.gone
		d.timer = time.AfterFunc(wait, func() { close(gone) })
	case !over:
		close(d.gone)
	}
}

// done returns a channel that closes at the deadline.
func (d *deadline) done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gone == nil {
		d.gone = make(chan struct{})
	}
	return d.gone
}

// stop frees the timer.
func (d *deadline) stop() { d.set(time.Time{}) }

func isClosed(c <-chan struct{}) bool {
	if c == nil {
		return false
	}
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// errTimeout is what calls return after their deadline, as package net has it.
func errTimeout() error { return os.ErrDeadlineExceeded }
