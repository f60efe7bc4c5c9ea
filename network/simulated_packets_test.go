package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

func TestSimulatedIPv6(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		ha, hb := plain(t, s, "a", 3*ms, 0), plain(t, s, "b", 0, 4*ms)
		a, err := ha.ListenUDP("udp6", nil)
		must(t, err)
		b, err := hb.ListenUDP("udp6", nil)
		must(t, err)
		to, err := ha.ResolveUDPAddr("udp6", fmt.Sprint("b:", b.(*simUDP).port))
		must(t, err)
		if want := net.ParseIP("2001:db8::2"); !to.IP.Equal(want) {
			t.Errorf("got %v, want %v", to.IP, want)
		}
		start := time.Now()
		send(t, a, "six", to)
		text, from, _ := receive(t, b.(*simUDP))
		if took := time.Since(start); text != "six" || !from.IP.Equal(ha.addr6.AsSlice()) || took != 7*ms {
			t.Errorf("got %q from %v after %v, want \"six\" from %v after 7ms", text, from, took, ha.addr6)
		}
		if got, want := ha.Link().Traffic().UpBytes, uint64(3+48); got != want {
			t.Errorf("got %d bytes up, want %d", got, want)
		}
		inside := join(t, s, HostSpec{Name: "c", Gateway: nat.Gateway{NAT: nat.NAT{Kind: nat.FullCone}}})
		if _, err := inside.ListenUDP("udp6", nil); !errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Errorf("behind a NAT: got %v, want %v", err, syscall.EAFNOSUPPORT)
		}
	})
}

func TestSimulatedNames(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		h := plain(t, s, "a", 0, 0)
		plain(t, s, "server", 0, 0)
		if got, err := h.ResolveUDPAddr("udp4", "server:7"); err != nil || got.String() != "198.18.0.2:7" {
			t.Errorf("got %v, %v, want 198.18.0.2:7", got, err)
		}
		var unknown *net.DNSError
		if _, err := h.DialContext(context.Background(), "tcp", "nobody:7"); !errors.As(err, &unknown) || !unknown.IsNotFound {
			t.Errorf("unknown name: got %v, want a DNS error", err)
		}
		if _, err := s.Attach(HostSpec{Name: "server"}); err == nil || !strings.Contains(err.Error(), "taken") {
			t.Errorf("second of a name: got %v, want that it is taken", err)
		}
		_, err := s.Attach(HostSpec{Name: "x", Up: impair.Profile{LossRatio: 2}, Down: impair.Profile{RateBPS: -1}})
		for _, want := range []string{"up: loss", "down: rate"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	})
}

func TestSimulatedFragments(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		ha := join(t, s, HostSpec{Name: "a", Up: impair.Profile{RateBPS: 1e6, QueueTime: time.Second}})
		hb := plain(t, s, "b", 0, 0)
		a, b := socket(t, ha), socket(t, hb)
		data := strings.Repeat("0123", 1000)
		start := time.Now()
		send(t, a, data, where(b))
		text, _, _ := receive(t, b)
		const wire = 4000 + 8 + 3*20
		if took, want := time.Since(start), wire*8*time.Microsecond; text != data || took != want {
			t.Errorf("got %d bytes after %v, want 4000 after %v", len(text), took, want)
		}
		if got, want := ha.Link().Traffic(), (Traffic{UpPackets: 3, UpBytes: wire}); got != want {
			t.Errorf("sender: got %+v, want %+v", got, want)
		}
		if got, want := hb.Link().Traffic(), (Traffic{DownPackets: 3, DownBytes: wire}); got != want {
			t.Errorf("receiver: got %+v, want %+v", got, want)
		}
		if _, err := a.WriteTo(make([]byte, maxPayload+1), where(b)); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("too long: got %v, want %v", err, syscall.EMSGSIZE)
		}
	})
}

func TestSimulatedDuplicateAndCorrupt(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		twice, bent := impair.Profile{DuplicateRatio: 1}, impair.Profile{CorruptRatio: 1}
		a := socket(t, join(t, s, HostSpec{Name: "a", Up: twice}))
		b := socket(t, join(t, s, HostSpec{Name: "b", Down: bent}))
		sent := []byte("hello")
		_, err := a.WriteTo(sent, where(b))
		must(t, err)
		copies := 0
		for text, _, ok := receive(t, b); ok; text, _, ok = receive(t, b) {
			flipped := 0
			for i := range text {
				for x := text[i] ^ "hello"[i]; x != 0; x &= x - 1 {
					flipped++
				}
			}
			if copies++; len(text) != 5 || flipped != 1 {
				t.Errorf("got %q, want \"hello\" with one bit flipped", text)
			}
		}
		if copies != 2 || !bytes.Equal(sent, []byte("hello")) {
			t.Errorf("got %d copies and %q in the caller's buffer, want 2 and \"hello\"", copies, sent)
		}
	})
}

func TestSimulatedAccounts(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		const n = 1000
		rough := impair.Profile{RateBPS: 2e6, QueueTime: 20 * ms, LossRatio: .05, Delay: 5 * ms}
		ha, hb := join(t, s, HostSpec{Name: "a", Up: rough, Seed: 1}), join(t, s, HostSpec{Name: "b", Down: rough, Seed: 2})
		a, b := socket(t, ha), socket(t, hb)
		arrived := make(chan uint64)
		go func() {
			k := uint64(0)
			for _, _, ok := receive(t, b); ok; _, _, ok = receive(t, b) {
				k++
			}
			arrived <- k
		}()
		for i := range n {
			send(t, a, string(make([]byte, 172)), where(b)) // 0.8 ms each
			if i%10 == 9 {
				time.Sleep(7 * ms)
			}
		}
		k := <-arrived
		up, _ := ha.Link().Report()
		_, down := hb.Link().Report()
		for name, r := range map[string]LinkReport{"up": up, "down": down} {
			if r.Offered != r.Delivered+r.Lost+r.QueuedOut+r.Discarded || r.Lost == 0 || r.Delay.Count() != r.Delivered {
				t.Errorf("%s: got %+v, want the parts to add up", name, r)
			}
		}
		if up.Offered != n || up.QueuedOut == 0 || down.Offered != up.Delivered || down.Delivered != k {
			t.Errorf("got up %+v, down %+v, %d arrived, want one account", up, down, k)
		}
		if got, want := ha.Link().Traffic(), (Traffic{UpPackets: n, UpBytes: n * 200}); got != want {
			t.Errorf("sender: got %+v, want %+v", got, want)
		}
		if got, want := hb.Link().Traffic(), (Traffic{DownPackets: k, DownBytes: k * 200}); got != want {
			t.Errorf("receiver: got %+v, want %+v", got, want)
		}
	})
}

// hashOf has four hosts send to one at the same instants, from goroutines that start in any order.
func hashOf(t *testing.T, seed uint64) (hash uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := NewSimulated(SimulatedConfig{Settle: synctest.Wait})
		rough := impair.Profile{Delay: 10 * ms, Jitter: 3 * ms, LossRatio: .1, DuplicateRatio: .05, RateBPS: 5e6}
		to := socket(t, join(t, s, HostSpec{Name: "to", Down: rough, Seed: seed}))
		var all sync.WaitGroup
		for i := range 4 {
			c := socket(t, join(t, s, HostSpec{Name: fmt.Sprint(i), Up: rough, Seed: seed + uint64(i)}))
			all.Go(func() {
				for k := range 50 {
					send(t, c, string(make([]byte, 100+k)), where(to))
					time.Sleep(2 * ms)
				}
			})
		}
		all.Wait()
		time.Sleep(time.Second)
		must(t, s.Close())
		hash = s.TraceHash()
	})
	return hash
}

func TestSimulatedTraceHash(t *testing.T) {
	want := hashOf(t, 1)
	for range 19 {
		if got := hashOf(t, 1); got != want {
			t.Fatalf("got hash %x, want %x as before", got, want)
		}
	}
	if got := hashOf(t, 2); got == want {
		t.Errorf("another seed: got the same hash %x, want another", got)
	}
}
