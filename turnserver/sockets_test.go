package turnserver

import (
	"net/netip"
	"testing"
)

func TestRelaysAreBoundInTheFamilyTheyAreHandedOutIn(t *testing.T) {
	for _, c := range []struct{ listen, public, want, network string }{
		{"127.0.0.1", "127.0.0.1", "127.0.0.1", "udp4"},
		{"10.0.0.1", "8.8.8.8", "10.0.0.1", "udp4"}, // behind a NAT
		{"0.0.0.0", "8.8.8.8", "0.0.0.0", "udp4"},
		{"::1", "::1", "::1", "udp6"},
		{"::", "8.8.8.8", "0.0.0.0", "udp4"},
		{"::", "2a00::1", "::", "udp"},
		{"0.0.0.0", "2a00::1", "::", "udp"},
		{"127.0.0.1", "::1", "::1", "udp6"},
	} {
		bind := bindAddr(netip.MustParseAddr(c.listen), netip.MustParseAddr(c.public))
		if got := bind.String(); got != c.want {
			t.Errorf("listening on %s, known as %s: bound to %s, want %s", c.listen, c.public, got, c.want)
		}
		if got := "udp" + family(bind); got != c.network {
			t.Errorf("bound to %s: network %s, want %s", bind, got, c.network)
		}
	}
}
