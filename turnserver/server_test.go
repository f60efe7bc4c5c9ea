package turnserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/stun/v3"
	"github.com/pion/turn/v4"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestRelayEchoes(t *testing.T) {
	for _, transport := range []string{UDP, TCP, TLS} {
		t.Run(transport, func(t *testing.T) {
			s := start(t, withTLS(t))
			user, password := s.Credentials("bob", time.Minute)
			relay := allocate(t, dial(t, s, transport, user, password))
			peer := listenPeer(t)
			buf := make([]byte, 1500)

			const rounds = 20
			var bytes uint64
			for i := range rounds {
				// Lengths from 1 up: short messages must not wait for the next one.
				text := strings.Repeat("x", i+1)
				bytes += uint64(len(text))
				if _, err := relay.WriteTo([]byte(text), peer.LocalAddr()); err != nil {
					t.Fatal(err)
				}
				n, from := receive(t, peer, buf)
				if got := string(buf[:n]); got != text {
					t.Fatalf("peer got %q, want %q", got, text)
				}
				if got, want := from.String(), relay.LocalAddr().String(); got != want {
					t.Fatalf("peer saw %s, want the relayed address %s", got, want)
				}
				// Over TCP pion's client has the framing fault that the server's guard works round.
				answer := text + strings.Repeat("y", 8)
				if _, err := peer.WriteTo([]byte(answer), from); err != nil {
					t.Fatal(err)
				}
				if n, _ = receive(t, relay, buf); string(buf[:n]) != answer {
					t.Fatalf("client got %q, want %q", buf[:n], answer)
				}
			}
			st := s.Stats()
			want := Stats{
				Allocations: 1, AllocationsTotal: 1,
				ToPeers: Flow{rounds, bytes}, ToClients: Flow{rounds, bytes + 8*rounds},
				RelayOut: Flow{rounds, bytes + 28*rounds}, RelayIn: Flow{rounds, bytes + 36*rounds},
				ClientIn: st.ClientIn, ClientOut: st.ClientOut, // framing and requests depend on timing
			}
			if diff := cmp.Diff(want, st); diff != "" {
				t.Errorf("stats (-want +got):\n%s", diff)
			}
			if st.ClientIn.Packets < rounds || st.ClientOut.Packets < rounds {
				t.Errorf("client side moved %+v in, %+v out, want at least %d packets each", st.ClientIn, st.ClientOut, rounds)
			}
		})
	}
}

func TestWireCountIsExact(t *testing.T) {
	s := start(t, nil)
	const requests = 3
	client := dial(t, s, UDP, "alice", "wonder")
	for range requests {
		if _, err := client.SendBindingRequest(); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Stats()
	// A Binding request is 20 bytes; the answer adds XOR-MAPPED-ADDRESS (12) and FINGERPRINT (8).
	want := Stats{ClientIn: Flow{requests, requests * (20 + 28)}, ClientOut: Flow{requests, requests * (40 + 28)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
	if want := uint64(requests * (20 + 40 + 2*28)); got.WireBytes() != want {
		t.Errorf("wire bytes: got %d, want %d", got.WireBytes(), want)
	}
	eventually(t, func() bool { // the link counts what has left
		host := s.cfg.Host.Link().Traffic()
		return host.UpBytes == got.ClientOut.Bytes && host.DownBytes == got.ClientIn.Bytes
	})
}

func TestCredentialsAreChecked(t *testing.T) {
	s := start(t, nil)
	user, password := s.Credentials("bob", time.Minute)
	expired, expiredPassword := s.Credentials("bob", -time.Second)
	for _, c := range []struct{ name, user, password string }{
		{"wrong REST password", user, "guess"},
		{"wrong static password", "alice", "guess"},
		{"unknown user", "carol", "wonder"},
		{"expired", expired, expiredPassword},
		{"expiry moved", strings.Replace(user, "1", "2", 1), password},
		{"other user's name", user + "by", password},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.Stats().Refused.Credentials
			if _, err := dial(t, s, UDP, c.user, c.password).Allocate(); err == nil {
				t.Fatal("allocation made, want it refused")
			}
			if got := s.Stats().Refused.Credentials - before; got != 1 {
				t.Errorf("refused %d requests, want 1", got)
			}
		})
	}
	allocate(t, dial(t, s, UDP, "alice", "wonder"))
}

func TestCredentialsDefaultLifetime(t *testing.T) {
	s := start(t, func(c *Config) { c.AuthTTL = time.Hour })
	user, _ := s.Credentials("bob", 0)
	expiry, ok := expiryOf(user)
	if left := time.Until(expiry); !ok || left < 59*time.Minute || left > time.Hour {
		t.Errorf("credential %q lasts %v, want an hour", user, left)
	}
}

func TestQuotas(t *testing.T) {
	s := start(t, func(c *Config) { c.PeerQuota, c.TotalQuota = 2, 3 })
	refused := func(user, password string) {
		t.Helper()
		_, err := dial(t, s, UDP, user, password).Allocate()
		if err == nil || !strings.Contains(err.Error(), "486") {
			t.Errorf("allocate over quota: got %v, want 486", err)
		}
	}
	user, password := s.Credentials("bob", time.Minute)
	first := allocate(t, dial(t, s, UDP, user, password))
	user, password = s.Credentials("bob", 2*time.Minute) // the same user under another credential
	allocate(t, dial(t, s, TCP, user, password))
	refused(user, password)

	allocate(t, dial(t, s, UDP, "alice", "wonder"))
	refused("alice", "wonder") // of the total

	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Allocations == 2 })
	allocate(t, dial(t, s, UDP, user, password))
	if got := s.Stats(); got.Refused.Quota != 2 || got.Allocations != 3 || got.AllocationsTotal != 4 {
		t.Errorf("got %d refused, %d now, %d ever; want 2, 3, 4", got.Refused.Quota, got.Allocations, got.AllocationsTotal)
	}
}

// eventually waits for what happens on another goroutine of the server.
func eventually(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("nothing happened within 10 s")
		}
	}
}

func TestClosedStreamEndsItsAllocation(t *testing.T) {
	s := start(t, nil)
	conn, err := newTestHost(t).Dial("tcp", s.sockets.tcpAddr.String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: s.sockets.tcpAddr.String(), Conn: turn.NewSTUNConn(conn), Net: newTestHost(t),
		Username: "alice", Password: "wonder", LoggerFactory: logFactory{discard()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	relay, err := client.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Allocations == 0 })
	client.Close()
	_ = relay.Close() // its connection is gone
}

func TestPeersAreRefused(t *testing.T) {
	s := start(t, func(c *Config) { c.AllowPeers = nil })
	client := dial(t, s, UDP, "alice", "wonder")
	allocate(t, client)
	for _, ip := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1", "0.0.0.0", "255.255.255.255"} {
		if err := client.CreatePermission(&net.UDPAddr{IP: net.ParseIP(ip), Port: 80}); err == nil {
			t.Errorf("permission for %s given, want it refused", ip)
		}
	}
	if got := s.Stats().Refused.Peers; got != 5 {
		t.Errorf("refused %d peers, want 5", got)
	}
	if err := client.CreatePermission(&net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 80}); err != nil {
		t.Errorf("permission for a public address: %v", err)
	}
}

func TestOwnSocketsAreNoPeers(t *testing.T) {
	s := start(t, nil)
	relay := allocate(t, dial(t, s, UDP, "alice", "wonder"))
	if _, err := relay.WriteTo([]byte("to yourself"), net.UDPAddrFromAddrPort(s.sockets.udpAddr)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Refused.OwnSockets == 1 })
	if got := s.Stats().ToPeers; got != (Flow{}) {
		t.Errorf("relayed %+v, want nothing", got)
	}
}

func TestStrangersAreNotRelayed(t *testing.T) {
	s := start(t, nil)
	relay := allocate(t, dial(t, s, UDP, "alice", "wonder"))
	if _, err := listenPeer(t).WriteTo([]byte("unasked"), relay.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return s.Stats().Refused.Unpermitted == 1 })
	if got := s.Stats().ToClients; got != (Flow{}) {
		t.Errorf("relayed %+v, want nothing", got)
	}
}

func TestRelayPortsStayInTheirRange(t *testing.T) {
	// A free port, found by the system, makes a range of one.
	probe := listenPeer(t)
	port := addrPort(probe.LocalAddr()).Port()
	s := start(t, func(c *Config) { c.RelayMinPort, c.RelayMaxPort = port, port })
	if _, err := dial(t, s, UDP, "alice", "wonder").Allocate(); err == nil {
		t.Fatal("allocation on a port in use, want it refused")
	}
	if got := s.Stats(); got.Allocations != 0 || got.AllocationsTotal != 0 {
		t.Errorf("%d allocations now, %d ever, want none: the place in the quota must be given back", got.Allocations, got.AllocationsTotal)
	}
	min, max := uint16(50_000), uint16(50_099)
	s = start(t, func(c *Config) { c.RelayMinPort, c.RelayMaxPort = min, max })
	for range 3 {
		got := addrPort(allocate(t, dial(t, s, UDP, "alice", "wonder")).LocalAddr()).Port()
		if got < min || got > max {
			t.Errorf("relayed port %d, want one of %d-%d", got, min, max)
		}
	}
}

func TestUnauthenticatedAnswersAreLimited(t *testing.T) {
	s := start(t, func(c *Config) { c.AnswerRate = 3 })
	conn := listenPeer(t)
	request := stun.MustBuild(stun.TransactionID, stun.NewType(stun.MethodAllocate, stun.ClassRequest),
		setter{stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}})
	const requests = 50
	for range requests {
		if _, err := conn.WriteTo(request.Raw, net.UDPAddrFromAddrPort(s.sockets.udpAddr)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() bool {
		st := s.Stats()
		return st.ClientOut.Packets+st.Refused.Answers == requests
	})
	st := s.Stats()
	if st.ClientOut.Packets < 3 || st.ClientOut.Packets > requests/2 {
		t.Errorf("%d answers, want a few", st.ClientOut.Packets)
	}
	buf := make([]byte, 1500)
	if n, _ := receive(t, conn, buf); float64(n) > 2.5*float64(len(request.Raw)) {
		t.Errorf("answer of %d bytes to a request of %d, want at most 2.5 times as many", n, len(request.Raw))
	}
}

func TestOtherProtocolsOverTCPAreCutOff(t *testing.T) {
	s := start(t, nil)
	for name, text := range map[string]string{
		"HTTP":                     "GET / HTTP/1.1\r\n\r\n",
		"length that overflows":    "\x00\x01\xff\xec\x21\x12\xa4\x42aaaaaaaaaaaa",
		"length without a message": "\x00\x01\x00\x03\x21\x12\xa4\x42aaaaaaaaaaaa",
		"TLS":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	} {
		conn, err := newTestHost(t).Dial("tcp", s.sockets.tcpAddr.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(make([]byte, 100))
		var timeout net.Error
		if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: got %d bytes and %v, want the connection closed", name, n, err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	s := start(t, withTLS(t))
	for _, transport := range []string{UDP, TCP, TLS} {
		allocate(t, dial(t, s, transport, "alice", "wonder"))
	}
	for _, at := range []netip.AddrPort{s.sockets.tcpAddr, s.sockets.tlsAddr} {
		idle, err := newTestHost(t).Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close() //nolint:errcheck // the server has closed it
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
	if got := s.Stats(); got.Allocations != 0 || got.AllocationsTotal != 3 {
		t.Errorf("%d allocations now, %d ever; want 0, 3", got.Allocations, got.AllocationsTotal)
	}
	for _, at := range []netip.AddrPort{s.sockets.tcpAddr, s.sockets.tlsAddr} {
		if _, err := newTestHost(t).Dial("tcp", at.String()); err == nil {
			t.Errorf("connected to %s after Close, want the port closed", at)
		}
	}
}

func TestURLs(t *testing.T) {
	s := start(t, withTLS(t))
	port := s.sockets.udpAddr.Port()
	want := []string{
		fmt.Sprintf("turn:127.0.0.1:%d?transport=udp", port),
		fmt.Sprintf("turn:127.0.0.1:%d?transport=tcp", port),
		fmt.Sprintf("turns:127.0.0.1:%d?transport=tcp", s.sockets.tlsAddr.Port()),
	}
	if diff := cmp.Diff(want, s.URLs()); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
	s = &Server{cfg: Config{RelayIP: netip.MustParseAddr("2001:db8::7")}}
	s.sockets.tcpAddr = netip.MustParseAddrPort("[::]:3478") // on all addresses
	s.sockets.tlsAddr = netip.MustParseAddrPort("[::]:443")
	want = []string{"turn:[2001:db8::7]:3478?transport=tcp", "turns:[2001:db8::7]:443?transport=tcp"}
	if diff := cmp.Diff(want, s.URLs()); diff != "" {
		t.Errorf("URLs (-want +got):\n%s", diff)
	}
}

func TestFaultsAreReportedAtOnce(t *testing.T) {
	_, err := New(Config{
		Listen: "localhost", Transports: []string{"sctp", TLS}, ListenTLS: "turn:443", RelayMinPort: 9, RelayMaxPort: 8,
		PeerQuota: -1, Users: map[string]string{"alice": ""},
	})
	for _, want := range []string{`"localhost"`, "no host", `"sctp"`, `"turn:443"`, "certificate", "9-8", "negative", `"alice"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	_, err = New(Config{Host: newTestHost(t), Listen: "0.0.0.0:0"})
	if err == nil || !strings.Contains(err.Error(), "0.0.0.0") {
		t.Errorf("all addresses without a relay address: got %v, want an error", err)
	}
}

func BenchmarkRelayedMessage(b *testing.B) {
	s := start(b, nil)
	relay := allocate(b, dial(b, s, UDP, "alice", "wonder"))
	peer := listenPeer(b)
	payload, buf := make([]byte, 1200), make([]byte, 1500)
	b.ReportAllocs()
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if _, err := relay.WriteTo(payload, peer.LocalAddr()); err != nil {
			b.Fatal(err)
		}
		receive(b, peer, buf)
	}
}
