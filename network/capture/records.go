package capture

import (
	"encoding/binary"
	"strings"

	"github.com/pion/stun/v3"
)

const (
	tlsRecordHeader    = 5
	tlsHandshakeHeader = 4
	longestRecord      = 1<<14 + 256 // RFC 8446 section 5.2
	stunCookie         = 0x2112a442
)

// readTLS reads one record of TLS; only the beginning of a handshake is in the clear.
func readTLS(_ *connection, h *half, b []byte) (note, int) {
	if b[0] < contentCipherSpec || b[0] > contentApplication || len(b) > 1 && b[1] != 3 {
		return note{}, -1
	}
	if len(b) < tlsRecordHeader {
		return note{}, 0
	}
	size := tlsRecordHeader + int(binary.BigEndian.Uint16(b[3:]))
	if size > tlsRecordHeader+longestRecord {
		return note{}, -1
	}
	if len(b) < size {
		return note{}, 0
	}
	n := note{layer: layerStream}
	switch b[0] {
	case contentHandshake:
		n.what = "TLS " + strings.Join(tlsHandshakes(b[tlsRecordHeader:size]), ", ")
	case contentAlert:
		n.what = "TLS " + alertWord(b[tlsRecordHeader:size])
	case contentApplication:
		n.what = "TLS data"
	}
	return n, size
}

// tlsHandshakes names the messages of one record; lengths that do not fit betray encryption.
func tlsHandshakes(b []byte) []string {
	var words []string
	for len(b) >= tlsHandshakeHeader {
		size := tlsHandshakeHeader + (int(b[1])<<16 | int(b[2])<<8 | int(b[3]))
		if len(b) < size && b[0] != 11 { // a chain of certificates may take several records
			break
		}
		words = append(words, handshakeWord(b[0]))
		b = b[min(size, len(b)):]
	}
	if len(words) == 0 {
		return []string{"encrypted handshake"}
	}
	return words
}

// readSTUN reads STUN messages and ChannelData as TURN puts them on streams (RFC 8656 section
// 12.5), the latter padded to 32 bits.
func readSTUN(_ *connection, _ *half, b []byte) (note, int) {
	if b[0] > 0x4f || b[0] > 3 && b[0] < 0x40 {
		return note{}, -1
	}
	if len(b) >= 8 && b[0] <= 3 && binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return note{}, -1
	}
	if len(b) < 8 {
		return note{}, 0
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if b[0] <= 3 {
		size := stunHeader + length
		if len(b) < size {
			return note{}, 0
		}
		n, ok := stunMessage(b[:size])
		if !ok {
			return note{}, -1
		}
		return n, size
	}
	size := channelDataHeader + (length+3)&^3
	if len(b) < size {
		return note{}, 0
	}
	n, _ := channelData(b[:size])
	return n, size
}

// readFramed reads datagrams with their length in front (RFC 4571), as ICE over TCP sends them;
// the first must be STUN.
func readFramed(_ *connection, h *half, b []byte) (note, int) {
	if len(b) < 2 {
		return note{}, 0
	}
	size := 2 + int(binary.BigEndian.Uint16(b))
	if h.framing == nil && (len(b) < 2+stunHeader || !stun.IsMessage(b[2:])) {
		return note{}, -1
	}
	if len(b) < size {
		return note{}, 0
	}
	n, _ := datagram(b[2:size])
	return n, size
}
