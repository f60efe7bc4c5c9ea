package sfu

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// room is who publishes and who watches in one place.
type room struct {
	name    string
	members int // guarded by the SFU's lock

	mu       sync.Mutex // guards what follows
	streams  map[string]*ingress
	sources  []*source
	watchers atomic.Pointer[[]*egress] // replaced, never changed
}

func newRoom(name string) *room {
	r := &room{name: name, streams: map[string]*ingress{}}
	r.watchers.Store(&[]*egress{})
	return r
}

// claim reserves a stream's name.
func (r *room) claim(stream string, in *ingress) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams[stream] != nil {
		return false
	}
	r.streams[stream] = in
	return true
}

// announce makes sources visible to the viewers, all at once so that one offer carries them.
func (r *room) announce(sources []*source) {
	r.mu.Lock()
	for _, s := range sources {
		if !slices.Contains(r.sources, s) {
			r.sources = append(r.sources, s)
		}
	}
	// By name, so that which of two streams that begin at one instant was faster does not show.
	slices.SortStableFunc(r.sources, func(a, b *source) int { return strings.Compare(a.in.p.Stream, b.in.p.Stream) })
	r.mu.Unlock()
	r.wake()
}

// withdraw takes a stream's sources from the viewers.
func (r *room) withdraw(in *ingress) {
	r.mu.Lock()
	before := len(r.sources)
	r.sources = slices.DeleteFunc(r.sources, func(s *source) bool { return s.in == in })
	changed := len(r.sources) != before
	r.mu.Unlock()
	if changed {
		r.wake()
	}
}

// free gives a stream's name back.
func (r *room) free(stream string, in *ingress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.streams[stream] == in {
		delete(r.streams, stream)
	}
}

// visible lists what a viewer is to be sent.
func (r *room) visible(exclude string) []*source {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*source, 0, len(r.sources))
	for _, s := range r.sources {
		if s.in.p.Stream != exclude {
			out = append(out, s)
		}
	}
	return out
}

func (r *room) watch(e *egress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := append(slices.Clone(*r.watchers.Load()), e)
	r.watchers.Store(&fresh)
}

func (r *room) unwatch(e *egress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := slices.DeleteFunc(slices.Clone(*r.watchers.Load()), func(o *egress) bool { return o == e })
	r.watchers.Store(&fresh)
}

func (r *room) wake() {
	for _, e := range *r.watchers.Load() {
		notify(e.wake)
	}
}

// notify signals a channel of capacity one; a signal that waits there already is enough.
func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
