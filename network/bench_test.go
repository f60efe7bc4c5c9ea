package network

import (
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// BenchmarkUDP sends a 1200-byte packet through the host's link and reads it, one at a time. An
// impaired link here has rate and loss in play but no delay to wait for.
func BenchmarkUDP(b *testing.B) {
	busy := impair.Profile{RateBPS: 100e9, CorruptRatio: 1e-9}
	for name, links := range map[string][2]impair.Profile{
		"perfect": {}, "up-impaired": {busy, {}}, "down-impaired": {{}, busy},
	} {
		b.Run(name, func(b *testing.B) {
			s := newTestNetwork(b)
			from := listenUDP(b, attach(b, s, links[0], impair.Profile{}))
			to := listenUDP(b, attach(b, s, impair.Profile{}, links[1]))
			addr, packet, buf := addrOf(to).AddrPort(), make([]byte, 1200), make([]byte, 1500)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := from.WriteToAddrPort(packet, addr); err != nil {
					b.Fatal(err)
				}
				if _, _, err := to.ReadFromAddrPort(buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDelayed keeps packets under way through both links, as in a call.
func BenchmarkDelayed(b *testing.B) {
	s := newTestNetwork(b)
	slow := impair.Profile{Delay: 5 * ms, Jitter: ms}
	from := listenUDP(b, attach(b, s, slow, impair.Profile{}))
	to := listenUDP(b, attach(b, s, impair.Profile{}, slow))
	addr, packet, buf := addrOf(to).AddrPort(), make([]byte, 1200), make([]byte, 1500)
	must(b, to.SetReadDeadline(time.Now().Add(time.Minute)))
	b.ReportAllocs()
	under := 0
	for b.Loop() {
		if _, err := from.WriteToAddrPort(packet, addr); err != nil {
			b.Fatal(err)
		}
		if under++; under < 200 {
			continue
		}
		if _, _, err := to.ReadFromAddrPort(buf); err != nil {
			b.Fatal(err)
		}
		under--
	}
}

func BenchmarkWriteBatch(b *testing.B) {
	s := newTestNetwork(b)
	from := listenUDP(b, attach(b, s, impair.Profile{}, impair.Profile{}))
	to := listenUDP(b, attach(b, s, impair.Profile{}, impair.Profile{}))
	packets := make([]Packet, 50)
	for i := range packets {
		packets[i] = Packet{make([]byte, 1200), addrOf(to)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if n, err := from.WriteBatch(packets); n != len(packets) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(packets)), "ns/packet")
}

func BenchmarkScheduler(b *testing.B) {
	pool := newDatagrams()
	var h dueHeap
	now := time.Now()
	for i := range 1000 {
		p := pool.get(100)
		p.due = now.Add(time.Duration(i*7919%1000) * ms)
		h.push(p)
	}
	b.ReportAllocs()
	for b.Loop() {
		p := h[0]
		h.pop()
		p.due = p.due.Add(time.Second)
		h.push(p)
	}
}
