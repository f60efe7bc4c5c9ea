package scenarios

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/network/nat"
)

// gateways goes on where minimal ends.
const gateways = `network: simulated
links:
  word: {nat: port-restricted}
  none: {nat: none}
  object: {nat: {kind: symmetric}}
  full: {nat: {kind: restricted, timeout: 30s, hairpin: true, ports: parity, shared: true, carrier: symmetric}}
  preserving: {nat: {kind: symmetric, ports: preserve, shared: false, carrier: {kind: full-cone, timeout: 1s, hairpin: true, ports: random}}}
  open: {nat: {kind: full-cone, carrier: none}}
`

func TestGateways(t *testing.T) {
	const rfc = 2 * time.Minute
	for link, want := range map[string]nat.Gateway{
		"":       {},
		"none":   {},
		"lte":    {},
		"word":   {NAT: nat.NAT{Kind: nat.PortRestricted, Timeout: rfc, Ports: nat.Preserve}},
		"object": {NAT: nat.NAT{Kind: nat.Symmetric, Timeout: rfc, Ports: nat.Random}},
		"full": {
			NAT:  nat.NAT{Kind: nat.Restricted, Timeout: 30 * time.Second, Hairpin: true, Ports: nat.Parity},
			Site: "full", Carrier: nat.NAT{Kind: nat.Symmetric, Timeout: rfc, Ports: nat.Random},
		},
		"preserving": {
			NAT:     nat.NAT{Kind: nat.Symmetric, Timeout: rfc, Ports: nat.Preserve},
			Carrier: nat.NAT{Kind: nat.FullCone, Timeout: time.Second, Hairpin: true, Ports: nat.Random},
		},
		"open": {NAT: nat.NAT{Kind: nat.FullCone, Timeout: rfc, Ports: nat.Preserve}},
	} {
		var set []Override
		if link != "" {
			set = []Override{{"peers.people.link", link}}
		}
		for _, p := range parseText(t, minimal+gateways, Options{Set: set}).Plan(1).Cells[0].Peers {
			if d := cmp.Diff(want, p.Gateway); d != "" || p.Firewall != nat.Open {
				t.Errorf("%q: firewall %s, %s", link, p.Firewall, d)
			}
		}
	}
}

// TestGatewayPaths varies and sets parts of a NAT that the file gives as a word.
func TestGatewayPaths(t *testing.T) {
	src := "name: x\nclock: virtual\nlinks: {l: {nat: symmetric}}\npeers: {a: {link: l}}\nvary: {links.l.nat.kind: [restricted, symmetric]}\n"
	p := parseText(t, src, Options{Set: []Override{{"links.l.nat.carrier", "full-cone"}, {"links.l.nat.carrier.timeout", "45s"}}}).Plan(1)
	var got []nat.Gateway
	for _, c := range p.Cells {
		got = append(got, c.Peers[0].Gateway)
	}
	carrier := nat.NAT{Kind: nat.FullCone, Timeout: 45 * time.Second, Ports: nat.Preserve}
	want := []nat.Gateway{
		{NAT: nat.NAT{Kind: nat.Restricted, Timeout: 2 * time.Minute, Ports: nat.Preserve}, Carrier: carrier},
		{NAT: nat.NAT{Kind: nat.Symmetric, Timeout: 2 * time.Minute, Ports: nat.Random}, Carrier: carrier},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLinkActionKeepsTheGateway(t *testing.T) {
	c := parseText(t, `name: x
clock: virtual
links:
  near: {rtt: 20ms, nat: {kind: symmetric, timeout: 2m}, firewall: udp-blocked}
  far:  {rtt: 80ms, nat: symmetric, firewall: udp-blocked}
  bare: {rtt: 80ms, nat: none}
  slow: {up: {rate: 1Mbps}}
peers:
  walled: {link: near, actions: [{at: 1s, do: link, link: far}, {at: 2s, do: link, link: slow}, {at: 3s, do: link, link: lte}]}
  free: {link: bare, actions: [{at: 1s, do: link, link: lte}]}
  placeless: {actions: [{at: 1s, do: link, link: bare}]}
`, Options{}).Plan(1).Cells[0]
	if len(c.Actions) != 10 || c.Actions[0].Up.Delay != 40*time.Millisecond {
		t.Errorf("got %+v", c.Actions)
	}
}

func TestTransports(t *testing.T) {
	for _, c := range []struct {
		group, server string
		want          []string
	}{
		{"{}", "", []string{"udp", "tcp"}},
		{"{link: blocked}", "", []string{"udp", "tcp"}},
		{"{link: strict}", "", []string{"udp", "tcp", "tls"}},
		{"{link: strict}", "server: {turn: {relay_wait: 1s}}\n", []string{"udp", "tcp", "tls"}},
		{"{link: strict, publish: [], receive: none}", "", []string{"udp", "tcp", "tls"}},
		{"{link: strict}", "server: {turn: {transports: [udp]}}\n", []string{"udp"}},
		{"{link: strict}", "server: {turn: {transports: [tls, tcp]}}\n", []string{"tls", "tcp"}},
		{"{link: strict}", "server: {turn: {enabled: false}}\n", nil},
		{"{link: strict}", "server: {turn: {urls: ['turn:127.0.0.1'], secret: a}}\n", nil},
	} {
		src := "name: x\nlinks: {blocked: {firewall: udp-blocked}, strict: {firewall: tls-443-only}}\npeers: {a: " + c.group + ", b: {}}\n" + c.server
		got := parseText(t, src, Options{}).Plan(1).Cells[0].Server.TURN.Transports
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s %s: %s", c.group, c.server, d)
		}
	}
}

// TestTransportsByCell: only the cells that need TLS have it.
func TestTransportsByCell(t *testing.T) {
	p := parseText(t, "name: x\nlinks: {l: {}}\npeers: {a: {link: l}}\nvary: {links.l.firewall: [open, tls-443-only, udp-blocked]}\n", Options{}).Plan(1)
	var got []int
	for _, c := range p.Cells {
		got = append(got, len(c.Server.TURN.Transports))
	}
	if d := cmp.Diff([]int{2, 3, 2}, got); d != "" {
		t.Error(d)
	}
}
