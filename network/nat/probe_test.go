package nat

import (
	"net/netip"
	"testing"
	"time"
)

// chain is the NATs between a host and the internet, the host's own first.
type chain []*Translator

func (c chain) out(now time.Time, from, to netip.AddrPort) (netip.AddrPort, bool) {
	for _, t := range c {
		var ok bool
		if from, ok = t.Out(now, UDP, from, to); !ok {
			return from, false
		}
	}
	return from, true
}

func (c chain) in(now time.Time, from, to netip.AddrPort) (netip.AddrPort, bool) {
	for i := range c {
		var v Verdict
		if to, v = c[len(c)-1-i].In(now, UDP, from, to); v != Passed {
			return to, false
		}
	}
	return to, true
}

func start() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func address(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func publicAddr() netip.Addr { return netip.MustParseAddr("203.0.113.1") }

// behaviors discovers what a chain does as RFC 5780 sections 4.3 and 4.4 do it: with a server of
// two addresses and two ports, and a socket of its own for each question.
func behaviors(c chain, host netip.Addr) (mapping, filtering Behavior) {
	now := start()
	a1p1, a1p2 := address("198.51.100.1:3478"), address("198.51.100.1:3479")
	a2p1, a2p2 := address("198.51.100.2:3478"), address("198.51.100.2:3479")

	socket := netip.AddrPortFrom(host, 40000)
	m1, _ := c.out(now, socket, a1p1)
	m2, _ := c.out(now, socket, a2p1)
	m3, _ := c.out(now, socket, a2p2)
	mapping = AddressAndPortDependent
	if m1 == m2 {
		mapping = EndpointIndependent
	} else if m2 == m3 {
		mapping = AddressDependent
	}

	socket = netip.AddrPortFrom(host, 40001)
	mapped, _ := c.out(now, socket, a1p1)
	reaches := func(from netip.AddrPort) bool {
		inside, ok := c.in(now, from, mapped)
		return ok && inside == socket
	}
	filtering = AddressAndPortDependent
	if reaches(a2p2) {
		filtering = EndpointIndependent
	} else if reaches(a1p2) {
		filtering = AddressDependent
	}
	if !reaches(a1p1) {
		filtering = "closed"
	}
	return mapping, filtering
}

// strictness orders behaviours by how much they depend on.
func strictness() []Behavior {
	return []Behavior{EndpointIndependent, AddressDependent, AddressAndPortDependent}
}

// definition is what a kind is by RFC 4787, as places in strictness.
type definition struct {
	kind               Kind
	mapping, filtering int
}

func definitions() []definition {
	return []definition{
		{"", 0, 0},
		{None, 0, 0},
		{FullCone, 0, 0},
		{Restricted, 0, 1},
		{PortRestricted, 0, 2},
		{Symmetric, 2, 2},
	}
}

// TestBehaviors checks RFC 4787 REQ-1 of all kinds but symmetric, and REQ-8.
func TestBehaviors(t *testing.T) {
	for _, d := range definitions() {
		want := [2]Behavior{strictness()[d.mapping], strictness()[d.filtering]}
		if got := [2]Behavior{d.kind.Mapping(), d.kind.Filtering()}; got != want {
			t.Errorf("%q says of itself %v, want %v", d.kind, got, want)
		}
		for _, ports := range append(Choices(), "") {
			c := chain{NewTranslator(NAT{Kind: d.kind, Ports: ports}, publicAddr(), 1)}
			mapping, filtering := behaviors(c, netip.MustParseAddr("10.0.0.2"))
			if got := [2]Behavior{mapping, filtering}; got != want {
				t.Errorf("%q with ports %q: got %v, want %v", d.kind, ports, got, want)
			}
		}
	}
}

// TestConflictsChangeNoBehavior checks RFC 4787 REQ-11: who comes second with a port gets another
// outside, behind a NAT that is no different.
func TestConflictsChangeNoBehavior(t *testing.T) {
	for _, d := range definitions() {
		for _, ports := range Choices() {
			c := chain{NewTranslator(NAT{Kind: d.kind, Ports: ports}, publicAddr(), 1)}
			for host := range byte(3) {
				mapping, filtering := behaviors(c, netip.AddrFrom4([4]byte{10, 0, 0, 2 + host}))
				got := [2]Behavior{mapping, filtering}
				want := [2]Behavior{strictness()[d.mapping], strictness()[d.filtering]}
				if got != want {
					t.Errorf("%q with ports %q, host %d: got %v, want %v", d.kind, ports, host, got, want)
				}
			}
		}
	}
}

// TestCarrierInFrontOfHome checks that two NATs in a row are as strict as the stricter of them.
func TestCarrierInFrontOfHome(t *testing.T) {
	for _, home := range definitions() {
		for _, carrier := range definitions() {
			c := chain{
				NewTranslator(NAT{Kind: home.kind}, netip.MustParseAddr("100.64.0.2"), 1),
				NewTranslator(NAT{Kind: carrier.kind}, publicAddr(), 2),
			}
			mapping, filtering := behaviors(c, netip.MustParseAddr("10.0.0.2"))
			got := [2]Behavior{mapping, filtering}
			want := [2]Behavior{
				strictness()[max(home.mapping, carrier.mapping)], strictness()[max(home.filtering, carrier.filtering)],
			}
			if got != want {
				t.Errorf("%q behind %q: got %v, want %v", home.kind, carrier.kind, got, want)
			}
		}
	}
}

func TestNoneLeavesAddressesAlone(t *testing.T) {
	n := NewTranslator(NAT{}, publicAddr(), 1)
	host, far := address("192.0.2.7:9"), address("198.51.100.1:3478")
	if got, ok := n.Out(start(), UDP, host, far); got != host || !ok {
		t.Errorf("Out: got %v %v, want %v true", got, ok, host)
	}
	if got, v := n.In(start(), UDP, far, host); got != host || v != Passed {
		t.Errorf("In: got %v %v, want %v %v", got, v, host, Passed)
	}
}

// TestOnlyTheOutsideAddress sends to a mapped port of an address that is not the NAT's.
func TestOnlyTheOutsideAddress(t *testing.T) {
	n := NewTranslator(NAT{Kind: FullCone}, publicAddr(), 1)
	outside, _ := n.Out(start(), UDP, address("10.0.0.2:40000"), address("198.51.100.1:3478"))
	elsewhere := netip.AddrPortFrom(publicAddr().Next(), outside.Port())
	if _, v := n.In(start(), UDP, address("198.51.100.1:3478"), elsewhere); v != NoMapping {
		t.Errorf("got %v, want %v", v, NoMapping)
	}
}
