package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// lookOut sends from c to a public socket and returns where that saw it come from.
func lookOut(t *testing.T, c, public *simUDP) *net.UDPAddr {
	t.Helper()
	send(t, c, "out", where(public))
	text, from, ok := receive(t, public)
	if text != "out" || !ok {
		t.Fatalf("got %q, want \"out\"", text)
	}
	return from
}

func TestSimulatedNATKinds(t *testing.T) {
	for _, kind := range nat.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *Simulated) {
				public, other := socket(t, plain(t, s, "public", 0, 0)), socket(t, plain(t, s, "other", 0, 0))
				h := join(t, s, HostSpec{Name: "inside", Gateway: nat.Gateway{NAT: nat.NAT{Kind: kind}}})
				c := socket(t, h)
				from := lookOut(t, c, public)
				want := netip.MustParseAddr("198.18.0.3")
				if got := from.AddrPort().Addr().Unmap(); got != want || (h.addr4 == want) != (kind == nat.None) {
					t.Errorf("got source %v of a host at %v, want %v", got, h.addr4, want)
				}
				send(t, public, "back", from)
				if text, far, _ := receive(t, c); text != "back" || far.String() != where(public).String() {
					t.Errorf("got %q from %v, want \"back\" from %v", text, far, where(public))
				}
				if same := lookOut(t, c, other).String() == from.String(); same == (kind == nat.Symmetric) {
					t.Errorf("same mapping to another host: got %v", same)
				}
				stranger := socket(t, plain(t, s, "stranger", 0, 0))
				send(t, stranger, "unasked", from)
				open := kind == nat.None || kind == nat.FullCone
				if text, _, ok := receive(t, c); ok != open {
					t.Errorf("unsolicited: got %q, want it to pass: %v", text, open)
				}
			})
		})
	}
}

func TestSimulatedSite(t *testing.T) {
	for _, hairpin := range []bool{false, true} {
		simulate(t, func(t *testing.T, s *Simulated) {
			public := socket(t, plain(t, s, "public", 0, 0))
			g := nat.Gateway{NAT: nat.NAT{Kind: nat.FullCone, Hairpin: hairpin}, Site: "home"}
			a := socket(t, join(t, s, HostSpec{Name: "a", Gateway: g}))
			b := socket(t, join(t, s, HostSpec{Name: "b", Gateway: g}))
			fromA, fromB := lookOut(t, a, public), lookOut(t, b, public)
			if !fromA.IP.Equal(fromB.IP) || fromA.Port == fromB.Port {
				t.Errorf("got sources %v and %v, want one address and two ports", fromA, fromB)
			}
			send(t, a, "direct", where(b))
			if text, from, _ := receive(t, b); text != "direct" || from.String() != where(a).String() {
				t.Errorf("got %q from %v, want \"direct\" from %v", text, from, where(a))
			}
			send(t, a, "hairpin", fromB)
			text, from, ok := receive(t, b)
			if ok != hairpin || ok && (text != "hairpin" || from.String() != fromA.String()) {
				t.Errorf("hairpin %v: got %q from %v", hairpin, text, from)
			}
		})
	}
}

func TestSimulatedCarrierNAT(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		public := socket(t, plain(t, s, "public", 0, 0))
		g := nat.Gateway{NAT: nat.NAT{Kind: nat.PortRestricted}, Carrier: nat.NAT{Kind: nat.PortRestricted, Hairpin: true}}
		a := socket(t, join(t, s, HostSpec{Name: "a", Gateway: g, Seed: 1}))
		b := socket(t, join(t, s, HostSpec{Name: "b", Gateway: g, Seed: 2}))
		fromA, fromB := lookOut(t, a, public), lookOut(t, b, public)
		if !fromA.IP.Equal(fromB.IP) || fromA.Port == fromB.Port {
			t.Errorf("got sources %v and %v, want the carrier's address and two ports", fromA, fromB)
		}
		if shared := a.host.site.outside; !netip.MustParsePrefix("100.64.0.0/10").Contains(shared) {
			t.Errorf("got %v between the NATs, want an address of 100.64.0.0/10", shared)
		}
		send(t, public, "back", fromA)
		if text, _, _ := receive(t, a); text != "back" {
			t.Errorf("got %q, want \"back\"", text)
		}
		send(t, a, "first", fromB) // opens a's side; b's drops it
		send(t, b, "second", fromA)
		if text, from, _ := receive(t, a); text != "second" || from.String() != fromB.String() {
			t.Errorf("got %q from %v, want \"second\" from %v", text, from, fromB)
		}
	})
}

func TestSimulatedFirewalls(t *testing.T) {
	for _, wall := range walls() {
		t.Run(string(wall), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *Simulated) {
				h := join(t, s, HostSpec{Name: "walled", Firewall: wall})
				public := plain(t, s, "public", 10*ms, 10*ms)
				to := socket(t, public)
				send(t, socket(t, h), "x", where(to))
				if text, _, ok := receive(t, to); ok {
					t.Errorf("got %q, want nothing", text)
				}
				serve(t, public, ":80")
				c, err := h.DialContext(context.Background(), "tcp", "public:80")
				if wall == nat.TLS443Only {
					if !errors.Is(err, syscall.ECONNREFUSED) {
						t.Errorf("port 80: got %v, want %v", err, syscall.ECONNREFUSED)
					}
					return
				}
				must(t, err)
				must(t, c.Close())
			})
		})
	}
}

func TestSimulatedFirewallLooksForTLS(t *testing.T) {
	for want, first := range map[error][]byte{nil: hello(), syscall.ECONNRESET: []byte("GET / HTTP/1.1\r\n")} {
		simulate(t, func(t *testing.T, s *Simulated) {
			h := join(t, s, HostSpec{Name: "walled", Firewall: nat.TLS443Only})
			l := serve(t, plain(t, s, "public", 10*ms, 10*ms), ":443")
			c, err := h.DialContext(context.Background(), "tcp", "public:443")
			must(t, err)
			far, err := l.Accept()
			must(t, err)
			_, err = c.Write(first)
			must(t, err)
			must(t, far.SetReadDeadline(time.Now().Add(time.Second)))
			n, err := io.ReadFull(far, make([]byte, len(first)))
			if want == nil {
				if n != len(first) || err != nil {
					t.Errorf("TLS: got %d bytes, %v, want %d", n, err, len(first))
				}
				return
			}
			if n != 0 || err == nil {
				t.Errorf("not TLS: got %d bytes at the far end, want none", n)
			}
			must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, want) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("not TLS: got %v, want %v", err, want)
			}
		})
	}
}
