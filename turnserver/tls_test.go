package turnserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
)

// dialTLS connects to the server's TLS port and says nothing yet.
func dialTLS(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := newTestHost(t).Dial("tcp", s.sockets.tlsAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close() // either end may have closed it
	})
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestUntrustedServer(t *testing.T) {
	s := start(t, withTLS(t))
	config := trusting(s)
	config.RootCAs = x509.NewCertPool()
	err := tls.Client(dialTLS(t, s), config).Handshake()
	if want := (x509.UnknownAuthorityError{}); !errors.As(err, &want) {
		t.Errorf("got %v, want an unknown authority", err)
	}
	allocate(t, dial(t, s, TLS, "alice", "wonder"))
}

func TestOtherProtocolsOverTLSAreCutOff(t *testing.T) {
	s := start(t, withTLS(t))
	plain := map[string]string{
		"HTTP":         "GET / HTTP/1.1\r\n\r\n",
		"plain TURN":   "\x00\x03\x00\x08\x21\x12\xa4\x42aaaaaaaaaaaa\x00\x19\x00\x04\x11\x00\x00\x00",
		"channel data": "\x40\x00\x00\x04abcd",
	}
	dialTLS(t, s) // says nothing and holds up nobody
	for name, text := range plain {
		conn := dialTLS(t, s)
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		wantCut(t, name, conn)
	}
	if got := s.Stats().Refused.Streams; got != uint64(len(plain)) {
		t.Errorf("refused %d connections that are not TLS, want %d", got, len(plain))
	}
	conn := tls.Client(dialTLS(t, s), trusting(s))
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	wantCut(t, "HTTPS", conn)
	allocate(t, dial(t, s, TLS, "alice", "wonder"))
}

// wantCut waits for the end of a connection.
func wantCut(t *testing.T, name string, conn net.Conn) {
	t.Helper()
	n, err := conn.Read(make([]byte, 100))
	var timeout net.Error
	if n > 0 || err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("%s: got %d bytes and %v, want the connection closed", name, n, err)
	}
}

// TestTLSOnTheWire compares what the server counts with what crosses the connection.
func TestTLSOnTheWire(t *testing.T) {
	s := start(t, withTLS(t))
	wire := &meter{Conn: dialTLS(t, s)}
	conn := tls.Client(wire, trusting(s))
	ask := func() {
		t.Helper()
		if _, err := conn.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
	}
	ask() // with the handshake
	sent, received, before := wire.sent, wire.received, s.Stats()
	const requests = 5
	for range requests {
		ask()
	}
	got := s.Stats()
	const headers = requests * (20 + 32) // of IP and TCP
	want := Flow{requests, uint64(wire.sent-sent) + headers}
	if in := (Flow{got.ClientIn.Packets - before.ClientIn.Packets, got.ClientIn.Bytes - before.ClientIn.Bytes}); in != want {
		t.Errorf("in: counted %+v, want %+v", in, want)
	}
	want = Flow{requests, uint64(wire.received-received) + headers}
	if out := (Flow{got.ClientOut.Packets - before.ClientOut.Packets, got.ClientOut.Bytes - before.ClientOut.Bytes}); out != want {
		t.Errorf("out: counted %+v, want %+v", out, want)
	}
}

// meter counts the bytes of a connection that one goroutine uses.
type meter struct {
	net.Conn
	sent, received int
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.sent += n
	return n, err
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.received += n
	return n, err
}

// tlsPipe is a guarded TLS stream and the bare end of its client.
func tlsPipe(t *testing.T) (*guardedStream, net.Conn) {
	t.Helper()
	cfg := Config{}
	withTLS(t)(&cfg)
	return pipeWith(t, cfg.tls())
}

// clientHello is how a client begins.
func clientHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- tls.Client(near, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).Handshake()
	}()
	hello := make([]byte, 4096)
	n, err := far.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		t.Fatal(err)
	}
	if <-done == nil {
		t.Error("shook hands with nobody")
	}
	return hello[:n]
}

func TestHalfOpenHandshakesEnd(t *testing.T) {
	first := clientHello(t)
	for name, c := range map[string]struct {
		write func(far net.Conn)
		want  time.Duration
	}{
		"silent":            {func(net.Conn) {}, firstFrameWait},
		"half a hello":      {func(far net.Conn) { _, _ = far.Write(first[:40]) }, firstFrameWait},
		"reads no answer":   {func(far net.Conn) { _, _ = far.Write(first) }, writeWait},
		"one byte a second": {func(far net.Conn) { drip(far, first) }, firstFrameWait},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, far := tlsPipe(t)
			var writing sync.WaitGroup
			writing.Go(func() { c.write(far) })
			start := time.Now()
			if _, err := s.Read(make([]byte, 1600)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: got %v, want a timeout", name, err)
			}
			if got := time.Since(start); got != c.want {
				t.Errorf("%s: ended after %v, want %v", name, got, c.want)
			}
			if err := errors.Join(s.Close(), far.Close()); err != nil {
				t.Error(err)
			}
			writing.Wait()
		})
	}
}

// drip writes a byte a second until it cannot.
func drip(c net.Conn, b []byte) {
	for i := range b {
		if _, err := c.Write(b[i : i+1]); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// TestTransportsStandAlone opens one transport at a time.
func TestTransportsStandAlone(t *testing.T) {
	for _, transport := range []string{UDP, TCP, TLS} {
		s := start(t, func(c *Config) {
			withTLS(t)(c)
			c.Transports = []string{transport}
		})
		if got := s.URLs(); len(got) != 1 {
			t.Errorf("%s: reached at %v, want one URL", transport, got)
		}
		allocate(t, dial(t, s, transport, "alice", "wonder"))
	}
}

func TestTLSListensWhereItIsTold(t *testing.T) {
	probe, err := newTestHost(t).ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	at := probe.Addr().String() // free in a moment
	if err := probe.Close(); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *Config) {
		withTLS(t)(c)
		c.ListenTLS = at
	})
	if want := "turns:" + at + "?transport=tcp"; !slices.Contains(s.URLs(), want) {
		t.Errorf("reached at %v, want %s", s.URLs(), want)
	}
	if !s.sockets.own(s.sockets.tlsAddr, s.cfg.RelayIP) {
		t.Error("the TLS socket is not the server's own")
	}
}

// TestOnASimulatedNetwork allocates over every transport at an address that no machine has.
func TestOnASimulatedNetwork(t *testing.T) {
	sim := network.NewSimulated(network.SimulatedConfig{})
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
	})
	host, err := sim.Attach(network.HostSpec{Name: "turn"})
	if err != nil {
		t.Fatal(err)
	}
	ip := firstAddr(t, host)
	certificate, roots, err := identity.TLS(ip.String())
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *Config) {
		c.Host, c.Transports, c.Certificate = host, []string{UDP, TCP, TLS}, certificate
		c.Listen, c.ListenTLS = netip.AddrPortFrom(ip, 3478).String(), netip.AddrPortFrom(ip, 443).String()
	})
	want := []string{
		"turn:" + ip.String() + ":3478?transport=udp", "turn:" + ip.String() + ":3478?transport=tcp",
		"turns:" + ip.String() + ":443?transport=tcp",
	}
	if got := s.URLs(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	peer, err := sim.Attach(network.HostSpec{Name: "peer"})
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{TCP, TLS} {
		port := ":3478"
		if transport == TLS {
			port = ":443"
		}
		conn, err := peer.Dial("tcp4", ip.String()+port)
		if err != nil {
			t.Fatal(err)
		}
		if transport == TLS {
			conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: ip.String(), MinVersion: tls.VersionTLS12})
		}
		client, err := turn.NewClient(&turn.ClientConfig{
			TURNServerAddr: ip.String() + port, Conn: turn.NewSTUNConn(conn), Net: peer,
			Username: "alice", Password: "wonder", LoggerFactory: logFactory{discard()},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Listen(); err != nil {
			t.Fatal(err)
		}
		relay := allocate(t, client)
		if !strings.HasPrefix(relay.LocalAddr().String(), ip.String()+":") {
			t.Errorf("%s: relayed at %v, want an address of %v", transport, relay.LocalAddr(), ip)
		}
		if err := relay.Close(); err != nil {
			t.Error(err)
		}
		client.Close()
		_ = conn.Close() // the client may have closed it
	}
}

// firstAddr is a host's first IPv4 address.
func firstAddr(t *testing.T, h network.Host) netip.Addr {
	t.Helper()
	addrs, err := localAddrs(h)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(addrs, netip.Addr.Is4)
	if i < 0 {
		t.Fatalf("no IPv4 address among %v", addrs)
	}
	return addrs[i]
}
