package network

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/nat"
)

// The ports that sockets bound to none in particular get (RFC 6335 section 6), one after the
// other.
const (
	firstEphemeral = 49152
	lastEphemeral  = 65535
)

// use tells sockets apart by how they are bound: to one address, to any, or as a packet connection.
// Each use begins at a port of its own, since several goroutines that bind sockets of different uses
// at one instant, as ICE does when it gathers candidates, come in any order.
type use int

const (
	toAddress use = iota
	toAny
	asPacketConn
)

// simHost is a host on the simulated network.
type simHost struct {
	net          *Simulated
	name         string
	index        int // in the order of attaching
	link         *accessLink
	firewall     nat.Firewall
	tap          func(capture.Packet)
	site         *site // nil: public
	addr4, addr6 netip.Addr
	done         chan struct{}
	ranked       int // origins so far; the scheduler's goroutine owns it

	mu        sync.Mutex // guards what follows
	closed    bool
	datagrams map[uint16]*simUDP
	listeners map[uint16]*simListener
	streams   map[streamKey]*simStream
	nextUDP   [3]uint16 // by use
	nextTCP   uint16
}

// streamKey tells the streams of a host apart.
type streamKey struct {
	port   uint16
	remote netip.AddrPort
}

var _ Host = (*simHost)(nil)

func newSimHost(s *Simulated, spec HostSpec, index int) *simHost {
	f := spec.Firewall
	if f == "" {
		f = nat.Open
	}
	return &simHost{
		net: s, name: spec.Name, index: index, link: newAccessLink(spec, func() {}), firewall: f, tap: spec.Tap,
		done: make(chan struct{}), datagrams: map[uint16]*simUDP{}, listeners: map[uint16]*simListener{},
		streams: map[streamKey]*simStream{}, nextUDP: [3]uint16{firstEphemeral, 55001, 60001}, nextTCP: firstEphemeral,
	}
}

// Link is the host's access link.
func (h *simHost) Link() Link { return h.link }

// Crash closes everything the host has open: see the Host interface.
func (h *simHost) Crash() {
	for _, o := range h.everything() {
		_ = o.Close() // of no use to who crashes
	}
}

// Close closes every socket and stream. What was written to streams is still on its way.
func (h *simHost) Close() error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
	h.mu.Unlock()
	var errs []error
	for _, o := range h.everything() {
		if err := o.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// everything is what is open, in an order that is always the same.
func (h *simHost) everything() []opened {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []opened
	for _, port := range sortedPorts(h.datagrams) {
		all = append(all, h.datagrams[port])
	}
	for _, port := range sortedPorts(h.listeners) {
		all = append(all, h.listeners[port])
	}
	for _, k := range sortedStreams(h.streams) {
		all = append(all, h.streams[k])
	}
	return all
}

// own is the host's address of the family of another; unset if it has none.
func (h *simHost) own(like netip.Addr) netip.Addr {
	if like.Is4() || like.Is4In6() {
		return h.addr4
	}
	return h.addr6
}

// free finds a port for a table: the wanted one, or the next ephemeral one that is not taken. The
// caller holds the lock.
func free[T any](table map[uint16]T, next *uint16, want uint16) (uint16, error) {
	if want != 0 {
		if _, taken := table[want]; taken {
			return 0, syscall.EADDRINUSE
		}
		return want, nil
	}
	for range lastEphemeral - firstEphemeral + 1 {
		port := *next
		if *next++; port == lastEphemeral {
			*next = firstEphemeral
		}
		if _, taken := table[port]; !taken {
			return port, nil
		}
	}
	return 0, syscall.EADDRNOTAVAIL
}

// bindable resolves the address that a socket is to be bound to: the IP unset for any.
func (h *simHost) bindable(network string, ip netip.Addr) (netip.Addr, error) {
	six := strings.HasSuffix(network, "6")
	switch ip = ip.Unmap(); {
	case !ip.IsValid() || ip.IsUnspecified():
		if six && !h.addr6.IsValid() {
			return ip, syscall.EAFNOSUPPORT
		}
		return netip.Addr{}, nil
	case ip != h.addr4 && ip != h.addr6:
		return ip, syscall.EADDRNOTAVAIL
	case six && ip.Is4() || strings.HasSuffix(network, "4") && !ip.Is4():
		return ip, syscall.EAFNOSUPPORT
	}
	return ip, nil
}

// unspecified is how package net shows an address that is none in particular.
func unspecified(network string) netip.Addr {
	if strings.HasSuffix(network, "4") {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// serves tells whether a socket that is bound to an address, or to any of a network, takes what is
// sent to another.
func serves(network string, bound, to netip.Addr) bool {
	switch {
	case bound.IsValid():
		return bound == to
	case strings.HasSuffix(network, "4"):
		return to.Is4()
	case strings.HasSuffix(network, "6"):
		return !to.Is4()
	}
	return true
}

// see shows a packet to whoever watches the host, and enters it into the network's account.
func (h *simHost) see(p *datagram, way capture.Direction, fate capture.Fate) {
	to := h
	if way == capture.Sent {
		to = nil
	}
	if fate == capture.Delivered {
		h.net.sightings.note(p, p.sender, to, fate)
	}
	if h.tap == nil || p.refusal {
		return
	}
	c := capture.Packet{
		At: p.due, Direction: way, Fate: fate, Protocol: capture.UDP, Source: p.addr, Destination: p.dst, Payload: p.buf,
	}
	if p.protocol == nat.TCP {
		c.Protocol = capture.TCP
		c.Sequence, c.Acknowledged, c.Flags = p.sequence, p.acknowledged, p.flags
	}
	h.tap(c)
}

// noteBlocked is see for what the host's firewall stops.
func (h *simHost) noteBlocked(p *datagram) {
	h.net.sightings.note(p, h, nil, capture.Blocked)
	if h.tap == nil {
		return
	}
	c := capture.Packet{At: p.due, Fate: capture.Blocked, Source: p.addr, Destination: p.dst, Payload: p.buf}
	if p.protocol == nat.TCP {
		c.Protocol, c.Sequence, c.Flags = capture.TCP, p.sequence, p.flags
	}
	h.tap(c)
}
