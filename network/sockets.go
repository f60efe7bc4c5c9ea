package network

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/nat"
)

// SocketsConfig says which of the machine's addresses hosts use. Its zero value is right for a
// run that stays on this machine.
type SocketsConfig struct {
	// External gives hosts the machine's own interfaces. Otherwise their only interface is the
	// loopback one with 127.0.0.1, and sockets bound to no address in particular are bound to it.
	External bool
	// Logger is told of packets that the kernel would not take. Nil discards.
	Logger *slog.Logger
}

// Sockets is a network of real sockets. Hosts share the machine's addresses; each has an access
// link of its own, which its sockets pass every packet through. It is safe for concurrent use.
type Sockets struct {
	external  bool
	log       *slog.Logger
	scheduler *scheduler
	pool      *datagrams
	batches   sync.Pool // of *batch
	overflows atomic.Uint64
	open      atomic.Int64

	mu     sync.Mutex
	hosts  map[*socketHost]struct{}
	closed bool
}

var _ Network = (*Sockets)(nil)

// NewSockets starts the network's one goroutine, which hands on every delayed packet; Close ends
// it.
func NewSockets(c SocketsConfig) *Sockets {
	log := c.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pool := newDatagrams()
	return &Sockets{
		external: c.External, log: log, pool: pool, scheduler: newScheduler(pool, nil),
		hosts: map[*socketHost]struct{}{},
	}
}

// Attach adds a host. NATs need the simulated network and are refused here, as is a profile that a
// link could not honour. With the firewall tls-443-only every port of a loopback address counts as
// 443, since servers share those addresses.
func (s *Sockets) Attach(spec HostSpec) (Host, error) {
	var errs []error
	if k := spec.Gateway.NAT.Kind; k != "" && k != nat.None {
		errs = append(errs, fmt.Errorf("nat %q needs the simulated network", k))
	}
	if err := checkFirewall(spec.Firewall); err != nil {
		errs = append(errs, err)
	}
	if err := spec.Up.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("up: %w", err))
	}
	if err := spec.Down.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("down: %w", err))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("attach %q: %w", spec.Name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("attach %q: %w", spec.Name, net.ErrClosed)
	}
	h := newSocketHost(s, spec)
	s.hosts[h] = struct{}{}
	return h, nil
}

// Lateness is how much later than due delayed packets were handed on, in µs, over the whole
// network. The histogram is the caller's.
func (s *Sockets) Lateness() *metrics.Hist { return s.scheduler.latenessCopy() }

// Overflows is how many packets were dropped because a program did not read its socket, or were
// too long for a datagram buffer: losses that no link stands for.
func (s *Sockets) Overflows() uint64 { return s.overflows.Load() }

// SocketCount is how many UDP sockets, streams and listeners are open.
func (s *Sockets) SocketCount() int { return int(s.open.Load()) }

// Close closes every host and discards packets under way. It waits for everything the network
// started and is idempotent.
func (s *Sockets) Close() error {
	s.mu.Lock()
	s.closed = true
	hosts := make([]*socketHost, 0, len(s.hosts))
	for h := range s.hosts {
		hosts = append(hosts, h)
	}
	s.mu.Unlock()
	errs := make([]error, len(hosts))
	var closing sync.WaitGroup
	for i, h := range hosts {
		closing.Go(func() { errs[i] = h.Close() })
	}
	closing.Wait()
	s.scheduler.close()
	return errors.Join(errs...)
}

func (s *Sockets) forget(h *socketHost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.hosts, h)
}

// later has the scheduler hand a datagram to a receiver.
func (s *Sockets) later(p *datagram, to receiver, due time.Time) {
	p.to, p.due = to, due
	s.scheduler.add(p)
}

// copy is a duplicate of a datagram; it has no account.
func (s *Sockets) copy(p *datagram) *datagram {
	q := s.pool.get(len(p.buf))
	copy(q.buf, p.buf)
	q.addr = p.addr
	return q
}
