package signalingtest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

var errClosed = errors.New("closed")

// Conference is a signaling.Conference without media: a stream starts with its first answer, a
// viewing with its first one, and every viewer is offered what comes and goes, one offer at a
// time. Close ends it.
type Conference struct {
	// Delay is how long an answer to a publisher takes; set it before use.
	Delay time.Duration

	work sync.WaitGroup

	mu     sync.Mutex // guards what follows, and the fields of ingresses and egresses
	closed bool
	wake   chan struct{}
	events []func()
	ins    []*ingress
	outs   []*egress
	log    []string
}

var _ signaling.Conference = (*Conference)(nil)

// NewConference starts an empty conference.
func NewConference() *Conference {
	c := &Conference{wake: make(chan struct{}, 1)}
	c.work.Go(c.run)
	return c
}

// run makes all callbacks, in order.
func (c *Conference) run() {
	for {
		c.mu.Lock()
		events, closed := c.events, c.closed
		c.events = nil
		c.mu.Unlock()
		for _, f := range events {
			f()
		}
		if len(events) > 0 {
			continue
		}
		if closed {
			return
		}
		<-c.wake
	}
}

// later has a callback made; c.mu is held.
func (c *Conference) later(f func()) {
	c.events = append(c.events, f)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Conference) note(words string) { c.log = append(c.log, words) }

// Log is what has happened, in words, since the last call.
func (c *Conference) Log() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log
	c.log = nil
	return log
}

// Fail ends a published stream as if its connection were lost.
func (c *Conference) Fail(room, stream string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, in := range c.ins {
		if in.p.Room == room && in.p.Stream == stream && !in.closed {
			in.started = false
			c.changed(room)
			c.later(func() { in.p.Ended(cause) })
		}
	}
}

// FailViewer ends a viewing as if its connection were lost.
func (c *Conference) FailViewer(room, viewer string, cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, out := range c.outs {
		if out.v.Room == room && out.v.Viewer == viewer && !out.closed {
			c.later(func() { out.v.Ended(cause) })
		}
	}
}

// Publish implements signaling.Conference.
func (c *Conference) Publish(p signaling.Publication) (signaling.Ingress, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	for _, in := range c.ins {
		if in.p.Room == p.Room && in.p.Stream == p.Stream && !in.closed {
			return nil, errors.New("stream is there already")
		}
	}
	in := &ingress{c: c, p: p}
	c.ins = append(c.ins, in)
	c.note("publish " + p.Room + " " + p.Stream)
	return in, nil
}

// Play implements signaling.Conference.
func (c *Conference) Play(v signaling.Viewing) (signaling.Egress, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	out := &egress{c: c, v: v}
	c.outs = append(c.outs, out)
	c.note("play " + v.Room + " " + v.Viewer)
	out.offer()
	return out, nil
}

// Close implements signaling.Conference.
func (c *Conference) Close() error {
	c.mu.Lock()
	c.closed = true
	c.later(func() {})
	c.mu.Unlock()
	c.work.Wait()
	return nil
}

// changed offers anew to a room's viewers; c.mu is held.
func (c *Conference) changed(room string) {
	for _, out := range c.outs {
		if out.v.Room == room && !out.closed {
			out.offer()
		}
	}
}

type ingress struct {
	c               *Conference
	p               signaling.Publication
	answers         int
	started, closed bool
}

func (in *ingress) Answer(ctx context.Context, offer string) (string, error) {
	if in.c.Delay > 0 {
		timer := time.NewTimer(in.c.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	if in.closed {
		return "", errClosed
	}
	if offer == "bad" {
		return "", errors.New("not a session description")
	}
	in.answers++
	in.c.note("answer " + in.p.Stream + " " + strconv.Itoa(in.answers))
	if !in.started {
		in.started = true
		in.c.later(in.p.Started)
		in.c.changed(in.p.Room)
	}
	return offer, nil
}

func (in *ingress) AddCandidate(c signaling.Candidate) error {
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	in.c.note("candidate " + in.p.Stream + " " + c.Candidate)
	return nil
}

func (in *ingress) Info() signaling.StreamInfo {
	return signaling.StreamInfo{Width: 640, Height: 360, VideoCodec: "VP8", VideoBPS: 500_000, AudioBPS: 32_000}
}

func (in *ingress) Close() error {
	in.c.mu.Lock()
	defer in.c.mu.Unlock()
	if !in.closed {
		in.closed, in.started = true, false
		in.c.note("unpublish " + in.p.Room + " " + in.p.Stream)
		in.c.ins = slices.DeleteFunc(in.c.ins, func(o *ingress) bool { return o == in })
		in.c.changed(in.p.Room)
	}
	return nil
}

type egress struct {
	c                  *Conference
	v                  signaling.Viewing
	labels             map[string]string // of the last offer
	open, once, closed bool
}

// offer makes an offer unless one is open or nothing has changed; c.mu is held.
func (out *egress) offer() {
	if out.open {
		return
	}
	kinds, labels := []string{"application"}, map[string]string{}
	for _, in := range out.c.ins {
		if in.p.Room != out.v.Room || in.p.Stream == out.v.Exclude || !in.started {
			continue
		}
		for _, kind := range []string{"audio", "video"} {
			labels[strconv.Itoa(len(kinds))] = out.v.Label(in.p.Stream, kind)
			kinds = append(kinds, kind)
		}
	}
	if out.labels != nil && maps.Equal(out.labels, labels) {
		return
	}
	out.open, out.labels = true, labels
	out.c.later(func() { out.v.Offer(SDP(kinds...), labels) })
}

func (out *egress) Answer(_ context.Context, sdp string) error {
	out.c.mu.Lock()
	defer out.c.mu.Unlock()
	if sdp == "bad" || !out.open {
		return errors.New("no offer, or no answer to it")
	}
	out.open = false
	if !out.once {
		out.once = true
		out.c.later(out.v.Started)
	}
	out.offer()
	return nil
}

func (out *egress) Notify(text string) {
	out.c.mu.Lock()
	defer out.c.mu.Unlock()
	out.c.note("notify " + out.v.Viewer + " " + text)
}

func (out *egress) AddCandidate(c signaling.Candidate) error {
	out.c.mu.Lock()
	defer out.c.mu.Unlock()
	out.c.note("candidate " + out.v.Viewer + " " + c.Candidate)
	return nil
}

func (out *egress) Enable(stream, kind string, on bool) {
	out.c.mu.Lock()
	defer out.c.mu.Unlock()
	out.c.note("enable " + out.v.Viewer + " " + stream + " " + kind + " " + strconv.FormatBool(on))
}

func (out *egress) Close() error {
	out.c.mu.Lock()
	defer out.c.mu.Unlock()
	if !out.closed {
		out.closed = true
		out.c.note("unplay " + out.v.Room + " " + out.v.Viewer)
		out.c.outs = slices.DeleteFunc(out.c.outs, func(o *egress) bool { return o == out })
	}
	return nil
}
