package nat

import (
	"net/netip"
	"slices"
	"testing"
)

// peer is one side of a connection attempt: a socket, and where it has reason to send to.
type peer struct {
	nats      chain
	socket    netip.AddrPort
	reflexive netip.AddrPort
	far       []netip.AddrPort // the other's candidates: the one it told of first
}

func newPeer(k Kind, n byte) *peer {
	host := netip.AddrFrom4([4]byte{10, 0, n, 2})
	outside := netip.AddrFrom4([4]byte{203, 0, 113, n})
	if k == None {
		host = outside
	}
	p := &peer{nats: chain{NewTranslator(NAT{Kind: k}, outside, uint64(n))}, socket: netip.AddrPortFrom(host, 40000)}
	p.reflexive, _ = p.nats.out(start(), p.socket, address("198.51.100.1:3478"))
	return p
}

// send takes a packet from one peer towards another and returns the source that the other sees.
func (p *peer) send(to netip.AddrPort, other *peer) (source netip.AddrPort, arrived bool) {
	source, ok := p.nats.out(start(), p.socket, to)
	if !ok || to.Addr() != other.reflexive.Addr() {
		return source, false
	}
	inside, ok := other.nats.in(start(), source, to)
	return source, ok && inside == other.socket
}

// check is an ICE connectivity check (RFC 8445 section 7): a request and an answer, which has to
// come from where the request went. The other learns where the request came from.
func (p *peer) check(to netip.AddrPort, other *peer) bool {
	source, arrived := p.send(to, other)
	if !arrived {
		return false
	}
	if !slices.Contains(other.far, source) {
		other.far = append(other.far, source)
	}
	from, arrived := other.send(source, p)
	return arrived && from == to
}

// connect tells how two peers come together: by the addresses they told each other ("direct"),
// by one that a packet came from unannounced ("prflx"), or not without a relay.
func connect(a, b *peer) string {
	a.far, b.far = []netip.AddrPort{b.reflexive}, []netip.AddrPort{a.reflexive}
	best := "relay"
	for range 5 {
		for _, side := range [][2]*peer{{a, b}, {b, a}} {
			for _, to := range slices.Clone(side[0].far) {
				if !side[0].check(to, side[1]) {
					continue
				}
				if seen, _ := side[0].send(to, side[1]); to == side[1].reflexive && seen == side[0].reflexive {
					return "direct"
				}
				best = "prflx"
			}
		}
	}
	return best
}

func TestPairs(t *testing.T) {
	want := [][]string{
		{"direct", "direct", "direct", "direct", "prflx"},
		{"direct", "direct", "direct", "direct", "prflx"},
		{"direct", "direct", "direct", "direct", "prflx"},
		{"direct", "direct", "direct", "direct", "relay"},
		{"prflx", "prflx", "prflx", "relay", "relay"},
	}
	for i, a := range Kinds() {
		for j, b := range Kinds() {
			if got := connect(newPeer(a, 1), newPeer(b, 2)); got != want[i][j] {
				t.Errorf("%s and %s: got %s, want %s", a, b, got, want[i][j])
			}
		}
	}
}

// TestPairsBehindCarrier checks a carrier's NAT that port-restricts what the home would let in.
func TestPairsBehindCarrier(t *testing.T) {
	for _, c := range []struct {
		home, carrier, other Kind
		want                 string
	}{
		{FullCone, FullCone, Symmetric, "prflx"},
		{FullCone, PortRestricted, Symmetric, "relay"},
		{PortRestricted, FullCone, Symmetric, "relay"},
		{FullCone, Symmetric, Restricted, "prflx"},
		{FullCone, Symmetric, PortRestricted, "relay"},
		{PortRestricted, PortRestricted, PortRestricted, "direct"},
	} {
		p := &peer{socket: address("10.0.1.2:40000"), nats: chain{
			NewTranslator(NAT{Kind: c.home}, netip.MustParseAddr("100.64.0.2"), 1),
			NewTranslator(NAT{Kind: c.carrier}, publicAddr(), 2),
		}}
		p.reflexive, _ = p.nats.out(start(), p.socket, address("198.51.100.1:3478"))
		if got := connect(p, newPeer(c.other, 2)); got != c.want {
			t.Errorf("%s behind %s and %s: got %s, want %s", c.home, c.carrier, c.other, got, c.want)
		}
	}
}

// TestHairpin has two hosts behind one NAT reach each other by their outside addresses (RFC 4787
// REQ-9).
func TestHairpin(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		want Verdict // of the first packet: the second host has sent to nobody but a server
	}{
		{FullCone, Passed},
		{Restricted, Filtered},
		{PortRestricted, Filtered},
		{Symmetric, Filtered},
	} {
		n := NewTranslator(NAT{Kind: c.kind, Hairpin: true}, publicAddr(), 1)
		if !n.Hairpins() {
			t.Errorf("%s does not hairpin, want it to", c.kind)
		}
		a, b, server := address("10.0.0.2:40000"), address("10.0.0.3:40000"), address("198.51.100.1:3478")
		outsideB, _ := n.Out(start(), UDP, b, server)
		outsideA, _ := n.Out(start(), UDP, a, outsideB)
		if outsideA.Addr() != publicAddr() || outsideA == outsideB {
			t.Errorf("%s: seen at %v and %v, want two ports of %v", c.kind, outsideA, outsideB, publicAddr())
		}
		if _, v := n.In(start(), UDP, outsideA, outsideB); v != c.want {
			t.Errorf("%s: first packet %v, want %v", c.kind, v, c.want)
		}
		back, _ := n.Out(start(), UDP, b, outsideA)
		inside, v := n.In(start(), UDP, back, outsideA)
		if c.kind == Symmetric {
			if v != Filtered {
				t.Errorf("%s: answer %v, want %v", c.kind, v, Filtered)
			}
		} else if inside != a || v != Passed {
			t.Errorf("%s: answer reaches %v (%v), want %v", c.kind, inside, v, a)
		}
	}
	if NewTranslator(NAT{Kind: FullCone}, publicAddr(), 1).Hairpins() {
		t.Error("hairpins by default, want not")
	}
}
