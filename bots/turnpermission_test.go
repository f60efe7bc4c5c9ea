package bots

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/turnserver"
	"github.com/pion/stun/v3"
	"github.com/pion/webrtc/v4"
)

// permission makes a request for a permission to send to a peer, unsigned.
func permission(t *testing.T, peer string) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest), peerAddress(peer))
	if err != nil {
		t.Fatal(err)
	}
	return m.Raw
}

type peerAddress string

func (p peerAddress) AddTo(m *stun.Message) error {
	a := netip.MustParseAddrPort(string(p))
	return (&stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}).AddToAs(m, stun.AttrXORPeerAddress)
}

// TestGrantsOnStreams grants permissions between the frames of a stream and never within one,
// whatever pieces the stream comes in.
func TestGrantsOnStreams(t *testing.T) {
	binding, err := stun.Build(stun.TransactionID, stun.BindingSuccess, stun.NewSoftware("a server"))
	if err != nil {
		t.Fatal(err)
	}
	channel := []byte{0x40, 1, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0}
	frames := [][]byte{binding.Raw, channel, binding.Raw, channel}
	for piece := 1; piece <= 40; piece++ {
		near, far := net.Pipe()
		c := &turnStreamConn{Conn: near}
		request := permission(t, "192.0.2.1:1000")
		go func() { // the server, which answers nothing
			_, _ = io.ReadFull(far, make([]byte, len(request)))
			all := bytes.Join(frames, nil)
			for len(all) > 0 {
				n := min(piece, len(all))
				_, _ = far.Write(all[:n])
				all = all[n:]
			}
			_ = far.Close()
		}()
		var asked sync.Once
		var got [][]byte
		stream := bytes.Buffer{}
		buf := make([]byte, 4096)
		for {
			// Ask when the stream has begun: from within the read, if it is in the middle of a frame.
			asked.Do(func() {
				if _, err := c.Write(request); err != nil {
					t.Fatal(err)
				}
			})
			n, err := c.Read(buf)
			stream.Write(buf[:n])
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("pieces of %d: %v", piece, err)
			}
		}
		for b := stream.Bytes(); len(b) > 0; {
			n := len(channel)
			if b[0]>>6 == 0 {
				n = stunHeader + int(binary.BigEndian.Uint16(b[2:]))
			}
			got = append(got, b[:n])
			b = b[n:]
		}
		if len(got) != len(frames)+1 {
			t.Fatalf("pieces of %d: got %d frames, want %d and one grant", piece, len(got), len(frames))
		}
		grants := 0
		for _, f := range got {
			if binary.BigEndian.Uint16(f) == permissionGranted {
				grants++
				if !bytes.Equal(f[4:stunHeader], request[4:stunHeader]) {
					t.Errorf("pieces of %d: the grant is of another transaction", piece)
				}
				continue
			}
			if !bytes.Equal(f, frames[0]) {
				t.Errorf("pieces of %d: got frame %x, want %x", piece, f, frames[0])
			}
			frames = append(frames[1:], frames[0])
		}
		if grants != 1 {
			t.Errorf("pieces of %d: got %d grants, want 1", piece, grants)
		}
		_ = near.Close()
	}
}

// TestTurnFrames follows a stream in pieces of every size.
func TestTurnFrames(t *testing.T) {
	stream := append([]byte{0, 1, 0, 8}, make([]byte, 16+8)...)
	stream = append(stream, 0x40, 0, 0, 0)
	stream = append(stream, 0x40, 0, 0, 1, 9, 0, 0, 0)
	starts := map[int]bool{0: true, 28: true, 32: true, 40: true}
	for piece := 1; piece <= len(stream); piece++ {
		var f turnFrames
		for at := 0; at < len(stream); {
			if got := f.between(); got != starts[at] {
				t.Fatalf("pieces of %d: between frames at %d: %v", piece, at, got)
			}
			n := min(piece, len(stream)-at)
			f.advance(stream[at : at+n])
			at += n
		}
		if !f.between() {
			t.Fatalf("pieces of %d: not between frames at the end", piece)
		}
	}
}

// TestGrantsAreForNewPermissions leaves everything else to the server.
func TestGrantsAreForNewPermissions(t *testing.T) {
	tests := map[string]struct {
		messages [][]byte
		want     int
	}{
		"new":               {[][]byte{permission(t, "192.0.2.1:1000")}, 1},
		"two peers":         {[][]byte{permission(t, "192.0.2.1:1000"), permission(t, "[2001:db8::1]:1000")}, 2},
		"again":             {[][]byte{permission(t, "192.0.2.1:1000"), permission(t, "192.0.2.1:2000")}, 1},
		"without a peer":    {[][]byte{permission(t, "192.0.2.1:1000")[:stunHeader]}, 0},
		"something else":    {[][]byte{{0x40, 0, 0, 0}, make([]byte, 40)}, 0},
		"cut in the middle": {[][]byte{permission(t, "192.0.2.1:1000")[:stunHeader+6]}, 0},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			var g grants
			near, far := net.Pipe()
			for _, m := range c.messages {
				g.sent(m, near.RemoteAddr(), near)
			}
			got := 0
			for buf := make([]byte, 100); ; got++ {
				if n, _ := g.take(buf, near); n == 0 {
					break
				}
			}
			if got != c.want {
				t.Errorf("got %d grants, want %d", got, c.want)
			}
			if err := errors.Join(near.Close(), far.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRelayedChecksDoNotWait connects two relayed peers that are 20 ms from their server, over every
// transport: the first check leaves together with the request for its permission.
func TestRelayedChecksDoNotWait(t *testing.T) {
	for _, transport := range []string{turnserver.UDP, turnserver.TCP, turnserver.TLS} {
		t.Run(transport, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first := relayed(t, transport, impair.Profile{Delay: 20 * time.Millisecond}, 1)
				if transport == turnserver.TLS {
					return // the tap sees ciphers; that the two connect is what there is to see
				}
				asked, checked := first["CreatePermission request"], first["relayed Binding request"]
				if asked.IsZero() || !asked.Equal(checked) {
					t.Errorf("asked at %v, checked at %v, want both at once", asked, checked)
				}
			})
		})
	}
}

// TestPermissionsGetLost loses all that leaves the peers at the instant at which they ask for their
// permissions: the channels they bind are bound later, and let them connect.
func TestPermissionsGetLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := relayed(t, turnserver.UDP, impair.Profile{
			Delay:    20 * time.Millisecond,
			Schedule: []impair.Change{{At: 150 * time.Millisecond, For: 20 * time.Millisecond, Blackout: true}},
		}, 1)
		asked, bound, connected := first["CreatePermission request"], first["ChannelBind request"], first["relayed SCTP"]
		if !asked.Equal(bound) || connected.Sub(asked) > time.Second {
			t.Errorf("asked at %v and %v, connected at %v, want it within a second", asked, bound, connected)
		}
	})
}

// relayed connects anna and ben by a TURN server and nothing else, and returns when anna first sent
// what.
func relayed(t *testing.T, transport string, link impair.Profile, seed uint64) map[string]time.Time {
	t.Helper()
	sim := network.NewSimulated(network.SimulatedConfig{})
	attach := func(spec network.HostSpec) network.Host {
		h, err := sim.Attach(spec)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	far := attach(network.HostSpec{Name: "turn"})
	at, err := far.ResolveUDPAddr("udp4", "turn:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, roots, err := identity.TLS(at.IP.String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := turnserver.New(turnserver.Config{
		Host: far, Listen: at.IP.String() + ":3478", ListenTLS: at.IP.String() + ":443",
		Transports: []string{transport}, Certificate: certificate,
		AllowPeers: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
	})
	if err != nil {
		t.Fatal(err)
	}
	user, password := server.Credentials("bot", time.Minute)
	stack, err := NewStack()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	first := map[string]time.Time{}
	connected := make(chan struct{}, 2)
	var pcs [2]*webrtc.PeerConnection
	for i, name := range []string{"anna", "ben"} {
		host := attach(network.HostSpec{Name: name, Up: link, Down: link, Seed: seed, Tap: func(p capture.Packet) {
			mu.Lock()
			defer mu.Unlock()
			if _, what, ok := capture.Name(p); ok && p.Direction == capture.Sent && name == "anna" && first[what].IsZero() {
				first[what] = p.At
			}
		}})
		host.Link().Start(time.Now())
		pcs[i], err = stack.open(t.Context(), host, signaling.ToPeer, iceSettings{
			servers:   []webrtc.ICEServer{{URLs: server.URLs(), Username: user, Credential: password}},
			relayOnly: true, tlsRoots: roots,
		})
		if err != nil {
			t.Fatal(err)
		}
		pcs[i].OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
			if s == webrtc.PeerConnectionStateConnected {
				connected <- struct{}{}
			}
		})
	}
	if _, err := pcs[0].CreateDataChannel("any", nil); err != nil {
		t.Fatal(err)
	}
	connect(t, pcs[0], pcs[1])
	for range pcs {
		select {
		case <-connected:
		case <-time.After(20 * time.Second):
			t.Errorf("seed %d: not connected within 20 s: %v", seed, first)
		}
	}
	for _, pc := range pcs {
		time.Sleep(time.Second)
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(server.Close(), sim.Close()); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}
