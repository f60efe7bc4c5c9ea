// Package capture is what was seen of packets: it names what each one is, tells the steps of a
// connection, and writes files that Wireshark opens. It is pure: no clock, no socket; it knows
// neither hosts nor links, only the bytes and addresses it is shown.
package capture

import (
	"net/netip"
	"time"
)

// Packet is one datagram or stream segment as it was seen at a host.
type Packet struct {
	At        time.Time
	Direction Direction
	Fate      Fate
	Protocol  Protocol
	// Source and Destination as the host itself has them: behind a NAT, the private address.
	Source, Destination netip.AddrPort
	// Payload is what UDP or TCP carries. It belongs to the owner of the packet: whoever is shown
	// a packet copies what it keeps.
	Payload []byte
	// Sequence, Acknowledged and Flags are a stream segment's, as TCP has them.
	Sequence, Acknowledged uint32
	Flags                  Flags
}

// Direction tells a sent packet from a received one, seen from the host.
type Direction uint8

// The directions.
const (
	Sent Direction = iota
	Received
)

// Fate is what became of a packet on its way, as far as the one who saw it could know.
type Fate uint8

// The fates. A packet that is received has always been Delivered. A sent one that is not marked
// otherwise may still be lost behind the sender's link.
const (
	Delivered   Fate = iota
	Lost             // random loss or blackout of the link
	QueueFull        // no room in front of the link's rate
	Blocked          // a firewall did not let it out
	Unreachable      // a NAT or the network had nowhere to send it
)

// Protocol is what carries the payload.
type Protocol uint8

// The protocols.
const (
	UDP Protocol = iota
	TCP
)

// Flags are those of a TCP segment (RFC 9293 section 3.1).
type Flags uint8

// The flags by their bits in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
)
