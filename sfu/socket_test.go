package sfu

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/transport/v4"
)

// wire records what leaves a socket and how.
type wire struct {
	transport.UDPConn // not used
	mu                sync.Mutex
	sent              []string // payloads in order
	batches           []int
	refuse            string
}

func (w *wire) WriteTo(p []byte, _ net.Addr) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, string(p[12:]))
	return len(p), nil
}

func (w *wire) WriteBatch(packets []network.Packet) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, len(packets))
	for i, p := range packets {
		if string(p.Data[12:]) == w.refuse {
			return i, net.ErrWriteToConnected
		}
		w.sent = append(w.sent, string(p.Data[12:]))
	}
	return len(packets), nil
}

// packet is an RTP or, with a payload type of 200, RTCP packet.
func packet(pt byte, payload string) []byte {
	return append([]byte{0x80, pt, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, payload...)
}

func write(t testing.TB, s *socket, p []byte) {
	t.Helper()
	if _, err := s.WriteTo(p, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}); err != nil {
		t.Fatal(err)
	}
}

func TestOnlyHeldRTPIsCollected(t *testing.T) {
	w := &wire{}
	s := newSocket(w)
	write(t, s, packet(96, "unheld"))
	s.hold()
	write(t, s, packet(96, "a"))
	write(t, s, packet(200, "rtcp"))
	write(t, s, append([]byte{22}, packet(0, "dtls")[1:]...))
	write(t, s, append([]byte{0}, packet(1, "stun")[1:]...))
	s.hold()
	write(t, s, packet(96+128, "b"))
	s.release()
	write(t, s, packet(111, "c"))
	s.release()
	s.hold()
	s.release()
	if d := cmp.Diff([]string{"unheld", "rtcp", "dtls", "stun", "a", "b", "c"}, w.sent); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]int{2, 1}, w.batches); d != "" {
		t.Error(d)
	}
}

func TestARefusedPacketKeepsNoOtherBack(t *testing.T) {
	w := &wire{refuse: "b"}
	s := newSocket(w)
	s.hold()
	for _, p := range []string{"a", "b", "c", "b", "d"} {
		write(t, s, packet(96, p))
	}
	s.release()
	if d := cmp.Diff([]string{"a", "c", "d"}, w.sent); d != "" {
		t.Error(d)
	}
}

func TestWithoutBatchWriter(t *testing.T) {
	w := &wire{}
	s := newSocket(struct{ transport.UDPConn }{w}) // hides WriteBatch
	s.hold()
	write(t, s, packet(96, "a"))
	s.release()
	if d := cmp.Diff([]string{"a"}, w.sent); d != "" {
		t.Error(d)
	}
}

// TestConcurrentFanOuts: nothing is lost, kept back, or reordered within one writer's packets.
func TestConcurrentFanOuts(t *testing.T) {
	const writers, rounds, fan = 4, 200, 30
	w := &wire{}
	s := newSocket(w)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			n := uint32(0)
			for range rounds {
				s.hold()
				for range fan {
					write(t, s, packet(96, string(binary.BigEndian.AppendUint32([]byte{byte(i)}, n))))
					n++
				}
				s.release()
			}
		})
	}
	wg.Wait()
	var next [writers]uint32
	for _, p := range w.sent {
		i, n := p[0], binary.BigEndian.Uint32([]byte(p[1:]))
		if n != next[i] {
			t.Fatalf("writer %d: got packet %d, want %d", i, n, next[i])
		}
		next[i]++
	}
	for i, n := range next {
		if n != rounds*fan {
			t.Errorf("writer %d: got %d packets, want %d", i, n, rounds*fan)
		}
	}
}

func TestCollectingDoesNotAllocate(t *testing.T) {
	s := newSocket(discard{})
	p, addr := packet(96, "payload"), netip.MustParseAddrPort("127.0.0.1:9")
	step := func() {
		s.hold()
		for range 10 {
			if _, err := s.WriteToAddrPort(p, addr); err != nil {
				t.Fatal(err)
			}
		}
		s.release()
	}
	for range 100 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("got %v allocations per fan-out, want 0", n)
	}
}

// discard is a wire that keeps nothing.
type discard struct{ transport.UDPConn }

func (discard) WriteTo(p []byte, _ net.Addr) (int, error)        { return len(p), nil }
func (discard) WriteBatch(packets []network.Packet) (int, error) { return len(packets), nil }
