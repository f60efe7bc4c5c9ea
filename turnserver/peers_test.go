package turnserver

import (
	"net"
	"net/netip"
	"testing"
)

// deniedV4 has the ends of every special-purpose IPv4 range.
func deniedV4() []string {
	return []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
		"127.0.0.1", "127.255.255.255", "169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255",
		"192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255", "192.88.99.0", "192.88.99.255",
		"192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0", "198.51.100.255",
		"203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0", "255.255.255.255",
	}
}

// publicV4 has the neighbours of those ranges.
func publicV4() []string {
	return []string{
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
		"198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
	}
}

// inV6 writes an IPv4 address in every way IPv6 has for it.
func inV6(v4 netip.Addr) map[string]netip.Addr {
	b := v4.As4()
	last := func(prefix string) netip.Addr {
		a := netip.MustParseAddr(prefix).As16()
		copy(a[12:], b[:])
		return netip.AddrFrom16(a)
	}
	sixToFour := netip.MustParseAddr("2002::1").As16()
	copy(sixToFour[2:], b[:])
	teredo := netip.MustParseAddr("2001:0:808:808::").As16()
	for i := range b {
		teredo[12+i] = ^b[i]
	}
	return map[string]netip.Addr{
		"mapped": last("::ffff:0:0"), "compatible": last("::"), "translated": last("::ffff:0:0:0"),
		"NAT64": last("64:ff9b::"), "local NAT64": last("64:ff9b:1::"), "6to4": netip.AddrFrom16(sixToFour),
		"Teredo": netip.AddrFrom16(teredo), "ISATAP": last("2a00::5efe:0:0"), "universal ISATAP": last("2a00::200:5efe:0:0"),
	}
}

func TestSpecialRanges(t *testing.T) {
	for _, text := range deniedV4() {
		addr := netip.MustParseAddr(text)
		if !special(addr) {
			t.Errorf("%s passes, want it refused", addr)
		}
		for form, in6 := range inV6(addr) {
			if !special(in6) {
				t.Errorf("%s as %s (%s) passes, want it refused", addr, form, in6)
			}
		}
	}
	for _, text := range publicV4() {
		addr := netip.MustParseAddr(text)
		forms := inV6(addr)
		for _, a := range []netip.Addr{addr, forms["mapped"], forms["NAT64"], forms["6to4"], forms["ISATAP"]} {
			if special(a) {
				t.Errorf("%s refused, want it to pass", a)
			}
		}
	}
	for _, text := range []string{
		"::", "::1", "100::1", "2001::1", "2001:2::1", "2001:10::1", "2001:db8::1", "2001:1ff:ffff::1",
		"3fff::1", "5f00::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "feff::1", "ff02::1",
	} {
		if !special(netip.MustParseAddr(text)) {
			t.Errorf("%s passes, want it refused", text)
		}
	}
	for _, text := range []string{"2001:200::1", "2606:4700::1111", "2a00::1", "3ffe::1", "fbff::1"} {
		if special(netip.MustParseAddr(text)) {
			t.Errorf("%s refused, want it to pass", text)
		}
	}
}

func TestPolicy(t *testing.T) {
	allow := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("::ffff:10.1.0.0/112"),
	}
	for _, c := range []struct {
		ip       string
		relayIs4 bool
		want     bool
	}{
		{"127.0.0.1", true, true},
		{"::ffff:127.0.0.1", true, true}, // the same address
		{"127.0.0.2", true, false},
		{"::ffff:127.0.0.2", true, false},
		{"10.1.2.3", true, true},
		{"10.2.0.1", true, false},
		{"8.8.8.8", true, true},
		{"8.8.8.8", false, false}, // other family
		{"fd00::1", true, false},
		{"fd00::1", false, true},
		{"fc00::1", false, false},
		{"64:ff9b::7f00:1", false, false}, // another address, whatever it leads to
		{"2606:4700::1111", false, true},
	} {
		p := peerPolicy{allow: allow, relayIs4: c.relayIs4}
		if got := p.permit(net.ParseIP(c.ip)); got != c.want {
			t.Errorf("permit %s (IPv4 relay: %t): got %t, want %t", c.ip, c.relayIs4, got, c.want)
		}
		if got := p.refused.Load() == 0; got != c.want {
			t.Errorf("%s: refusal counted %d times", c.ip, p.refused.Load())
		}
	}
	var p peerPolicy
	if p.permit(net.IP{1, 2, 3}) {
		t.Error("an address of three bytes passes, want it refused")
	}
}

func TestOwnSockets(t *testing.T) {
	at := netip.MustParseAddrPort
	public := netip.MustParseAddr("192.0.2.7")
	one := sockets{udpAddr: at("10.0.0.1:3478"), tcpAddr: at("10.0.0.1:3479")}
	all := sockets{udpAddr: at("0.0.0.0:3478"), local: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	for _, c := range []struct {
		name string
		s    sockets
		to   string
		want bool
	}{
		{"itself", one, "10.0.0.1:3478", true},
		{"its TCP port", one, "10.0.0.1:3479", true},
		{"another port", one, "10.0.0.1:3480", false},
		{"another host", one, "10.0.0.2:3478", false},
		{"its public name", one, "192.0.2.7:3478", true},
		{"unspecified", one, "0.0.0.0:3478", true},
		{"all: local address", all, "10.0.0.1:3478", true},
		{"all: loopback", all, "127.0.0.1:3478", true},
		{"all: another host", all, "10.0.0.2:3478", false},
	} {
		if got := c.s.own(at(c.to), public); got != c.want {
			t.Errorf("%s (%s): got %t, want %t", c.name, c.to, got, c.want)
		}
	}
}
