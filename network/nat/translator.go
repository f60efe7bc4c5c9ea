package nat

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// How long an idle mapping lives: RFC 4787 REQ-5 for UDP, RFC 5382 REQ-5 for TCP.
const (
	defaultUDPTimeout = 2 * time.Minute
	tcpTimeout        = 2*time.Hour + 4*time.Minute
)

// maxPermissions bounds what one NAT remembers, as the size of its table bounds a real one.
const maxPermissions = 1 << 18

// Translator is one NAT in use. It has one owner and is not safe for concurrent use. It takes its
// time from its callers: a time before the latest it was given counts as the latest. It compares
// addresses as they are, so that an IPv4 address is not to come mapped into IPv6.
type Translator struct {
	nat       NAT
	mapping   Behavior
	filtering Behavior
	outside   netip.Addr
	limit     int // of permissions

	now         time.Time
	inside      map[insideKey]*binding
	permissions int
	idle        [protocols]queue
	ports       portPool
}

// insideKey tells mappings apart; the far end is unset as far as the mapping does not depend on it.
type insideKey struct {
	protocol Protocol
	from     netip.AddrPort
	to       netip.AddrPort
}

// NewTranslator makes a NAT with an outside address. The seed decides about random ports: the same
// packets get the same ports from the same seed.
func NewTranslator(c NAT, outside netip.Addr, seed uint64) *Translator {
	if c.Timeout <= 0 {
		c.Timeout = defaultUDPTimeout
	}
	if c.Ports == "" {
		c.Ports = Preserve
		if c.Kind.Mapping() != EndpointIndependent {
			c.Ports = Random
		}
	}
	return &Translator{
		nat: c, mapping: c.Kind.Mapping(), filtering: c.Kind.Filtering(), outside: outside, limit: maxPermissions,
		inside: map[insideKey]*binding{},
		ports: portPool{
			choice: c.Ports, low: firstPort, high: lastPort, bound: map[portKey]*binding{},
			random: rand.New(rand.NewPCG(seed, 0x6e61742d706f7274)),
		},
	}
}

// Hairpins tells whether a packet from inside to the outside address is turned round. The owner
// does so with Out and then In, so that the sender is seen at its own outside address (RFC 4787
// REQ-9a).
func (t *Translator) Hairpins() bool { return t.nat.Hairpin }

// Out translates a packet from inside: it returns the source the outside sees. It makes the
// mapping or refreshes it, as only packets from inside do (RFC 4787 REQ-6). ok is false where the
// NAT drops the packet because no port or no room for the far end is left.
func (t *Translator) Out(now time.Time, p Protocol, from, to netip.AddrPort) (outside netip.AddrPort, ok bool) {
	if t.transparent() {
		return from, true
	}
	t.advance(now)
	key := insideKey{p, from, t.mapping.part(to)}
	far := t.filter(p).part(to)
	b := t.inside[key]
	if b == nil || !b.permits(far) {
		if t.permissions >= t.limit {
			return netip.AddrPort{}, false
		}
		if b == nil {
			if b = t.bind(key); b == nil {
				return netip.AddrPort{}, false
			}
		}
		b.permit(far)
		t.permissions++
	}
	b.expires = t.now.Add(t.timeout(p))
	t.idle[p].toEnd(b)
	return netip.AddrPortFrom(t.outside, b.port), true
}

// Verdict is what a NAT says of a packet from outside. The zero value lets it in.
type Verdict uint8

// The verdicts.
const (
	Passed    Verdict = iota
	NoMapping         // nobody inside has the port
	Filtered          // the port's owner has not sent to where the packet comes from
)

// In translates a packet from outside to the NAT's address: it returns the destination inside,
// which is unset unless the packet passed. It refreshes nothing.
func (t *Translator) In(now time.Time, p Protocol, from, to netip.AddrPort) (inside netip.AddrPort, v Verdict) {
	if t.transparent() {
		return to, Passed
	}
	t.advance(now)
	b := t.ports.bound[portKey{p, to.Port()}]
	if b == nil || to.Addr() != t.outside {
		return netip.AddrPort{}, NoMapping
	}
	if !b.permits(t.filter(p).part(from)) {
		return netip.AddrPort{}, Filtered
	}
	return b.key.from, Passed
}

// transparent tells that this is no NAT at all.
func (t *Translator) transparent() bool { return t.nat.Kind == None || t.nat.Kind == "" }

// filter is the filtering of a protocol: that of TCP always holds to the far end it connected to.
func (t *Translator) filter(p Protocol) Behavior {
	if p == TCP {
		return AddressAndPortDependent
	}
	return t.filtering
}

// part is what a behaviour looks at of a far end.
func (b Behavior) part(far netip.AddrPort) netip.AddrPort {
	switch b {
	case AddressAndPortDependent:
		return far
	case AddressDependent:
		return netip.AddrPortFrom(far.Addr(), 0)
	}
	return netip.AddrPort{}
}

func (t *Translator) timeout(p Protocol) time.Duration {
	if p == TCP {
		return tcpTimeout
	}
	return t.nat.Timeout
}
