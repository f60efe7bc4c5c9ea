//go:build natlab && linux

package natlab

import (
	"fmt"
	"net/netip"

	"github.com/peerfleet/peerfleet/network/nat"
)

// path is a host inside and a server outside, with a NAT between them. It is all the probe knows,
// so that it asks a kernel and a model the same.
type path interface {
	// out sends from a port of the host to an address of the server, and returns the source the
	// server sees.
	out(port uint16, to netip.AddrPort) (seen netip.AddrPort, err error)
	// in sends from an address of the server to where a port of the host was last seen, and tells
	// whether it reaches the port. That port has sent to another address of the server before.
	in(from netip.AddrPort, port uint16) (arrived bool, err error)
	// across sends from a port of the host to where another was last seen by the server, and returns
	// the source the other sees, unset if nothing arrives. Both have sent to the server before.
	across(from, to uint16) (seen netip.AddrPort, err error)
}

// The host has one address, the NAT one outside, and the server two, with two ports each, as
// RFC 5780 section 6.1 has it. 203.0.113.0/24 is TEST-NET-3 (RFC 5737).
func hostAddr() netip.Addr    { return netip.AddrFrom4([4]byte{10, 0, 0, 2}) }
func outsideAddr() netip.Addr { return netip.AddrFrom4([4]byte{203, 0, 113, 100}) }

func server(address, port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(address)}), uint16(3477+port))
}

// findings is what the probe finds out about a path.
type findings struct {
	translates bool // the server does not see the host's own address
	preserves  bool // the port stays as it is
	mapping    nat.Behavior
	filtering  nat.Behavior
	hairpin    hairpin
}

// hairpin is whether ports of the host reach each other by their outside addresses, and as who
// (RFC 4787 section 6).
type hairpin string

const (
	straight hairpin = ""         // they do not
	external hairpin = "external" // as the server sees them
	internal hairpin = "internal" // as anything else
)

func discover(p path) (findings, error) {
	f, err := mapping(p, findings{}, 40000)
	if err != nil {
		return f, fmt.Errorf("discover mapping: %w", err)
	}
	if f.filtering, err = filtering(p, 40001); err != nil {
		return f, fmt.Errorf("discover filtering: %w", err)
	}
	if !f.translates {
		return f, nil // there is no outside address to turn round at
	}
	if f.hairpin, err = hairpinning(p, 40002, 40003); err != nil {
		return f, fmt.Errorf("discover hairpinning: %w", err)
	}
	return f, nil
}

// mapping takes the tests of RFC 5780 section 4.3, all from one port.
func mapping(p path, f findings, port uint16) (findings, error) {
	first, err := p.out(port, server(1, 1))
	if err != nil {
		return f, err
	}
	second, err := p.out(port, server(2, 1))
	if err != nil {
		return f, err
	}
	third, err := p.out(port, server(2, 2))
	if err != nil {
		return f, err
	}
	f.translates = first.Addr() != hostAddr()
	f.preserves = first.Port() == port
	switch {
	case first == second && second == third:
		f.mapping = nat.EndpointIndependent
	case second == third:
		f.mapping = nat.AddressDependent
	default:
		f.mapping = nat.AddressAndPortDependent
	}
	return f, nil
}

// filtering takes the tests of RFC 5780 section 4.4, from a port of its own: what the mapping
// tests sent would let in what comes here.
func filtering(p path, port uint16) (nat.Behavior, error) {
	if _, err := p.out(port, server(1, 1)); err != nil {
		return "", err
	}
	if arrived, err := p.in(server(2, 2), port); err != nil || arrived {
		return nat.EndpointIndependent, err
	}
	if arrived, err := p.in(server(1, 2), port); err != nil || arrived {
		return nat.AddressDependent, err
	}
	return nat.AddressAndPortDependent, nil
}

// hairpinning takes the test of RFC 5780 section 3.4, with a packet from one new port to another.
func hairpinning(p path, from, to uint16) (hairpin, error) {
	if _, err := p.out(to, server(1, 1)); err != nil {
		return "", err
	}
	outside, err := p.out(from, server(1, 1))
	if err != nil {
		return "", err
	}
	switch seen, err := p.across(from, to); {
	case err != nil || !seen.IsValid():
		return straight, err
	case seen == outside:
		return external, nil
	}
	return internal, nil
}
