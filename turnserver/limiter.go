package turnserver

import (
	"net/netip"
	"sync"
	"time"
)

// limiterBuckets bounds a limiter's memory, whatever the number of (forged) sources. Sources that
// fall into one bucket share its rate.
const limiterBuckets = 4096

// limiter holds each source to a rate, with a burst of one second.
type limiter struct {
	rate float64 // per second
	seed uint64  // unknown to clients, so that nobody can aim at another's bucket

	mu      sync.Mutex // guards buckets
	buckets [limiterBuckets]bucket
}

type bucket struct {
	tokens float64
	filled time.Time
}

func newLimiter(rate int, seed uint64) *limiter { return &limiter{rate: float64(rate), seed: seed} }

// take uses up one token of the source's bucket, if there is one.
func (l *limiter) take(now time.Time, from netip.AddrPort) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := &l.buckets[l.index(from)]
	if b.filled.IsZero() {
		b.tokens = l.rate
	} else {
		b.tokens = min(l.rate, b.tokens+l.rate*now.Sub(b.filled).Seconds())
	}
	b.filled = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// index hashes a source (FNV-1a, keyed). A source is an address without its port, since a forger
// can vary that; but on loopback, where a whole fleet has one address and nothing can be forged
// from outside, every socket is a source of its own.
func (l *limiter) index(from netip.AddrPort) int {
	const prime = 1099511628211
	h := l.seed ^ 14695981039346656037
	ip := from.Addr().As16()
	for _, b := range ip {
		h = (h ^ uint64(b)) * prime
	}
	if from.Addr().IsLoopback() {
		h = (h ^ uint64(from.Port()&0xff)) * prime
		h = (h ^ uint64(from.Port()>>8)) * prime
	}
	h ^= h >> 32
	return int(h % limiterBuckets)
}
