package turnserver

import (
	"net"
	"sync"

	"github.com/pion/turn/v4"
)

// owner is a user as quotas see it: a REST user keeps its quota over all its credentials.
type owner struct {
	name   string
	static bool
}

// source is a client's transport address.
type source struct{ network, addr string }

func sourceOf(a net.Addr) source { return source{a.Network(), a.String()} }

// quota counts allocations. pion/turn asks before it makes one and tells afterwards; in between
// the place is reserved, so that clients asking at the same moment cannot pass together.
type quota struct {
	perOwner, total int
	keys            *keyring
	running         *sync.WaitGroup // holds one for every allocation

	mu       sync.Mutex // guards what follows
	owned    map[owner]int
	reserved map[source]owner
	now      int // reservations included
	made     uint64
	refused  uint64
}

func newQuota(cfg Config, keys *keyring, running *sync.WaitGroup) *quota {
	return &quota{
		perOwner: cfg.PeerQuota, total: cfg.TotalQuota, keys: keys, running: running,
		owned: map[owner]int{}, reserved: map[source]owner{},
	}
}

// reserve is pion/turn's QuotaHandler; false is answered with 486. Either created or failed
// follows for the same source, before the source's next request is looked at.
func (q *quota) reserve(username, _ string, from net.Addr) bool {
	o := q.keys.owner(username)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.now >= q.total || q.owned[o] >= q.perOwner {
		q.refused++
		return false
	}
	q.owned[o]++
	q.now++
	q.reserved[sourceOf(from)] = o
	return true
}

func (q *quota) events() turn.EventHandler {
	return turn.EventHandler{
		OnAuth: func(_, _ net.Addr, _, _, _, _ string, ok bool) {
			if !ok {
				q.keys.refused.Add(1)
			}
		},
		OnAllocationCreated: func(from, _ net.Addr, _, _, _ string, _ net.Addr, _ int) { q.created(from) },
		OnAllocationDeleted: func(_, _ net.Addr, _, username, _ string) { q.deleted(username) },
		OnAllocationError:   func(from, _ net.Addr, _, _ string) { q.failed(from) },
	}
}

func (q *quota) created(from net.Addr) {
	q.running.Add(1)
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.reserved, sourceOf(from))
	q.made++
}

// failed hears of every request that ends in an error, not only of Allocate.
func (q *quota) failed(from net.Addr) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.reserved) == 0 {
		return
	}
	if o, ok := q.reserved[sourceOf(from)]; ok {
		delete(q.reserved, sourceOf(from))
		q.release(o)
	}
}

func (q *quota) deleted(username string) {
	q.mu.Lock()
	q.release(q.keys.owner(username))
	q.mu.Unlock()
	q.running.Done()
}

func (q *quota) release(o owner) {
	q.now--
	if q.owned[o]--; q.owned[o] <= 0 {
		delete(q.owned, o)
	}
}
