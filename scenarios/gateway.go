package scenarios

import (
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// gateway reads the nat of a link. Without a NAT it is the zero Gateway; every part of one that is
// there has its defaults filled in, so that equal gateways compare equal.
func (b *builder) gateway(link string, v *value) nat.Gateway {
	kind := v.child("kind")
	if kind == nil || b.isNone(v, kind) {
		return nat.Gateway{}
	}
	if b.sockets {
		b.at(kind.place, "nat: %s needs network: simulated; on sockets the machine's own network counts%s", kind.text, b.hint)
	}
	g := nat.Gateway{NAT: natOf(v, kind)}
	if w := v.child("shared"); w != nil && w.flag {
		g.Site = link
	}
	c := v.child("carrier")
	if kind := c.child("kind"); kind != nil && !b.isNone(c, kind) {
		g.Carrier = natOf(c, kind)
	}
	return g
}

// isNone tells whether there is no NAT; nothing can be said of one then.
func (b *builder) isNone(v, kind *value) bool {
	if nat.Kind(kind.text) != nat.None {
		return false
	}
	for _, k := range []string{"timeout", "hairpin", "ports", "shared", "carrier"} {
		if v.has(k) {
			b.at(v.spot(k), "%s has no meaning with kind: none, which is no NAT", k)
		}
	}
	return true
}

// natOf is one NAT with the defaults of RFC 4787: mappings live for two minutes (REQ-5), and only
// those that are endpoint-independent keep the port they had inside.
func natOf(v, kind *value) nat.NAT {
	n := nat.NAT{Kind: nat.Kind(kind.text), Timeout: timeOr(v.child("timeout"), 2*time.Minute), Ports: nat.Preserve}
	if n.Kind == nat.Symmetric {
		n.Ports = nat.Random
	}
	if w := v.child("ports"); w != nil {
		n.Ports = nat.Ports(w.text)
	}
	if w := v.child("hairpin"); w != nil {
		n.Hairpin = w.flag
	}
	return n
}

// checkSwitch refuses a link action to a link that says it has another NAT or firewall: what changes
// during a call is what the link does to packets. A link that says nothing of them, as a preset,
// is one for every peer.
func (b *builder) checkSwitch(g *group, w *value, to link) {
	said := b.root.child("links").child(w.text)
	other := ""
	switch natDiffers, wallDiffers := said.has("nat") && to.gateway != g.link.gateway,
		said.has("firewall") && to.firewall != g.link.firewall; {
	case natDiffers && wallDiffers:
		other = "NAT and firewall"
	case natDiffers:
		other = "NAT"
	case wallDiffers:
		other = "firewall"
	default:
		return
	}
	b.at(w.place, "link %s has another %s than that of group %s; a link action changes rates, delays and losses, "+
		"and a peer keeps the NAT and firewall it joined with", w.text, other, g.name)
}
