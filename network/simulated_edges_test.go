package network

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// TestSimulatedCloseFreesTheWriter has an end close over bytes that it never read: whoever waits to
// write more is told.
func TestSimulatedCloseFreesTheWriter(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		near, far := joined(t, plain(t, s, "a", 5*ms, 5*ms), plain(t, s, "b", 5*ms, 5*ms))
		done := make(chan error, 1)
		go func() {
			_, err := near.Write(make([]byte, 3*window))
			done <- err
		}()
		time.Sleep(time.Second) // the window is full
		must(t, far.Close())
		select {
		case err := <-done:
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset", err)
			}
		case <-time.After(time.Second):
			t.Error("the writer still waits")
			must(t, near.Close())
			if err := <-done; err == nil {
				t.Error("all was written though nobody reads")
			}
		}
	})
}

// TestSimulatedFirewallsKeepOut has nothing come in that a host has not asked for.
func TestSimulatedFirewallsKeepOut(t *testing.T) {
	for _, f := range []nat.Firewall{nat.UDPBlocked, nat.TLS443Only} {
		t.Run(string(f), func(t *testing.T) {
			simulate(t, func(t *testing.T, s *Simulated) {
				inside, outside := join(t, s, HostSpec{Name: "in", Firewall: f}), plain(t, s, "out", 10*ms, 10*ms)
				c, l := socket(t, inside), serve(t, inside, ":443")
				send(t, socket(t, outside), "x", where(c))
				if text, _, ok := receive(t, c); ok {
					t.Errorf("a datagram came in: %q", text)
				}
				start := time.Now()
				conn, err := outside.Dial("tcp", net.JoinHostPort(inside.addr4.String(), "443"))
				if f == nat.UDPBlocked {
					must(t, err)
					must(t, conn.Close())
				} else if !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) != 20*ms {
					t.Errorf("dialling in: got %v after %v, want refused after 20 ms", err, time.Since(start))
				}
				must(t, l.Close())
			})
		})
	}
}

// TestSimulatedResetReachesBothEnds has a firewall that looks for TLS end a stream at both ends.
func TestSimulatedResetReachesBothEnds(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		inside, outside := join(t, s, HostSpec{Name: "in", Firewall: nat.TLS443Only, Gateway: nat.Gateway{NAT: nat.NAT{Kind: nat.Symmetric}}}), plain(t, s, "out", 5*ms, 5*ms)
		l := serve(t, outside, ":443")
		near, err := inside.Dial("tcp", net.JoinHostPort(outside.addr4.String(), "443"))
		must(t, err)
		far, err := l.Accept()
		must(t, err)
		_, err = near.Write([]byte("GET / HTTP/1.1\r\n"))
		must(t, err)
		for name, c := range map[string]net.Conn{"near": near, "far": far} {
			must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
			if n, err := c.Read(make([]byte, 10)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%s: got %d bytes, %v, want a reset", name, n, err)
			}
		}
	})
}

func TestSimulatedFamiliesAreApart(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a, b := plain(t, s, "a", 0, 0), plain(t, s, "b", 0, 0)
		c := socket(t, b) // udp4
		from, err := a.ListenUDP("udp6", nil)
		must(t, err)
		send(t, from, "x", net.UDPAddrFromAddrPort(netip.AddrPortFrom(b.addr6, c.port)))
		if text, _, ok := receive(t, c); ok {
			t.Errorf("a udp4 socket got %q over IPv6", text)
		}
	})
}

func TestSimulatedAttachRefuses(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		_, err := s.Attach(HostSpec{Name: "x", Firewall: "moat", Gateway: nat.Gateway{NAT: nat.NAT{Kind: "sieve"}}})
		for _, want := range []string{"moat", "sieve"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	})
}

func TestSimulatedFragmentSizes(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("[2001:db8::1]:1")
	for _, c := range []struct {
		to            netip.AddrPort
		payload       int
		packets, size int
	}{
		{four, 1472, 1, 1500},
		{four, 1473, 2, 1481 + 2*20},
		{four, 2952, 2, 2960 + 2*20},
		{four, 2953, 3, 2961 + 3*20},
		{six, 1452, 1, 1500},
		{six, 1453, 2, 1461 + 2*48},
		{six, 2888, 2, 2896 + 2*48},
		{six, 2889, 3, 2897 + 3*48},
	} {
		p := &datagram{buf: make([]byte, c.payload)}
		p.dst = c.to
		if packets, size := wire(p); packets != c.packets || size != c.size {
			t.Errorf("%d bytes to %v: got %d packets, %d bytes, want %d, %d", c.payload, c.to, packets, size, c.packets, c.size)
		}
	}
}

func TestSimulatedSameEndsTwice(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a, b := plain(t, s, "a", ms, ms), plain(t, s, "b", ms, ms)
		l := serve(t, b, ":80")
		to := &net.TCPAddr{IP: b.addr4.AsSlice(), Port: 80}
		first, err := a.DialTCP("tcp4", &net.TCPAddr{Port: 5000}, to)
		must(t, err)
		if _, err := a.DialTCP("tcp4", &net.TCPAddr{Port: 5000}, to); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("got %v, want the address in use", err)
		}
		far, err := l.Accept()
		must(t, err)
		must(t, first.Close())
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the first stream's end", err)
		}
		if ip, err := a.ResolveIPAddr("", "b"); err != nil || !ip.IP.Equal(b.addr4.AsSlice()) {
			t.Errorf("got %v, %v, want the address of b", ip, err)
		}
	})
}
