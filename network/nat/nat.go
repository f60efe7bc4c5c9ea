// Package nat is the behaviour of NATs and firewalls (RFC 4787): its words, and Translator, which
// says packet by packet what a NAT would do. It knows no socket and no clock.
package nat

// Kind is how a NAT maps and filters UDP (RFC 4787 sections 4.1 and 5, by their older names).
type Kind string

// The kinds of NAT a link may have. The zero value means None.
const (
	None           Kind = "none"
	FullCone       Kind = "full-cone"       // endpoint-independent mapping and filtering
	Restricted     Kind = "restricted"      // endpoint-independent mapping, address-dependent filtering
	PortRestricted Kind = "port-restricted" // endpoint-independent mapping, address-and-port-dependent filtering
	Symmetric      Kind = "symmetric"       // address-and-port-dependent mapping and filtering
)

// Kinds returns every kind in the order of the documentation.
func Kinds() []Kind { return []Kind{None, FullCone, Restricted, PortRestricted, Symmetric} }

// Firewall is what a network lets out.
type Firewall string

// The firewalls a link may have. The zero value means Open.
const (
	Open       Firewall = "open"
	UDPBlocked Firewall = "udp-blocked"  // no UDP at all
	TLS443Only Firewall = "tls-443-only" // only TLS streams to port 443
)

// Firewalls returns every firewall in the order of the documentation.
func Firewalls() []Firewall { return []Firewall{Open, UDPBlocked, TLS443Only} }
