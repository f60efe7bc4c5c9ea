package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/nat"
)

// SimulatedConfig shapes a simulated network. Its zero value runs on the wall clock.
type SimulatedConfig struct {
	// Settle waits until every goroutine but the caller is waiting for something, without letting
	// time pass. With it equal programs see equal packets in equal order, whatever the machine
	// does. It needs a clock that stands still meanwhile: clock.Settle in virtual time. Nil on the
	// wall clock, where the order is the machine's.
	Settle func()
}

// Simulated is a network inside this process: an internet without delay or loss of its own, hosts
// behind access links, and the NATs and firewalls that their specs name. Nothing leaves the
// process. It is safe for concurrent use.
//
// A public host has an address out of 198.18.0.0/15 and one out of 2001:db8::/64, in the order of
// attaching; a host behind a NAT has one IPv4 address in a local network of its NAT's. A host's
// name in HostSpec is its only name; there is no other.
//
// A packet passes its sender's link upwards, the sender's firewall and NATs, the receiver's NATs,
// and the receiver's link downwards. Datagrams over an MTU of 1500 are sent in fragments, which
// are lost together.
type Simulated struct {
	pool      *datagrams
	scheduler *scheduler
	sightings sightings
	overflows atomic.Uint64
	open      atomic.Int64

	mu     sync.Mutex // guards what follows
	hosts  []*simHost
	names  map[string]*simHost
	roads  map[netip.Addr]endpoint // by public address
	sites  map[string]*site        // by the name that hosts share
	cgns   map[nat.NAT]*carrier
	lans   int // local networks handed out
	public uint32
	closed bool
}

var _ Network = (*Simulated)(nil)

// NewSimulated starts the network's one goroutine, which carries every packet; Close ends it.
func NewSimulated(c SimulatedConfig) *Simulated {
	pool := newDatagrams()
	return &Simulated{
		pool: pool, scheduler: newScheduler(pool, c.Settle), names: map[string]*simHost{},
		roads: map[netip.Addr]endpoint{}, sites: map[string]*site{}, cgns: map[nat.NAT]*carrier{},
	}
}

// Attach adds a host. A name that is taken, a NAT or firewall that there is not, and a profile that a
// link could not honour are refused.
func (s *Simulated) Attach(spec HostSpec) (Host, error) {
	var errs []error
	for _, n := range []nat.NAT{spec.Gateway.NAT, spec.Gateway.Carrier} {
		if n.Kind != "" && !slices.Contains(nat.Kinds(), n.Kind) {
			errs = append(errs, fmt.Errorf("unknown nat %q", n.Kind))
		}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		errs = append(errs, net.ErrClosed)
	}
	if s.names[spec.Name] != nil {
		errs = append(errs, errors.New("the name is taken"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("attach %q: %w", spec.Name, err)
	}
	h := newSimHost(s, spec, len(s.hosts))
	if err := s.place(h, spec); err != nil {
		return nil, fmt.Errorf("attach %q: %w", spec.Name, err)
	}
	s.hosts = append(s.hosts, h)
	s.names[spec.Name] = h
	return h, nil
}

// Lateness is how much later than due packets were handed on, in µs; nothing is late in virtual
// time, which a histogram shows as its floor of 1 µs. The histogram is the caller's.
func (s *Simulated) Lateness() *metrics.Hist { return s.scheduler.latenessCopy() }

// Overflows is how many packets were dropped because a program did not read its socket: losses
// that no link stands for.
func (s *Simulated) Overflows() uint64 { return s.overflows.Load() }

// SocketCount is how many UDP sockets, streams and listeners are open.
func (s *Simulated) SocketCount() int { return int(s.open.Load()) }

// TraceHash sums up every packet so far: when it was sent or arrived, between which hosts, and how
// long it was, in order. Two runs in virtual time with equal hashes were the same to the last
// packet; what packets say, which is encrypted with new keys each time, does not count.
func (s *Simulated) TraceHash() uint64 { return s.sightings.sum() }

// Close closes every host and discards packets under way. It waits for everything the network
// started and is idempotent.
func (s *Simulated) Close() error {
	s.mu.Lock()
	s.closed = true
	hosts := s.hosts
	s.mu.Unlock()
	var errs []error
	for _, h := range hosts {
		errs = append(errs, h.Close())
	}
	s.scheduler.close()
	return errors.Join(errs...)
}

// lookup finds a host by its name.
func (s *Simulated) lookup(name string) *simHost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[name]
}
