package turnserver

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
)

// peerPolicy decides which addresses a relay may send to.
type peerPolicy struct {
	allow    []netip.Prefix
	relayIs4 bool
	refused  atomic.Uint64
}

// permit is asked for every CreatePermission and ChannelBind. A peer of the other address family
// is refused, too: no relay could send to it.
func (p *peerPolicy) permit(ip net.IP) bool {
	addr, ok := netip.AddrFromSlice(ip)
	addr = addr.Unmap()
	if ok && addr.Is4() == p.relayIs4 && (allowed(p.allow, addr) || !special(addr)) {
		return true
	}
	p.refused.Add(1)
	return false
}

func allowed(allow []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(allow, func(p netip.Prefix) bool {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		return p.Contains(addr)
	})
}

// special tells whether an address lies in a range that is not for public unicast, or carries an
// IPv4 address that does: each way of writing IPv4 into IPv6 would otherwise be a way round the
// list.
func special(addr netip.Addr) bool {
	addr = addr.Unmap()
	ranges := special6()
	if addr.Is4() {
		ranges = special4()
	}
	if slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return true
	}
	v4, ok := embedded(addr)
	return ok && special(v4)
}

// embedded is the IPv4 address inside an IPv6 one: NAT64 (RFC 6052), 6to4 (RFC 3056) and ISATAP
// (RFC 5214). The other forms have only special-purpose prefixes.
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(addr):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case netip.MustParsePrefix("2002::/16").Contains(addr):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return netip.AddrFrom4([4]byte(b[12:])), true
	default:
		return netip.Addr{}, false
	}
}

// special4 lists the IPv4 ranges of the IANA special-purpose registry that no peer has a public
// address in, with multicast.
func special4() []netip.Prefix {
	return prefixes(
		"0.0.0.0/8",       // this network
		"10.0.0.0/8",      // private
		"100.64.0.0/10",   // carrier-grade NAT
		"127.0.0.0/8",     // loopback
		"169.254.0.0/16",  // link-local, cloud metadata
		"172.16.0.0/12",   // private
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"192.168.0.0/16",  // private
		"198.18.0.0/15",   // benchmarking
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast
	)
}

// special6 is the same for IPv6.
func special6() []netip.Prefix {
	return prefixes(
		"::/96",           // unspecified, loopback, IPv4-compatible
		"::ffff:0:0:0/96", // IPv4-translated
		"64:ff9b:1::/48",  // local NAT64
		"100::/64",        // discard
		"2001::/23",       // protocol assignments: Teredo, benchmarking, ORCHID
		"2001:db8::/32",   // documentation
		"3fff::/20",       // documentation
		"5f00::/16",       // segment routing
		"fc00::/7",        // unique local
		"fe80::/10",       // link-local
		"fec0::/10",       // site-local
		"ff00::/8",        // multicast
	)
}

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		list[i] = netip.MustParsePrefix(t)
	}
	return list
}
