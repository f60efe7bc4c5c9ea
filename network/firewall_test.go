package network

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

// behind attaches a host behind a firewall; its link is the same both ways.
func behind(t *testing.T, s *Sockets, f nat.Firewall, p impair.Profile) Host {
	t.Helper()
	h, err := s.Attach(HostSpec{Name: string(f), Up: p, Down: p, Firewall: f})
	must(t, err)
	return h
}

// linkStates are a link that leaves packets to the kernel, and one that does not.
func linkStates() []impair.Profile { return []impair.Profile{{}, {Delay: ms}} }

// walls are the firewalls that let no UDP pass.
func walls() []nat.Firewall { return []nat.Firewall{nat.UDPBlocked, nat.TLS443Only} }

// hello is how a TLS stream begins.
func hello() []byte { return []byte{22, 3, 1, 0, 42, 1, 0, 0} }

func TestFirewallDropsUDPSent(t *testing.T) {
	for _, wall := range walls() {
		for _, p := range linkStates() {
			s := newTestNetwork(t)
			h := behind(t, s, wall, p)
			c, peer := listenUDP(t, h), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
			for range 3 {
				n, err := c.WriteTo([]byte("secret"), addrOf(peer))
				if n != 6 || err != nil {
					t.Errorf("%s: sent %d, %v, want 6 bytes and success", wall, n, err)
				}
			}
			batch := []Packet{{[]byte("secret"), addrOf(peer)}, {[]byte("secret"), addrOf(peer)}}
			if n, err := c.WriteBatch(batch); n != 2 || err != nil {
				t.Errorf("%s: sent %d, %v, want 2 packets and success", wall, n, err)
			}
			connected, err := h.DialUDP("udp4", nil, addrOf(peer))
			must(t, err)
			_, err = connected.Write([]byte("secret"))
			must(t, err)

			free := listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
			_, err = free.WriteTo([]byte("open"), addrOf(peer))
			must(t, err)
			within(t, peer)
			buf := make([]byte, 10)
			n, _, err := peer.ReadFrom(buf)
			must(t, err)
			if got := string(buf[:n]); got != "open" {
				t.Errorf("%s: %q came first, want what has no firewall in front", wall, got)
			}
			if err := peer.SetReadDeadline(time.Now().Add(20 * ms)); err != nil {
				t.Fatal(err)
			}
			if n, _, err := peer.ReadFrom(buf); err == nil {
				t.Errorf("%s: %q came through", wall, buf[:n])
			}
			if got, want := h.Link().Traffic(), (Traffic{UpPackets: 6, UpBytes: 6 * (6 + udp4Header)}); got != want {
				t.Errorf("%s: traffic %+v, want %+v", wall, got, want)
			}
			if up, _ := h.Link().Report(); up.Offered != 0 {
				t.Errorf("%s: the link was asked about %d packets", wall, up.Offered)
			}
		}
	}
}

func TestFirewallDropsUDPReceived(t *testing.T) {
	for _, wall := range walls() {
		for _, p := range linkStates() {
			s := newTestNetwork(t)
			h := behind(t, s, wall, p)
			c, peer := listenUDP(t, h), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
			must(t, c.SetReadDeadline(time.Now().Add(60*ms)))
			got := make(chan error, 1)
			go func() {
				_, _, err := c.ReadFrom(make([]byte, 10))
				got <- err
			}()
			for i := range 20 {
				_, err := peer.WriteTo([]byte("intruder"), addrOf(c))
				must(t, err)
				if i == 10 {
					h.Link().Set(p, impair.Profile{Delay: ms}) // while it is being read
				}
				time.Sleep(ms)
			}
			if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: read ended with %v, want a timeout", wall, err)
			}
			if got := h.Link().Traffic(); got != (Traffic{}) {
				t.Errorf("%s: traffic %+v, want none", wall, got)
			}
			if _, down := h.Link().Report(); down.Offered != 0 {
				t.Errorf("%s: the link was asked about %d packets", wall, down.Offered)
			}
		}
	}
}

func TestFirewallCostsNoAllocation(t *testing.T) {
	s := newTestNetwork(t)
	c := listenUDP(t, behind(t, s, nat.UDPBlocked, impair.Profile{}))
	to := netip.MustParseAddrPort("127.0.0.1:9")
	b := make([]byte, 1200)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.WriteToAddrPort(b, to) }); n != 0 {
		t.Errorf("%v allocations a packet, want none", n)
	}
}

func TestUDPBlockedLetsStreamsPass(t *testing.T) {
	for _, p := range linkStates() {
		s := newTestNetwork(t)
		h := behind(t, s, nat.UDPBlocked, p)
		roundTrip(t, dialStream(t, h, echo(t, s)), []byte("GET / HTTP/1.1\r\n\r\n"))
		l, err := h.Listen("tcp4", "127.0.0.1:0")
		must(t, err)
		far := dialStream(t, attach(t, s, impair.Profile{}, impair.Profile{}), l.Addr().String())
		c, err := l.Accept()
		must(t, err)
		_, err = far.Write([]byte("hi"))
		must(t, err)
		within(t, c)
		_, err = io.ReadFull(c, make([]byte, 2))
		must(t, err)
	}
}

// TestTLSOnlyRefusesOtherPorts dials addresses for documentation, which nobody has.
func TestTLSOnlyRefusesOtherPorts(t *testing.T) {
	s := newTestNetwork(t)
	h := behind(t, s, nat.TLS443Only, impair.Profile{})
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	for name, dial := range map[string]func() (net.Conn, error){
		"DialContext": func() (net.Conn, error) { return h.DialContext(ctx, "tcp", "192.0.2.1:80") },
		"Dial":        func() (net.Conn, error) { return h.Dial("tcp4", "192.0.2.1:80") },
		"DialTCP": func() (net.Conn, error) {
			return h.DialTCP("tcp4", nil, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80})
		},
		"CreateDialer": func() (net.Conn, error) { return h.CreateDialer(&net.Dialer{}).Dial("tcp", "192.0.2.1:80") },
		"IPv6":         func() (net.Conn, error) { return h.Dial("tcp6", "[2001:db8::1]:80") },
	} {
		start := time.Now()
		_, err := dial()
		var op *net.OpError
		if !errors.As(err, &op) || !errors.Is(err, syscall.ECONNREFUSED) || !strings.Contains(err.Error(), "firewall tls-443-only") {
			t.Errorf("%s: got %v, want it refused by the firewall", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: refused after %v, want at once", name, took)
		}
	}
}

func TestTLSOnlyLooksAtAddresses(t *testing.T) {
	asked := 0
	for name, d := range map[string]*net.Dialer{
		"Control":        {Control: func(string, string, syscall.RawConn) error { asked++; return nil }},
		"ControlContext": {ControlContext: func(context.Context, string, string, syscall.RawConn) error { asked++; return nil }},
		"neither":        {},
	} {
		strict := newFirewall(nat.TLS443Only).dialer(d)
		for address, want := range map[string]bool{
			"192.0.2.1:443": true, "[2001:db8::1]:443": true, "[fe80::1%eth0]:443": true,
			"127.0.0.1:9999": true, "127.1.2.3:9999": true, "[::1]:9999": true, "[::ffff:127.0.0.1]:9999": true,
			"192.0.2.1:80": false, "192.0.2.1:4433": false, "[2001:db8::1]:5349": false, "nonsense": false,
		} {
			if got := strict.ControlContext(context.Background(), "tcp", address, nil) == nil; got != want {
				t.Errorf("%s: %s passes: %v, want %v", name, address, got, want)
			}
		}
		if newFirewall(nat.UDPBlocked).dialer(d) != d || newFirewall("").dialer(d) != d {
			t.Errorf("%s: other firewalls change the dialer", name)
		}
	}
	if asked != 2*7 {
		t.Errorf("the program's own control was asked %d times, want 14", asked)
	}
}

func TestTLSOnlyLetsTLSPass(t *testing.T) {
	certificate, roots, err := identity.TLS("localhost")
	must(t, err)
	for _, p := range linkStates() {
		s := newTestNetwork(t)
		h := behind(t, s, nat.TLS443Only, p)
		server := echo(t, s)
		roundTrip(t, dialStream(t, h, server), append(hello(), make([]byte, 10_000)...))
		slow := dialStream(t, h, server)
		for _, b := range hello() { // byte by byte
			roundTrip(t, slow, []byte{b})
		}
		roundTrip(t, slow, []byte("anything"))

		l, err := attach(t, s, impair.Profile{}, impair.Profile{}).Listen("tcp4", "127.0.0.1:0")
		must(t, err)
		served := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				c = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*certificate}})
				_, err = io.CopyN(c, c, 4)
			}
			served <- err
		}()
		c := tls.Client(dialStream(t, h, l.Addr().String()), &tls.Config{RootCAs: roots, ServerName: "localhost"})
		roundTrip(t, c, []byte("ping"))
		must(t, <-served)
	}
}

func TestTLSOnlyResetsOthers(t *testing.T) {
	for _, p := range linkStates() {
		for name, writes := range map[string][]string{
			"HTTP":           {"GET / HTTP/1.1\r\n\r\n"},
			"TURN":           {"\x00\x03\x00\x08\x21\x12\xa4\x42"},
			"a late change":  {"\x16", "\x03", "GET"},
			"no ClientHello": {"\x16\x03\x03\x00\x10\x02"},
		} {
			s := newTestNetwork(t)
			l, err := attach(t, s, impair.Profile{}, impair.Profile{}).Listen("tcp4", "127.0.0.1:0")
			must(t, err)
			c := dialStream(t, behind(t, s, nat.TLS443Only, p), l.Addr().String())
			far, err := l.Accept()
			must(t, err)
			within(t, c)
			reading := make(chan error, 1)
			go func() {
				_, err := c.Read(make([]byte, 1))
				reading <- err
			}()
			for _, w := range writes {
				_, err = c.Write([]byte(w))
			}
			var op *net.OpError
			if !errors.As(err, &op) || !errors.Is(err, syscall.ECONNRESET) || !strings.Contains(err.Error(), "firewall tls-443-only") {
				t.Errorf("%s: the last write returns %v, want it reset by the firewall", name, err)
			}
			if err := <-reading; err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: a waiting read goes on", name)
			}
			if _, err := c.Write(hello()); err == nil {
				t.Errorf("%s: a second try passes", name)
			}
			within(t, far)
			got, err := io.ReadAll(far)
			if len(got) > 2 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: the far end got %q and %v, want a reset", name, got, err)
			}
		}
	}
}

func TestTLSOnlyTurnsStreamsAway(t *testing.T) {
	s := newTestNetwork(t)
	l, err := behind(t, s, nat.TLS443Only, impair.Profile{}).Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	far, err := attach(t, s, impair.Profile{}, impair.Profile{}).DialContext(ctx, "tcp", l.Addr().String())
	if err == nil { // the kernel may have connected before it was told
		within(t, far)
		_, err = far.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	must(t, l.Close())
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accepting ended with %v, want it closed and nothing before", err)
	}
}
