package nat

import (
	"net/netip"
	"time"
)

// binding is a mapping with the far ends that may use it from outside. They live as long as it.
type binding struct {
	key     insideKey
	port    uint16
	expires time.Time
	allowed farEnds

	before, after *binding // in the queue of its protocol
}

// farEnds are far ends as far as filtering looks at them. Most mappings have one, which takes no
// map.
type farEnds struct {
	count int
	first netip.AddrPort
	more  map[netip.AddrPort]struct{}
}

func (b *binding) permits(far netip.AddrPort) bool {
	if b.allowed.count > 0 && b.allowed.first == far {
		return true
	}
	_, ok := b.allowed.more[far]
	return ok
}

// permit adds a far end that is not there yet.
func (b *binding) permit(far netip.AddrPort) {
	if b.allowed.count++; b.allowed.count == 1 {
		b.allowed.first = far
		return
	}
	if b.allowed.more == nil {
		b.allowed.more = map[netip.AddrPort]struct{}{}
	}
	b.allowed.more[far] = struct{}{}
}

// queue holds the bindings of one protocol by when they end. They all live equally long after a
// packet, and time does not go backwards, so that a refreshed one belongs at the end: neither
// timers nor sorting are needed.
type queue struct{ first, last *binding }

func (q *queue) toEnd(b *binding) {
	if q.last == b {
		return
	}
	q.remove(b)
	b.before = q.last
	if q.last != nil {
		q.last.after = b
	} else {
		q.first = b
	}
	q.last = b
}

// remove takes a binding out. It does nothing to one that is not in.
func (q *queue) remove(b *binding) {
	if b.before != nil {
		b.before.after = b.after
	} else if q.first == b {
		q.first = b.after
	}
	if b.after != nil {
		b.after.before = b.before
	} else if q.last == b {
		q.last = b.before
	}
	b.before, b.after = nil, nil
}

// bind makes a mapping that permits nobody yet, or returns nil if no port is left.
func (t *Translator) bind(key insideKey) *binding {
	port, ok := t.ports.choose(key.protocol, key.from.Port())
	if !ok {
		return nil
	}
	b := &binding{key: key, port: port}
	t.inside[key] = b
	t.ports.take(b)
	return b
}

// advance moves time on and forgets the mappings that have ended. Each is forgotten once, which
// keeps the cost of a packet constant on average.
func (t *Translator) advance(now time.Time) {
	if now.After(t.now) {
		t.now = now
	}
	for p := range t.idle {
		for b := t.idle[p].first; b != nil && !t.now.Before(b.expires); b = t.idle[p].first {
			t.idle[p].remove(b)
			delete(t.inside, b.key)
			t.ports.release(b)
			t.permissions -= b.allowed.count
		}
	}
}
