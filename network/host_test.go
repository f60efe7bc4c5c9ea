package network

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// TestCrash closes what a host has open, in either state of its link, and uses the host again.
func TestCrash(t *testing.T) {
	for _, p := range []impair.Profile{{}, {Delay: 5 * ms}} {
		s := newTestNetwork(t)
		h := attach(t, s, p, p)
		c, server := listenUDP(t, h), echo(t, s)
		stream := dialStream(t, h, server)
		roundTrip(t, stream, []byte("alive")) // the server's end is open, too
		open := s.SocketCount()
		got := make(chan error, 2)
		go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
		go func() { _, err := stream.Read(make([]byte, 1)); got <- err }()
		time.Sleep(5 * ms)
		h.Crash()
		for range 2 {
			if err := <-got; !errors.Is(err, net.ErrClosed) {
				t.Errorf("waiting read: got %v", err)
			}
		}
		if n := s.SocketCount(); n > open-2 {
			t.Errorf("%d sockets open, %d before", n, open)
		}
		listenUDP(t, h)
		roundTrip(t, dialStream(t, h, server), []byte("alive"))
	}
}

func TestCountedListeners(t *testing.T) {
	s := newTestNetwork(t)
	h, client := attach(t, s, impair.Profile{}, impair.Profile{}), attach(t, s, impair.Profile{}, impair.Profile{})
	tcp, err := h.ListenTCP("tcp4", nil)
	must(t, err)
	plain, err := h.CreateListenConfig(&net.ListenConfig{}).Listen(context.Background(), "tcp4", ":0")
	must(t, err)
	for i, l := range []net.Listener{tcp, plain} {
		c := dialStream(t, client, l.Addr().String())
		_, err := c.Write([]byte("hi"))
		must(t, err)
		var accepted net.Conn
		if i == 0 {
			must(t, tcp.SetDeadline(time.Now().Add(patient)))
			accepted, err = tcp.AcceptTCP()
		} else {
			accepted, err = l.Accept()
		}
		must(t, err)
		within(t, accepted)
		_, err = io.ReadFull(accepted, make([]byte, 2))
		must(t, err)
		if accepted.RemoteAddr().String() != c.LocalAddr().String() {
			t.Errorf("accepted from %v, dialled from %v", accepted.RemoteAddr(), c.LocalAddr())
		}
	}
	if got, want := h.Link().Traffic(), (Traffic{DownPackets: 2, DownBytes: 2 * 42}); got != want {
		t.Errorf("traffic: got %+v, want %+v", got, want)
	}
	if got := client.Link().Traffic(); got != (Traffic{}) {
		t.Errorf("signaling counted: %+v", got)
	}
}

// TestKernelErrorsReachTheReader has a connected socket write to a port where nobody is.
func TestKernelErrorsReachTheReader(t *testing.T) {
	for _, p := range []impair.Profile{{}, {Delay: ms}} {
		s := newTestNetwork(t)
		h := attach(t, s, impair.Profile{}, p)
		gone := listenUDP(t, h)
		to := addrOf(gone)
		must(t, gone.Close())
		c, err := h.DialUDP("udp4", nil, to)
		must(t, err)
		_, err = c.Write([]byte("x"))
		must(t, err)
		within(t, c)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("got %v, want refused", err)
		}
	}
}

func TestWritesTheKernelRefuses(t *testing.T) {
	for _, p := range []impair.Profile{{}, {Delay: ms}} {
		s := newTestNetwork(t)
		c := listenUDP(t, attach(t, s, p, impair.Profile{}))
		for name, write := range map[string]func() (int, error){
			"no address":   func() (int, error) { return c.Write([]byte("x")) },
			"nil":          func() (int, error) { return c.WriteTo([]byte("x"), nil) },
			"TCP address":  func() (int, error) { return c.WriteTo([]byte("x"), &net.TCPAddr{}) },
			"nil UDP":      func() (int, error) { return c.WriteToUDP([]byte("x"), nil) },
			"wrong family": func() (int, error) { return c.WriteToUDP([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 9}) },
			"too long":     func() (int, error) { return c.WriteToUDP(make([]byte, 65530), addrOf(c)) },
		} {
			if _, err := write(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if got := c.host.link.Traffic(); got != (Traffic{}) {
			t.Errorf("refused packets counted: %+v", got)
		}
	}
}
