//go:build natlab && linux

package natlab

import "github.com/peerfleet/peerfleet/network/nat"

// recipes are the rules that make a kernel a NAT of each kind, for interfaces lan and wan.
//
// The kernel tells mappings apart by both ends, but keeps the port where it can, so that a plain
// masquerade looks as if its mapping did not depend on the far end. Where it has to take another
// port, it does.
func recipes() map[nat.Kind]string {
	return map[nat.Kind]string{
		nat.None: "",
		nat.FullCone: `
table ip lab {
	chain pre { type nat hook prerouting priority -100;
		iifname "wan" meta l4proto udp dnat to 10.0.0.2
	}
	chain post { type nat hook postrouting priority 100;
		oifname "wan" snat to 203.0.113.100
	}
}`,
		nat.Restricted: `
table ip lab {
	set peers { type inet_service . ipv4_addr
		flags dynamic,timeout
		timeout 60s
	}
	chain pre { type nat hook prerouting priority -100;
		iifname "wan" meta l4proto udp dnat to 10.0.0.2
	}
	chain post { type nat hook postrouting priority 100;
		oifname "wan" snat to 203.0.113.100
	}
	chain permissions { type filter hook forward priority 0;
		oifname "wan" meta l4proto udp update @peers { udp sport . ip daddr }
		iifname "wan" ct state new udp dport . ip saddr != @peers drop
	}
}`,
		nat.PortRestricted: `
table ip lab {
	chain post { type nat hook postrouting priority 100;
		oifname "wan" masquerade
	}
}`,
		nat.Symmetric: `
table ip lab {
	chain post { type nat hook postrouting priority 100;
		oifname "wan" masquerade fully-random
	}
}`,
	}
}

// hairpinRecipe is that of a full cone which also turns packets round. The rules cannot do this for
// a kind that filters: only what they let in from anywhere has a way in from the inside.
const hairpinRecipe = `
table ip lab {
	chain pre { type nat hook prerouting priority -100;
		ip daddr 203.0.113.100 meta l4proto udp dnat to 10.0.0.2
	}
	chain post { type nat hook postrouting priority 100;
		oifname "wan" snat to 203.0.113.100
		iifname "lan" oifname "lan" snat to 203.0.113.100
	}
}`

// barriers are the rules that make a kernel a firewall of each kind. What kernels cannot do is to
// look into a stream for TLS; a test of nat.TLS does.
func barriers() map[nat.Firewall]string {
	return map[nat.Firewall]string{
		nat.Open: "",
		nat.UDPBlocked: `
table ip barrier {
	chain out { type filter hook forward priority 0;
		meta l4proto udp drop
	}
}`,
		nat.TLS443Only: `
table ip barrier {
	chain out { type filter hook forward priority 0;
		meta l4proto udp drop
		iifname "lan" tcp dport != 443 drop
	}
}`,
	}
}
