package network

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"

	"github.com/peerfleet/peerfleet/network/nat"
)

// The addresses of the simulated internet: benchmarking (RFC 2544) for everything public, private
// ranges (RFC 1918) behind NATs, shared address space (RFC 6598) behind carriers' NATs,
// documentation (RFC 3849) for IPv6.
const (
	publicBase  = 198<<24 | 18<<16
	publicCount = 1 << 17
	localBase   = 10 << 24
	localCount  = 1 << 16 // local networks of 256 addresses
	sharedBase  = 100<<24 | 64<<16
	sharedCount = 1 << 22
)

var errNoAddress = errors.New("no address is left")

func address4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

func address6(n uint32) netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(a[12:], n)
	return netip.AddrFrom16(a)
}

// endpoint is what a public address belongs to: a host or a NAT.
type endpoint struct {
	host    *simHost
	site    *site
	carrier *carrier
}

// site is a local network behind a NAT. The scheduler's goroutine owns the translator.
type site struct {
	translator *nat.Translator
	outside    netip.Addr
	carrier    *carrier // nil: the outside is the internet
	base       uint32
	used       uint32
	members    map[netip.Addr]*simHost
}

// carrier is a carrier-grade NAT with the home NATs behind it.
type carrier struct {
	translator *nat.Translator
	outside    netip.Addr
	used       uint32
	members    map[netip.Addr]*site
}

// place gives a host its addresses and the NATs of its spec. The caller holds the network's lock.
func (s *Simulated) place(h *simHost, spec HostSpec) error {
	g := spec.Gateway
	if g.NAT.Kind == "" || g.NAT.Kind == nat.None {
		if s.public++; s.public >= publicCount {
			return errNoAddress
		}
		h.addr4, h.addr6 = address4(publicBase+s.public), address6(s.public)
		s.roads[h.addr4], s.roads[h.addr6] = endpoint{host: h}, endpoint{host: h}
		return nil
	}
	at := s.sites[g.Site]
	if g.Site == "" || at == nil {
		var err error
		if at, err = s.newSite(g, spec.Seed); err != nil {
			return err
		}
		if g.Site != "" {
			s.sites[g.Site] = at
		}
	}
	if at.used++; at.used > 253 {
		return errNoAddress
	}
	h.site, h.addr4 = at, address4(at.base+1+at.used)
	at.members[h.addr4] = h
	return nil
}

func (s *Simulated) newSite(g nat.Gateway, seed uint64) (*site, error) {
	if s.lans++; s.lans >= localCount {
		return nil, errNoAddress
	}
	at := &site{base: localBase + uint32(s.lans)<<8, members: map[netip.Addr]*simHost{}}
	if g.Carrier.Kind != "" && g.Carrier.Kind != nat.None {
		c, err := s.carrierFor(g.Carrier)
		if err != nil {
			return nil, err
		}
		if c.used++; c.used >= sharedCount {
			return nil, errNoAddress
		}
		at.carrier, at.outside = c, address4(sharedBase+c.used)
		c.members[at.outside] = at
	} else {
		if s.public++; s.public >= publicCount {
			return nil, errNoAddress
		}
		at.outside = address4(publicBase + s.public)
		s.roads[at.outside] = endpoint{site: at}
	}
	at.translator = nat.NewTranslator(g.NAT, at.outside, bits.RotateLeft64(seed, 17)^0x6e6174)
	return at, nil
}

func (s *Simulated) carrierFor(n nat.NAT) (*carrier, error) {
	if c := s.cgns[n]; c != nil {
		return c, nil
	}
	if s.public++; s.public >= publicCount {
		return nil, errNoAddress
	}
	c := &carrier{outside: address4(publicBase + s.public), members: map[netip.Addr]*site{}}
	c.translator = nat.NewTranslator(n, c.outside, 0x63676e)
	s.cgns[n] = c
	s.roads[c.outside] = endpoint{carrier: c}
	return c, nil
}

// road is what an address of the internet belongs to.
func (s *Simulated) road(a netip.Addr) endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roads[a]
}
