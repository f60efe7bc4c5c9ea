package network

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/logging"
	"github.com/pion/transport/v4/vnet"

	"github.com/peerfleet/peerfleet/network/nat"
)

// behavior is what a NAT can be seen to do from outside (RFC 4787 sections 4 and 5).
type behavior struct {
	SameToOtherPort, SameToOtherHost         bool // one mapping for all of them
	PassesOtherPort, PassesHost, PassesWorld bool // what was not asked for: from the host asked, another one asked, one never asked
}

// observe finds out. There are two sockets of each of two hosts outside; the last of four has not been
// written to.
func observe(t *testing.T, inside net.PacketConn, outside [2][2]net.PacketConn, addr [2][2]net.Addr) behavior {
	t.Helper()
	heard := func(c net.PacketConn) net.Addr {
		must(t, c.SetReadDeadline(time.Now().Add(time.Second)))
		_, from, err := c.ReadFrom(make([]byte, 100))
		if errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err) {
			return nil
		}
		must(t, err)
		return from
	}
	ask := func(host, port int) string {
		_, err := inside.WriteTo([]byte("out"), addr[host][port])
		must(t, err)
		from := heard(outside[host][port])
		if from == nil {
			t.Fatal("nothing leaves the NAT")
		}
		return from.String()
	}
	passes := func(host, port int, to string) bool {
		a, err := net.ResolveUDPAddr("udp4", to)
		must(t, err)
		_, err = outside[host][port].WriteTo([]byte("in"), a)
		must(t, err)
		return heard(inside) != nil
	}
	var b behavior
	mapped := ask(0, 0)
	if !passes(0, 0, mapped) {
		t.Fatal("no answer passes the NAT")
	}
	b.PassesOtherPort = passes(0, 1, mapped)
	b.PassesWorld = passes(1, 1, mapped)
	b.SameToOtherPort = ask(0, 1) == mapped
	b.SameToOtherHost = ask(1, 0) == mapped
	b.PassesHost = passes(1, 1, mapped)
	return b
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// TestVNetAgrees has NATs of the simulated network and of pion's virtual one do the same.
func TestVNetAgrees(t *testing.T) {
	kinds := map[nat.Kind]vnet.NATType{
		nat.FullCone:       {MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointIndependent},
		nat.Restricted:     {MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointAddrDependent},
		nat.PortRestricted: {MappingBehavior: vnet.EndpointIndependent, FilteringBehavior: vnet.EndpointAddrPortDependent},
		nat.Symmetric:      {MappingBehavior: vnet.EndpointAddrPortDependent, FilteringBehavior: vnet.EndpointAddrPortDependent},
	}
	seen := map[behavior]nat.Kind{}
	for kind, theirs := range kinds {
		var ours, want behavior
		simulate(t, func(t *testing.T, s *Simulated) {
			inside := socket(t, join(t, s, HostSpec{Name: "inside", Gateway: nat.Gateway{NAT: nat.NAT{Kind: kind}}}))
			var outside [2][2]net.PacketConn
			var addr [2][2]net.Addr
			for i, name := range []string{"one", "two"} {
				h := plain(t, s, name, 0, 0)
				for j := range 2 {
					c := socket(t, h)
					outside[i][j], addr[i][j] = c, where(c)
				}
			}
			ours = observe(t, inside, outside, addr)
		})
		synctest.Test(t, func(t *testing.T) { want = observeVNet(t, theirs) })
		if diff := cmp.Diff(want, ours); diff != "" {
			t.Errorf("%s (-vnet +ours):\n%s", kind, diff)
		}
		if other, ok := seen[ours]; ok {
			t.Errorf("%s is seen to do the same as %s", kind, other)
		}
		seen[ours] = kind
	}
}

func observeVNet(t *testing.T, kind vnet.NATType) behavior {
	t.Helper()
	logs := logging.NewDefaultLoggerFactory()
	internet, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "198.18.0.0/24", LoggerFactory: logs})
	must(t, err)
	home, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "192.168.0.0/24", StaticIPs: []string{"198.18.0.9"}, NATType: &kind, LoggerFactory: logs,
	})
	must(t, err)
	var open []net.PacketConn
	listen := func(r *vnet.Router, ip string, ports ...string) []net.PacketConn {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
		must(t, err)
		must(t, r.AddNet(n))
		var cs []net.PacketConn
		for _, p := range ports {
			c, err := n.ListenPacket("udp4", ip+":"+p)
			must(t, err)
			cs = append(cs, c)
		}
		open = append(open, cs...)
		return cs
	}
	var outside [2][2]net.PacketConn
	var addr [2][2]net.Addr
	for i, ip := range []string{"198.18.0.1", "198.18.0.2"} {
		for j, c := range listen(internet, ip, "5000", "5001") {
			outside[i][j], addr[i][j] = c, c.LocalAddr()
		}
	}
	inside := listen(home, "192.168.0.2", "5000")[0]
	must(t, internet.AddRouter(home))
	must(t, internet.Start())
	defer func() {
		for _, c := range open {
			must(t, c.Close())
		}
		must(t, internet.Stop())
	}()
	return observe(t, inside, outside, addr)
}
