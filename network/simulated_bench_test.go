package network

import (
	"net"
	"testing"

	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"
)

// underWay is how many packets a benchmark keeps between sender and reader.
const underWay = 100

// carry sends 1200-byte packets from one socket to another with some of them always under way.
func carry(b *testing.B, from, to net.PacketConn, addr net.Addr) {
	b.Helper()
	packet, buf := make([]byte, 1200), make([]byte, 1500)
	within(b, to)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if _, err := from.WriteTo(packet, addr); err != nil {
			b.Fatal(err)
		}
		if n++; n%10_000 == 0 {
			within(b, to)
		}
		if n <= underWay {
			continue
		}
		if _, _, err := to.ReadFrom(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "packets/s")
}

func BenchmarkSimulatedUDP(b *testing.B) {
	s := NewSimulated(SimulatedConfig{})
	defer func() { must(b, s.Close()) }()
	from, to := socket(b, plain(b, s, "a", 0, 0)), socket(b, plain(b, s, "b", 0, 0))
	carry(b, from, to, where(to))
}

// BenchmarkVNetUDP is BenchmarkSimulatedUDP over pion's virtual network, to compare.
func BenchmarkVNetUDP(b *testing.B) {
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "198.18.0.0/24", LoggerFactory: logging.NewDefaultLoggerFactory()})
	must(b, err)
	open := func(ip string) net.PacketConn {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
		must(b, err)
		must(b, router.AddNet(n))
		c, err := n.ListenPacket("udp4", ip+":5000")
		must(b, err)
		return c
	}
	from, to := open("198.18.0.1"), open("198.18.0.2")
	must(b, router.Start())
	defer func() { must(b, router.Stop()) }()
	defer func() { must(b, from.Close()) }()
	defer func() { must(b, to.Close()) }()
	carry(b, from, to, to.LocalAddr())
}
