package network

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// TestSetAndCloseUnderTraffic changes links and closes sockets under readers and writers. What
// went into an up link has to come out of its account, and nothing may hang or leak.
func TestSetAndCloseUnderTraffic(t *testing.T) {
	s := newTestNetwork(t)
	var hosts []Host
	var socks []*socketUDP
	for range 4 {
		h := attach(t, s, impair.Profile{}, impair.Profile{})
		hosts, socks = append(hosts, h), append(socks, listenUDP(t, h))
	}
	var working sync.WaitGroup
	stop := make(chan struct{})
	for i, c := range socks {
		to := addrOf(socks[(i+1)%len(socks)]).AddrPort()
		working.Go(func() {
			for !isClosed(stop) {
				if _, err := c.WriteToAddrPort(make([]byte, 200), to); err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
		working.Go(func() {
			var timeout net.Error
			buf := make([]byte, 300)
			for {
				_, _, err := c.ReadFromAddrPort(buf)
				switch {
				case errors.Is(err, net.ErrClosed):
					return
				case errors.As(err, &timeout) && timeout.Timeout():
					must(t, c.SetReadDeadline(time.Now().Add(5*ms)))
				case err != nil:
					t.Error(err)
					return
				}
			}
		})
	}
	p := impair.Profile{Delay: 3 * ms, Jitter: ms, LossRatio: .1, DuplicateRatio: .1, CorruptRatio: .1, ReorderRatio: .1, RateBPS: 50e6}
	for i := range 12 {
		time.Sleep(10 * ms)
		link := hosts[i%4].Link()
		switch {
		case i < 4:
			link.Set(impair.Profile{}, p)
		case i < 8:
			link.Set(p, impair.Profile{})
		default:
			link.Set(p, p)
		}
		link.Start(time.Now())
	}
	close(stop)
	for _, c := range socks[:2] {
		must(t, c.Close())
	}
	for _, h := range hosts {
		must(t, h.Close())
	}
	working.Wait()
	time.Sleep(30 * ms) // longer than any packet is under way
	for i, h := range hosts {
		up, _ := h.Link().Report()
		if up.Offered == 0 || up.Delivered+up.Lost+up.QueuedOut > up.Offered {
			t.Errorf("host %d: %+v", i, up)
		}
		if up.Delay.Count() != up.Delivered || up.Lateness.Count() != up.Delivered {
			t.Errorf("host %d: %d delays and %d latenesses of %d packets", i, up.Delay.Count(), up.Lateness.Count(), up.Delivered)
		}
	}
}
