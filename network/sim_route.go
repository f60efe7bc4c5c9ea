package network

import (
	"net/netip"

	"github.com/peerfleet/peerfleet/network/nat"
)

// route finds the host that a packet from inside h's border reaches, and gives the packet the
// addresses it has there. The scheduler's goroutine calls it, which owns the translators. Nothing
// is returned for a packet that a NAT or the internet has nowhere to send.
func (s *Simulated) route(h *simHost, p *datagram) (*simHost, bool) {
	if h.site == nil {
		return s.internet(p)
	}
	return h.site.out(s, p)
}

// out takes a packet from a local network.
func (at *site) out(s *Simulated, p *datagram) (*simHost, bool) {
	if to := at.members[p.dst.Addr()]; to != nil {
		return to, true // the local network itself
	}
	toSelf := p.dst.Addr() == at.outside
	if toSelf && !at.translator.Hairpins() {
		return nil, false
	}
	mapped, ok := at.translator.Out(p.due, p.protocol, p.addr, p.dst)
	if !ok {
		return nil, false
	}
	p.addr = mapped
	if toSelf {
		return at.in(p)
	}
	if at.carrier == nil {
		return s.internet(p)
	}
	return at.carrier.out(s, p)
}

// in takes a packet to a local network.
func (at *site) in(p *datagram) (*simHost, bool) {
	inside, verdict := at.translator.In(p.due, p.protocol, p.addr, p.dst)
	if verdict != nat.Passed {
		return nil, false
	}
	p.dst = inside
	to := at.members[inside.Addr()]
	return to, to != nil
}

// out takes a packet from a home NAT.
func (c *carrier) out(s *Simulated, p *datagram) (*simHost, bool) {
	if to := c.members[p.dst.Addr()]; to != nil {
		return to.in(p)
	}
	toSelf := p.dst.Addr() == c.outside
	if toSelf && !c.translator.Hairpins() {
		return nil, false
	}
	mapped, ok := c.translator.Out(p.due, p.protocol, p.addr, p.dst)
	if !ok {
		return nil, false
	}
	p.addr = mapped
	if toSelf {
		return c.in(p)
	}
	return s.internet(p)
}

// in takes a packet to one of the home NATs.
func (c *carrier) in(p *datagram) (*simHost, bool) {
	inside, verdict := c.translator.In(p.due, p.protocol, p.addr, p.dst)
	if verdict != nat.Passed {
		return nil, false
	}
	p.dst = inside
	to := c.members[inside.Addr()]
	if to == nil {
		return nil, false
	}
	return to.in(p)
}

// internet takes a packet to what its public address belongs to.
func (s *Simulated) internet(p *datagram) (*simHost, bool) {
	switch e := s.road(p.dst.Addr()); {
	case e.host != nil:
		return e.host, true
	case e.site != nil:
		return e.site.in(p)
	case e.carrier != nil:
		return e.carrier.in(p)
	}
	return nil, false
}

// sameFamily tells whether two addresses are of one family.
func sameFamily(a, b netip.Addr) bool { return a.Is4() == b.Is4() }
