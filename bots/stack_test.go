package bots

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/webrtc/v4"
)

// TestDTLSHandshakesHaveOneLength connects again and again in virtual time, each time with another
// certificate: what DTLS sends has the same sizes, so that it takes a link the same time.
func TestDTLSHandshakesHaveOneLength(t *testing.T) {
	var want []int
	for i := range 8 {
		synctest.Test(t, func(t *testing.T) {
			got := handshakeSizes(t)
			if i == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" || len(got) == 0 {
				t.Errorf("sizes of DTLS datagrams (-first +now):\n%s", diff)
			}
		})
	}
}

// handshakeSizes connects two peers and returns the sizes of the DTLS handshake's datagrams, in
// ascending order.
func handshakeSizes(t *testing.T) []int {
	t.Helper()
	var mu sync.Mutex
	var sizes []int
	sim := network.NewSimulated(network.SimulatedConfig{})
	stack, err := NewStack()
	if err != nil {
		t.Fatal(err)
	}
	var pcs [2]*webrtc.PeerConnection
	connected := make(chan struct{}, len(pcs))
	for i, name := range []string{"anna", "ben"} {
		host, err := sim.Attach(network.HostSpec{Name: name, Tap: func(p capture.Packet) {
			if b := p.Payload; p.Direction == capture.Sent && len(b) > 0 && (b[0] == 22 || b[0] == 20) {
				mu.Lock()
				defer mu.Unlock()
				sizes = append(sizes, len(b))
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		if pcs[i], err = stack.open(t.Context(), host, signaling.ToPeer, iceSettings{}); err != nil {
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
		case <-time.After(10 * time.Second):
			t.Fatal("not connected within 10 s")
		}
	}
	// A connection that is closed at the instant its data channel comes up or goes away waits for
	// itself, and virtual time with it; see rtpstream.CloseWithPeer.
	for _, pc := range pcs {
		time.Sleep(time.Second)
		if err := pc.GracefulClose(); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(sizes)
	return sizes
}
