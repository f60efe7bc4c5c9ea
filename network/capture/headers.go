package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

const (
	protocolTCP = 6
	protocolUDP = 17

	ipv4Header = 20
	ipv6Header = 40
	udpHeader  = 8
	tcpHeader  = 20
	largestIP  = 1<<16 - 1
	hopLimit   = 64
	tcpWindow  = 1<<16 - 1
)

// rawPackets are the IP packets that a packet is written as.
func rawPackets(p *Packet) ([][]byte, error) {
	source, destination := addresses(p)
	room := largestIP - ipv4Header
	if source.Is6() {
		room = largestIP
	}
	if p.Protocol == UDP {
		if len(p.Payload) > room-udpHeader {
			return nil, fmt.Errorf("datagram of %d bytes does not fit IP", len(p.Payload))
		}
		return [][]byte{withIP(source, destination, protocolUDP, udpSegment(p))}, nil
	}
	var parts [][]byte
	for payload, sequence := p.Payload, p.Sequence; ; {
		n := min(len(payload), room-tcpHeader)
		parts = append(parts, withIP(source, destination, protocolTCP, tcpSegment(p, sequence, payload[:n])))
		if payload = payload[n:]; len(payload) == 0 {
			return parts, nil
		}
		sequence += uint32(n)
	}
}

// addresses are both of one family, whatever form they came in.
func addresses(p *Packet) (source, destination netip.Addr) {
	source, destination = p.Source.Addr().Unmap(), p.Destination.Addr().Unmap()
	if !source.IsValid() || !destination.IsValid() {
		unspecified := netip.IPv4Unspecified()
		if source.Is6() || destination.Is6() {
			unspecified = netip.IPv6Unspecified()
		}
		if !source.IsValid() {
			source = unspecified
		}
		if !destination.IsValid() {
			destination = unspecified
		}
	}
	if source.Is4() != destination.Is4() {
		source, destination = netip.AddrFrom16(source.As16()), netip.AddrFrom16(destination.As16())
	}
	return source, destination
}

// udpSegment leaves the checksum empty.
func udpSegment(p *Packet) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.Source.Port())
	b = binary.BigEndian.AppendUint16(b, p.Destination.Port())
	b = binary.BigEndian.AppendUint16(b, uint16(udpHeader+len(p.Payload)))
	return append(append(b, 0, 0), p.Payload...)
}

// tcpSegment leaves the checksum empty.
func tcpSegment(p *Packet, sequence uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, p.Source.Port())
	b = binary.BigEndian.AppendUint16(b, p.Destination.Port())
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, p.Acknowledged)
	b = append(b, tcpHeader/4<<4, byte(p.Flags))
	b = binary.BigEndian.AppendUint16(b, tcpWindow)
	return append(append(b, 0, 0, 0, 0), payload...) // checksum, urgent pointer
}

// withIP puts the IP header in front of a segment and fills in both checksums.
func withIP(source, destination netip.Addr, protocol byte, segment []byte) []byte {
	sum := sumOf(0, source.AsSlice())
	sum = sumOf(sum, destination.AsSlice())
	sum += uint32(protocol) + uint32(len(segment))
	check := folded(sumOf(sum, segment))
	if protocol == protocolUDP {
		if check == 0 { // which would say that there is none
			check = 0xffff
		}
		binary.BigEndian.PutUint16(segment[6:], check)
	} else {
		binary.BigEndian.PutUint16(segment[16:], check)
	}
	var b []byte
	if source.Is4() {
		b = binary.BigEndian.AppendUint16([]byte{4<<4 | ipv4Header/4, 0}, uint16(ipv4Header+len(segment)))
		b = append(b, 0, 0, 0x40, 0, hopLimit, protocol, 0, 0) // do not fragment
		b = append(append(b, source.AsSlice()...), destination.AsSlice()...)
		binary.BigEndian.PutUint16(b[10:], folded(sumOf(0, b)))
	} else {
		b = binary.BigEndian.AppendUint16([]byte{6 << 4, 0, 0, 0}, uint16(len(segment)))
		b = append(b, protocol, hopLimit)
		b = append(append(b, source.AsSlice()...), destination.AsSlice()...)
	}
	return append(b, segment...)
}

// sumOf adds 16-bit words (RFC 1071); no packet is so long that 32 bits could overflow.
func sumOf(sum uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func folded(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
