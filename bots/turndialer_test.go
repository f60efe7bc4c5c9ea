package bots

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/turnserver"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestServersOverTLS(t *testing.T) {
	got := overTLS([]webrtc.ICEServer{
		{URLs: []string{"stun:a.test", "turn:a.test", "turn:a.test:443?transport=tcp", "turns:b.test", "nonsense"}},
		{URLs: []string{"turns:198.18.0.2:443?transport=tcp", "turns:[2001:db8::2]:443", "turns:c.test?transport=udp"}},
	})
	want := map[string]string{
		"b.test:5349": "b.test", "198.18.0.2:443": "198.18.0.2", "[2001:db8::2]:443": "2001:db8::2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

// newHosts attaches hosts to the machine's own network.
func newHosts(t *testing.T, n int) []network.Host {
	t.Helper()
	sockets := network.NewSockets(network.SocketsConfig{})
	t.Cleanup(func() {
		if err := sockets.Close(); err != nil {
			t.Error(err)
		}
	})
	hosts := make([]network.Host, n)
	for i := range hosts {
		var err error
		if hosts[i], err = sockets.Attach(network.HostSpec{Name: t.Name()}); err != nil {
			t.Fatal(err)
		}
	}
	return hosts
}

// greet accepts one connection after the other and greets each until the listener closes.
func greet(t *testing.T, h network.Host, secure *tls.Config) string {
	t.Helper()
	l, err := h.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if secure != nil {
				c = tls.Server(c, secure)
			}
			_, _ = c.Write([]byte("hello")) // who does not trust us does not listen
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String()
}

func TestTURNDialer(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	hosts := newHosts(t, 2)
	certificate, roots, err := identity.TLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	plain := greet(t, hosts[0], nil)
	secure := greet(t, hosts[0], &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
	servers := []webrtc.ICEServer{{URLs: []string{"turn:" + plain + "?transport=tcp", "turns:" + secure + "?transport=tcp"}}}
	d := newTURNDialer(context.Background(), hosts[1], servers, roots)
	for _, at := range []string{plain, secure} {
		c, err := d.Dial("tcp4", at)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if string(got) != "hello" || err != nil {
			t.Errorf("%s: got %q and %v, want hello", at, got, err)
		}
		if _, ok := c.(*turnStreamConn).Conn.(*tls.Conn); ok != (at == secure) {
			t.Errorf("%s: got a %T", at, c)
		}
		if _, ok := c.LocalAddr().(*net.TCPAddr); !ok { // what ICE takes for granted
			t.Errorf("%s: local address is a %T", at, c.LocalAddr())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := hosts[1].Link().Traffic(); got.UpBytes == 0 || got.DownBytes == 0 {
		t.Errorf("traffic %+v, want it counted", got)
	}
	d = newTURNDialer(context.Background(), hosts[1], servers, x509.NewCertPool())
	_, err = d.Dial("tcp4", secure)
	if want := (x509.UnknownAuthorityError{}); !errors.As(err, &want) {
		t.Errorf("a server of somebody else: got %v, want an unknown authority", err)
	}
}

// TestSilentTURNServer dials a server that accepts and says nothing, in virtual time.
func TestSilentTURNServer(t *testing.T) {
	for name, c := range map[string]struct {
		end  time.Duration // of the connection
		want error
		took time.Duration
	}{
		"for good":                  {time.Minute, context.DeadlineExceeded, turnHandshake},
		"until the connection ends": {3 * time.Second, context.Canceled, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := network.NewSimulated(network.SimulatedConfig{})
			var hosts [2]network.Host
			for i, name := range []string{"server", "client"} {
				var err error
				if hosts[i], err = sim.Attach(network.HostSpec{Name: name}); err != nil {
					t.Fatal(err)
				}
			}
			l, err := hosts[0].Listen("tcp4", ":443")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer time.AfterFunc(c.end, cancel).Stop()
			servers := []webrtc.ICEServer{{URLs: []string{"turns:server:443?transport=tcp"}}}
			start := time.Now()
			_, err = newTURNDialer(ctx, hosts[1], servers, x509.NewCertPool()).Dial("tcp4", "server:443")
			if took := time.Since(start); !errors.Is(err, c.want) || took != c.took {
				t.Errorf("%s: got %v after %v, want %v after %v", name, err, took, c.want, c.took)
			}
			cancel()
			if err := errors.Join(l.Close(), sim.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRelayOverTLS connects two bots' connections by nothing but TURN over TLS.
func TestRelayOverTLS(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	hosts := newHosts(t, 3)
	certificate, roots, err := identity.TLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server, err := turnserver.New(turnserver.Config{
		Host: hosts[2], Transports: []string{turnserver.TLS}, Certificate: certificate,
		AllowPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	user, password := server.Credentials("bot", time.Minute)
	stack, err := NewStack()
	if err != nil {
		t.Fatal(err)
	}
	var pcs [2]*webrtc.PeerConnection
	for i := range pcs {
		pcs[i], err = stack.open(t.Context(), hosts[i], signaling.ToPeer, iceSettings{
			servers:   []webrtc.ICEServer{{URLs: server.URLs(), Username: user, Credential: password}},
			relayOnly: true, tlsRoots: roots,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := pcs[i].GracefulClose(); err != nil {
				t.Error(err)
			}
		}()
	}
	greeted := make(chan string, 1)
	pcs[1].OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { greeted <- string(m.Data) })
	})
	d, err := pcs[0].CreateDataChannel("greeting", nil)
	if err != nil {
		t.Fatal(err)
	}
	d.OnOpen(func() {
		if err := d.SendText("hello"); err != nil {
			t.Error(err)
		}
	})
	connect(t, pcs[0], pcs[1])
	select {
	case got := <-greeted:
		if got != "hello" {
			t.Errorf("got %q, want hello", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("not connected: %v and %v", pcs[0].ConnectionState(), pcs[1].ConnectionState())
	}
	for _, pc := range pcs {
		pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
		if err != nil || pair == nil || pair.Local.Typ != webrtc.ICECandidateTypeRelay {
			t.Errorf("connected by %v (%v), want a relay", pair, err)
		}
	}
	if got := server.Stats(); got.AllocationsTotal != 2 || got.ToPeers.Packets == 0 {
		t.Errorf("got %+v, want two allocations and packets between them", got)
	}
	if got := hosts[0].Link().Traffic(); got.UpBytes == 0 {
		t.Error("the relayed traffic is not counted")
	}
}

// connect negotiates with every candidate in the descriptions.
func connect(t *testing.T, offerer, answerer *webrtc.PeerConnection) {
	t.Helper()
	describe := func(from, to *webrtc.PeerConnection, d webrtc.SessionDescription, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		gathered := webrtc.GatheringCompletePromise(from)
		if err := from.SetLocalDescription(d); err != nil {
			t.Fatal(err)
		}
		<-gathered
		if err := to.SetRemoteDescription(*from.LocalDescription()); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := offerer.CreateOffer(nil)
	describe(offerer, answerer, offer, err)
	answer, err := answerer.CreateAnswer(nil)
	describe(answerer, offerer, answer, err)
}
