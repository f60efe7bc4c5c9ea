package network

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
)

// datagram is a packet under way, in a buffer from a pool.
type datagram struct {
	buf  []byte // payload
	addr netip.AddrPort
	to   receiver

	account      *direction // nil for a duplicate, which is not accounted for
	offered, due time.Time
	order        uint64 // among those due at one instant

	transit // of a packet on the simulated network
}

// receiver takes a datagram when its time has come, on the scheduler's goroutine; it must not
// wait. The datagram is the receiver's from then on.
type receiver interface {
	take(p *datagram)
	discard(p *datagram)
}

// Buffers come in two sizes: nearly every datagram fits the path MTU.
const (
	smallDatagram = 2048
	largeDatagram = 65536
)

type datagrams struct{ small, large sync.Pool }

func newDatagrams() *datagrams {
	return &datagrams{
		small: sync.Pool{New: func() any { return &datagram{buf: make([]byte, smallDatagram)} }},
		large: sync.Pool{New: func() any { return &datagram{buf: make([]byte, largeDatagram)} }},
	}
}

// get returns a datagram with n bytes of room.
func (d *datagrams) get(n int) *datagram {
	pool := &d.small
	if n > smallDatagram {
		pool = &d.large
	}
	p := pool.Get().(*datagram)
	p.buf = p.buf[:n]
	return p
}

func (d *datagrams) put(p *datagram) {
	p.to, p.account, p.addr, p.transit = nil, nil, netip.AddrPort{}, transit{}
	p.buf = p.buf[:cap(p.buf)]
	if len(p.buf) > smallDatagram {
		d.large.Put(p)
		return
	}
	d.small.Put(p)
}

// scheduler hands datagrams on when they are due: one goroutine with one timer and a heap for
// the whole network. Senders only append to an inbox, and wake the goroutine only for a packet
// that is due before it would have woken.
//
// With settle set it does so in an order that does not depend on how the machine runs goroutines:
// it acts last at every instant, puts what was sent meanwhile into a canonical order, and hands
// each host one packet at a time, waiting for what the host makes of it before the next.
type scheduler struct {
	pool   *datagrams
	settle func()            // waits until nobody but the caller has anything to do at this instant; nil: not asked for
	served map[*simHost]bool // hosts that were handed a packet since the last settle
	wake   chan struct{}
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once

	mu       sync.Mutex // guards what follows
	inbox    []*datagram
	sleeping time.Time // when the goroutine wakes by itself; zero: at the latest when woken
	awake    bool      // it will look at the inbox anyway
	closed   bool

	statMu   sync.Mutex
	lateness *metrics.Hist

	heap      dueHeap // the goroutine's own, with the next
	sequence  uint64
	postponed []*datagram
}

func newScheduler(pool *datagrams, settle func()) *scheduler {
	s := &scheduler{
		pool: pool, settle: settle, served: map[*simHost]bool{}, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		lateness: metrics.NewHist(),
	}
	go s.run()
	return s
}

// add takes over a datagram whose to and due are set.
func (s *scheduler) add(p *datagram) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		giveUp(p)
		return
	}
	s.inbox = append(s.inbox, p)
	wake := !s.awake && (s.sleeping.IsZero() || p.due.Before(s.sleeping))
	if wake {
		s.awake = true
	}
	s.mu.Unlock()
	if wake {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *scheduler) run() {
	defer close(s.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var spare []*datagram
	for {
		if s.settle != nil {
			s.settle()
		}
		spare = s.collect(spare)
		next := s.deliver()
		if len(s.postponed) > 0 {
			s.restore()
			continue
		}
		if !s.rest(next) {
			continue
		}
		var due <-chan time.Time
		if !next.IsZero() {
			timer.Reset(time.Until(next))
			due = timer.C
		}
		select {
		case <-due:
		case <-s.wake:
		case <-s.stop:
			s.discard()
			return
		}
	}
}

// collect moves the inbox to the heap, leaving the empty spare in its place, and returns the new
// spare.
func (s *scheduler) collect(spare []*datagram) []*datagram {
	s.mu.Lock()
	s.awake = true
	in := s.inbox
	s.inbox = spare[:0]
	s.mu.Unlock()
	if s.settle != nil && len(in) > 0 {
		rankOrigins(in)
		slices.SortStableFunc(in, canonical)
	}
	for i, p := range in {
		if s.settle == nil || !repeatsCheck(in, i) {
			s.push(p)
		}
	}
	clear(in)
	return in
}

// push puts a datagram on the heap, behind those that are due at the same instant. Only the
// goroutine itself may call it.
func (s *scheduler) push(p *datagram) {
	p.order = s.sequence
	s.sequence++
	s.heap.push(p)
}

// deliver hands on everything that is due and returns when the next is; zero for none.
func (s *scheduler) deliver() time.Time {
	if len(s.heap) == 0 {
		return time.Time{}
	}
	now := time.Now()
	for len(s.heap) > 0 {
		p := s.heap[0]
		if p.due.After(now) {
			// A long batch may have made more of them due.
			if now = time.Now(); p.due.After(now) {
				break
			}
		}
		s.heap.pop()
		if s.settle != nil && p.arriving != nil {
			if s.served[p.arriving] {
				s.postponed = append(s.postponed, p)
				continue
			}
			s.served[p.arriving] = true
		}
		if p.account != nil {
			p.account.handedOn(p.offered, p.due, now)
		}
		if p.account != nil || p.sender == nil { // else it was sent or passed on just now, not delayed
			s.statMu.Lock()
			s.lateness.Record(now.Sub(p.due).Microseconds())
			s.statMu.Unlock()
		}
		p.to.take(p)
	}
	clear(s.served)
	if len(s.heap) > 0 {
		return s.heap[0].due
	}
	return time.Time{}
}

// restore puts postponed packets back in their place.
func (s *scheduler) restore() {
	for i, p := range s.postponed {
		s.heap.push(p)
		s.postponed[i] = nil
	}
	s.postponed = s.postponed[:0]
}

// rest announces the time of sleep; false means that more has come in meanwhile.
func (s *scheduler) rest(next time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.inbox) > 0 {
		return false
	}
	s.sleeping, s.awake = next, false
	return true
}

// discard gives up everything under way.
func (s *scheduler) discard() {
	s.collect(nil)
	s.restore()
	for _, p := range s.heap {
		giveUp(p)
	}
	s.heap = nil
}

func giveUp(p *datagram) {
	if p.account != nil {
		p.account.discard()
	}
	p.to.discard(p)
}

func (s *scheduler) latenessCopy() *metrics.Hist {
	s.statMu.Lock()
	defer s.statMu.Unlock()
	h := metrics.NewHist()
	h.Merge(s.lateness)
	return h
}

// close ends the goroutine and waits for it.
func (s *scheduler) close() {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		close(s.stop)
	})
	<-s.done
}

// dueHeap is a binary heap by due time, then by the order of adding.
type dueHeap []*datagram

func (h dueHeap) before(i, j int) bool {
	if h[i].due.Equal(h[j].due) {
		return h[i].order < h[j].order
	}
	return h[i].due.Before(h[j].due)
}

func (h *dueHeap) push(p *datagram) {
	*h = append(*h, p)
	q := *h
	for i := len(q) - 1; i > 0; {
		parent := (i - 1) / 2
		if !q.before(i, parent) {
			break
		}
		q[i], q[parent] = q[parent], q[i]
		i = parent
	}
}

func (h *dueHeap) pop() {
	q := *h
	n := len(q) - 1
	q[0], q[n] = q[n], nil
	q = q[:n]
	*h = q
	for i := 0; ; {
		least := i
		for c := 2*i + 1; c <= 2*i+2 && c < n; c++ {
			if q.before(c, least) {
				least = c
			}
		}
		if least == i {
			return
		}
		q[i], q[least] = q[least], q[i]
		i = least
	}
}
