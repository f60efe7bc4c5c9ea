package turnserver

import "encoding/binary"

// Parts of STUN (RFC 8489) and TURN (RFC 8656) messages as they stand on the wire.
const (
	stunHeader    = 20
	channelHeader = 4
	attrHeader    = 4

	typeDataIndication = 0x0017
	attrIntegrity      = 0x0008
	attrData           = 0x0013
)

// isSTUN tells a STUN message from ChannelData by its first two bits.
func isSTUN(p []byte) bool { return len(p) >= stunHeader && p[0]>>6 == 0 }

// isChannelData tells whether a message is ChannelData.
func isChannelData(p []byte) bool { return len(p) >= channelHeader && p[0]>>6 == 1 }

// unsignedError tells whether a message is an error response that carries no MESSAGE-INTEGRITY:
// what the server answers to somebody it does not know.
func unsignedError(p []byte) bool {
	if !isSTUN(p) || p[0]&1 == 0 || p[1]&0x10 == 0 {
		return false
	}
	_, signed := attribute(p, attrIntegrity)
	return !signed
}

// relayedPayload is the length of what a message to a client carries from a peer.
func relayedPayload(p []byte) (int, bool) {
	if isChannelData(p) {
		return int(binary.BigEndian.Uint16(p[2:])), true
	}
	if isSTUN(p) && binary.BigEndian.Uint16(p) == typeDataIndication {
		return attribute(p, attrData)
	}
	return 0, false
}

// attribute finds the first attribute of a type and returns the length of its value.
func attribute(p []byte, kind uint16) (int, bool) {
	for p = p[stunHeader:]; len(p) >= attrHeader; {
		length := int(binary.BigEndian.Uint16(p[2:]))
		if binary.BigEndian.Uint16(p) == kind {
			return length, length <= len(p)-attrHeader
		}
		p = p[min(len(p), attrHeader+(length+3)&^3):]
	}
	return 0, false
}

// frameLength is the length of the message that starts with these four bytes on a stream, padding
// included; false if none starts like this.
func frameLength(head []byte) (int, bool) {
	length := int(binary.BigEndian.Uint16(head[2:]))
	switch head[0] >> 6 {
	case 0:
		return stunHeader + length, length%4 == 0
	case 1:
		return channelHeader + (length+3)&^3, true
	default:
		return 0, false
	}
}
