package nat

import "net/netip"

// Behavior is what a NAT's mapping or filtering depends on (RFC 4787 sections 4.1 and 5).
type Behavior string

// The behaviours of RFC 4787.
const (
	EndpointIndependent     Behavior = "endpoint-independent"
	AddressDependent        Behavior = "address-dependent"
	AddressAndPortDependent Behavior = "address-and-port-dependent"
)

// Mapping is what the outside port of an inside socket depends on. None maps nothing, which is as
// independent as can be.
func (k Kind) Mapping() Behavior {
	if k == Symmetric {
		return AddressAndPortDependent
	}
	return EndpointIndependent
}

// Filtering is what has to have been sent to before it may send inside.
func (k Kind) Filtering() Behavior {
	switch k {
	case Restricted:
		return AddressDependent
	case PortRestricted, Symmetric:
		return AddressAndPortDependent
	}
	return EndpointIndependent
}

// Protocol is what a NAT translates. Each has the outside ports to itself.
type Protocol uint8

// The protocols.
const (
	UDP Protocol = iota
	TCP
	protocols // how many there are
)

// Permits tells whether a firewall lets a packet out to an address. It lets nothing in that is not
// an answer to what went out.
func (f Firewall) Permits(p Protocol, to netip.AddrPort) bool {
	switch f {
	case UDPBlocked:
		return p != UDP
	case TLS443Only:
		return p == TCP && to.Port() == 443
	}
	return true
}

// Inspects tells whether a firewall looks into the streams that it Permits, and ends those that do
// not begin as TLS says.
func (f Firewall) Inspects() bool { return f == TLS443Only }

// TLS tells whether a stream that begins with these bytes begins with a TLS ClientHello (RFC 8446
// section 5.1). known is false while there are too few bytes to tell, never from the sixth on.
func TLS(first []byte) (is, known bool) {
	for i, right := range [...]func(b byte) bool{
		func(b byte) bool { return b == 22 }, // a handshake record
		func(b byte) bool { return b == 3 },
		func(b byte) bool { return b <= 4 },
		func(byte) bool { return true }, // its length
		func(byte) bool { return true },
		func(b byte) bool { return b == 1 }, // ClientHello
	} {
		if i >= len(first) {
			return false, false
		}
		if !right(first[i]) {
			return false, true
		}
	}
	return true, true
}
