package network

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/pion/transport/v4"
	"go.uber.org/goleak"
)

// simulate runs f on a simulated network in virtual time, where times are exact.
func simulate(t *testing.T, f func(t *testing.T, s *Simulated)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := NewSimulated(SimulatedConfig{Settle: synctest.Wait})
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if n := s.SocketCount(); n != 0 {
				t.Errorf("got %d sockets open after Close, want 0", n)
			}
		}()
		f(t, s)
	})
}

func join(t testing.TB, s *Simulated, spec HostSpec) *simHost {
	t.Helper()
	h, err := s.Attach(spec)
	must(t, err)
	return h.(*simHost)
}

// plain attaches a public host with these delays up and down.
func plain(t testing.TB, s *Simulated, name string, up, down time.Duration) *simHost {
	t.Helper()
	return join(t, s, HostSpec{Name: name, Up: impair.Profile{Delay: up}, Down: impair.Profile{Delay: down}, Seed: 7})
}

func socket(t testing.TB, h *simHost) *simUDP {
	t.Helper()
	c, err := h.ListenUDP("udp4", nil)
	must(t, err)
	return c.(*simUDP)
}

// where is the address that others on the internet or in the local network send to.
func where(c *simUDP) *net.UDPAddr {
	return &net.UDPAddr{IP: c.host.addr4.AsSlice(), Port: int(c.port)}
}

func send(t testing.TB, c transport.UDPConn, text string, to net.Addr) {
	t.Helper()
	_, err := c.WriteTo([]byte(text), to)
	must(t, err)
}

// receive reads one datagram; ok is false where none comes within a second.
func receive(t testing.TB, c *simUDP) (text string, from *net.UDPAddr, ok bool) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
	b := make([]byte, maxPayload)
	n, addr, err := c.ReadFrom(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", nil, false
	}
	must(t, err)
	return string(b[:n]), addr.(*net.UDPAddr), true
}

func TestSimulatedDelayIsUpPlusDown(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a, b := socket(t, plain(t, s, "a", 17*ms, 100*ms)), socket(t, plain(t, s, "b", 100*ms, 26*ms))
		for range 3 {
			start := time.Now()
			send(t, a, "x", where(b))
			text, from, ok := receive(t, b)
			if took := time.Since(start); took != 43*ms || text != "x" || !ok || from.String() != where(a).String() {
				t.Errorf("got %q from %v after %v, want \"x\" from %v after 43ms", text, from, took, where(a))
			}
		}
		if got := s.Lateness().Max(); got > 1 { // the least that a histogram tells apart
			t.Errorf("got %d µs late, want at most 1", got)
		}
	})
}

func TestSimulatedRate(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		ha := join(t, s, HostSpec{Name: "a", Up: impair.Profile{RateBPS: 1e6, QueueTime: time.Second}})
		a, b := socket(t, ha), socket(t, plain(t, s, "b", 0, 0))
		start := time.Now()
		for range 10 {
			send(t, a, string(make([]byte, 972)), where(b)) // 1000 bytes on the wire
		}
		for i := range 10 {
			_, _, ok := receive(t, b)
			if got, want := time.Since(start), time.Duration(i+1)*8*ms; got != want || !ok {
				t.Errorf("packet %d: got %v, want %v", i, got, want)
			}
		}
	})
}

func TestSimulatedQueueDrops(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		ha := join(t, s, HostSpec{Name: "a", Up: impair.Profile{RateBPS: 1e6, QueueBytes: 5000}})
		a, b := socket(t, ha), socket(t, plain(t, s, "b", 0, 0))
		for range 20 {
			send(t, a, string(make([]byte, 972)), where(b))
		}
		arrived := uint64(0)
		for _, _, ok := receive(t, b); ok; _, _, ok = receive(t, b) {
			arrived++
		}
		up, _ := ha.Link().Report()
		if arrived < 5 || arrived > 6 || up.Delivered != arrived || up.QueuedOut != 20-arrived {
			t.Errorf("got %d arrived, report %+v, want 5 or 6 and the others queued out", arrived, up)
		}
	})
}

func TestSimulatedReadDeadline(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		c := socket(t, plain(t, s, "a", 0, 0))
		start := time.Now()
		_, _, ok := receive(t, c)
		if took := time.Since(start); ok || took != time.Second {
			t.Errorf("got %v after %v, want nothing after 1s", ok, took)
		}
		must(t, c.SetReadDeadline(time.Time{}))
		time.AfterFunc(50*ms, func() { _ = c.Close() })
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed while reading: got %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestSimulatedClosedPort(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		ha, hb := plain(t, s, "a", 10*ms, 10*ms), plain(t, s, "b", 5*ms, 5*ms)
		to := &net.UDPAddr{IP: hb.addr4.AsSlice(), Port: 9}
		connected, err := ha.DialUDP("udp4", nil, to)
		must(t, err)
		start := time.Now()
		_, err = connected.Write([]byte("x"))
		must(t, err)
		must(t, connected.SetReadDeadline(start.Add(time.Second)))
		_, err = connected.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, syscall.ECONNREFUSED) || took != 30*ms {
			t.Errorf("connected: got %v after %v, want %v after 30ms", err, took, syscall.ECONNREFUSED)
		}
		free := socket(t, ha)
		send(t, free, "x", to)
		if text, _, ok := receive(t, free); ok {
			t.Errorf("not connected: got %q, want nothing", text)
		}
	})
}

func TestSimulatedPorts(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		h := plain(t, s, "a", 0, 0)
		_, err := h.ListenPacket("udp4", ":5000")
		must(t, err)
		if _, err := h.ListenPacket("udp4", ":5000"); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("taken: got %v, want %v", err, syscall.EADDRINUSE)
		}
		if _, err := h.ListenPacket("udp4", "192.0.2.1:0"); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("address of others: got %v, want %v", err, syscall.EADDRNOTAVAIL)
		}
		last := socket(t, h)
		for range lastEphemeral - firstEphemeral {
			last = socket(t, h)
		}
		if _, err := h.ListenUDP("udp4", nil); !errors.Is(err, syscall.EADDRNOTAVAIL) {
			t.Errorf("exhausted: got %v, want %v", err, syscall.EADDRNOTAVAIL)
		}
		must(t, last.Close())
		if again := socket(t, h); again.port != last.port {
			t.Errorf("got port %d, want the freed %d", again.port, last.port)
		}
	})
}

// TestSimulatedOnTheWallClock carries packets without virtual time, and leaves nothing running.
func TestSimulatedOnTheWallClock(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	s := NewSimulated(SimulatedConfig{})
	a, b := socket(t, plain(t, s, "a", 20*ms, 0)), socket(t, plain(t, s, "b", 0, 10*ms))
	within(t, b)
	start := time.Now()
	for range 100 {
		send(t, a, "x", where(b))
	}
	for range 100 {
		_, err := b.Read(make([]byte, 10))
		must(t, err)
	}
	if took := time.Since(start); took < 30*ms || took > patient {
		t.Errorf("took %v, want 30 ms", took)
	}
	send(t, a, "under way", where(b))
	must(t, s.Close())
	must(t, s.Close())
	if n := s.SocketCount(); n != 0 {
		t.Errorf("got %d sockets open after Close, want 0", n)
	}
	if _, err := s.Attach(HostSpec{Name: "c"}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, net.ErrClosed)
	}
}
