package turnserver

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/turn/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newTestHost puts a host without a link on the machine's own network.
func newTestHost(tb testing.TB) network.Host {
	tb.Helper()
	sockets := network.NewSockets(network.SocketsConfig{})
	tb.Cleanup(func() {
		if err := sockets.Close(); err != nil {
			tb.Errorf("close network: %v", err)
		}
	})
	host, err := sockets.Attach(network.HostSpec{Name: tb.Name()})
	if err != nil {
		tb.Fatal(err)
	}
	return host
}

// start runs a server on loopback that may relay to loopback, unless the test says otherwise.
func start(tb testing.TB, change func(*Config)) *Server {
	tb.Helper()
	cfg := Config{Host: newTestHost(tb), Users: map[string]string{"alice": "wonder"}, AllowPeers: loopback()}
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close server: %v", err)
		}
	})
	return s
}

// withTLS has a server speak TLS, too.
func withTLS(tb testing.TB) func(*Config) {
	tb.Helper()
	certificate, _, err := identity.TLS("127.0.0.1")
	if err != nil {
		tb.Fatal(err)
	}
	return func(c *Config) { c.Transports, c.Certificate = []string{UDP, TCP, TLS}, certificate }
}

// trusting is a client's side of TLS to a server.
func trusting(s *Server) *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.cfg.Certificate.Leaf)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} }

// dial makes a listening TURN client.
func dial(tb testing.TB, s *Server, transport, user, password string) *turn.Client {
	tb.Helper()
	host, addr := newTestHost(tb), s.sockets.udpAddr
	var conn net.PacketConn
	var err error
	switch transport {
	case TCP, TLS:
		if addr = s.sockets.tcpAddr; transport == TLS {
			addr = s.sockets.tlsAddr
		}
		var c net.Conn
		if c, err = host.Dial("tcp", addr.String()); err != nil {
			break
		}
		if transport == TLS {
			c = tls.Client(c, trusting(s))
		}
		conn = turn.NewSTUNConn(c)
	default:
		conn, err = host.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	}
	if err != nil {
		tb.Fatal(err)
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: addr.String(), TURNServerAddr: addr.String(), Conn: conn, Net: host,
		Username: user, Password: password, LoggerFactory: logFactory{discard()},
	})
	if err != nil {
		tb.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		client.Close()
		_ = conn.Close() // the client may have closed it
	})
	return client
}

// allocate makes an allocation that ends with the test.
func allocate(tb testing.TB, c *turn.Client) net.PacketConn {
	tb.Helper()
	relay, err := c.Allocate()
	if err != nil {
		tb.Fatalf("allocate: %v", err)
	}
	tb.Cleanup(func() {
		_ = relay.Close() // the server may be gone already
	})
	return relay
}

// listenPeer opens a socket that plays the peer.
func listenPeer(tb testing.TB) net.PacketConn {
	tb.Helper()
	conn, err := newTestHost(tb).ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(); err != nil {
			tb.Errorf("close peer: %v", err)
		}
	})
	return conn
}

// receive reads one packet, which must arrive within 10 s.
func receive(tb testing.TB, c net.PacketConn, buf []byte) (int, net.Addr) {
	tb.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		tb.Fatal(err)
	}
	n, from, err := c.ReadFrom(buf)
	if err != nil {
		tb.Fatalf("receive: %v", err)
	}
	return n, from
}
