package network

import "github.com/peerfleet/peerfleet/network/impair"

// The kinds of packets whose fates are drawn apart. Among RTP packets every payload type is a kind,
// which keeps audio from video.
const (
	kindOther impair.Kind = iota
	kindSTUN
	kindDTLS
	kindRTCP
	kindStream
	kindControl                     // of SCTP
	kindRTP     impair.Kind = 0x100 // plus the payload type
)

// shortRecord is the size in bytes of the largest encrypted DTLS record that has no room for SCTP
// data: a header of 13, a nonce of 8, 28 of SCTP such as a bare acknowledgement, and a tag of 16.
// Acknowledgements leave an SCTP stack before or after the data of the same instant, as chance has
// it; a kind of their own puts them in order.
const shortRecord = 65

// kindOf tells what a datagram carries by its first bytes (RFC 7983, RFC 5761 section 4). What TURN
// relays in a channel is of the kind of what is inside (RFC 8656 section 12.4).
func kindOf(p []byte) impair.Kind {
	if len(p) > 4 && p[0]&0xf0 == 0x40 {
		p = p[4:]
	}
	if len(p) < 2 {
		return kindOther
	}
	switch b := p[0]; {
	case b < 4:
		return kindSTUN
	case b == 23 && len(p) <= shortRecord:
		return kindControl
	case b >= 20 && b < 64:
		return kindDTLS
	case b>>6 != 2:
		return kindOther
	case p[1] >= 192 && p[1] <= 223:
		return kindRTCP
	}
	return kindRTP | impair.Kind(p[1]&0x7f)
}
