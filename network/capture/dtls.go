package capture

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

const (
	dtlsRecordHeader    = 13
	dtlsHandshakeHeader = 12
)

// The content types of TLS and DTLS records (RFC 8446 section 5.1).
const (
	contentCipherSpec  = 20
	contentAlert       = 21
	contentHandshake   = 22
	contentApplication = 23
)

// dtlsDatagram names the records of a datagram (RFC 6347, RFC 9147), each run of equal ones once;
// of a flight of more than two things, the first and the last.
func dtlsDatagram(b []byte) (note, bool) {
	var words []string
	n := note{layer: layerDTLS}
	for len(b) > 0 {
		if b[0]>>5 == 1 { // the unified header of DTLS 1.3, which hides all else
			words = append(words, "encrypted")
			break
		}
		if len(b) < dtlsRecordHeader || b[1] != 0xfe {
			break
		}
		length := int(binary.BigEndian.Uint16(b[11:]))
		if len(b) < dtlsRecordHeader+length {
			break
		}
		encrypted := binary.BigEndian.Uint16(b[3:]) > 0
		words = append(words, dtlsRecord(b[0], encrypted, b[dtlsRecordHeader:dtlsRecordHeader+length])...)
		b = b[dtlsRecordHeader+length:]
	}
	words = slices.Compact(words)
	if len(words) > 2 {
		n.what = words[0] + " … " + words[len(words)-1]
	} else {
		n.what = strings.Join(words, ", ")
	}
	n.repeats = n.what == "SCTP"
	return n, len(words) > 0
}

// dtlsRecord names what is in one record; what is encrypted only by its content type.
func dtlsRecord(content byte, encrypted bool, b []byte) []string {
	switch {
	case content == contentCipherSpec:
		return []string{"ChangeCipherSpec"}
	case content == contentApplication:
		return []string{"SCTP"} // nothing else is sent over DTLS in WebRTC (RFC 8831)
	case content == contentHandshake && encrypted:
		return []string{"encrypted handshake"}
	case content == contentHandshake:
		return dtlsHandshakes(b)
	case content == contentAlert && encrypted:
		return []string{"encrypted alert"}
	case content == contentAlert:
		return []string{alertWord(b)}
	}
	return []string{fmt.Sprintf("record type %d", content)}
}

// dtlsHandshakes names the messages of one record; the later fragments of a message that is
// split over records bear its name, too.
func dtlsHandshakes(b []byte) []string {
	var words []string
	for len(b) >= dtlsHandshakeHeader {
		words = append(words, handshakeWord(b[0]))
		fragment := int(b[9])<<16 | int(b[10])<<8 | int(b[11])
		if len(b) < dtlsHandshakeHeader+fragment {
			break
		}
		b = b[dtlsHandshakeHeader+fragment:]
	}
	return words
}

// handshakeWord is the name of a handshake message of TLS or DTLS.
func handshakeWord(kind byte) string {
	switch kind {
	case 0:
		return "HelloRequest"
	case 1:
		return "ClientHello"
	case 2:
		return "ServerHello"
	case 3:
		return "HelloVerifyRequest"
	case 4:
		return "NewSessionTicket"
	case 8:
		return "EncryptedExtensions"
	case 11:
		return "Certificate"
	case 12:
		return "ServerKeyExchange"
	case 13:
		return "CertificateRequest"
	case 14:
		return "ServerHelloDone"
	case 15:
		return "CertificateVerify"
	case 16:
		return "ClientKeyExchange"
	case 20:
		return "Finished"
	}
	return fmt.Sprintf("handshake type %d", kind)
}

// alertWord names the alerts that a handshake ends with (RFC 8446 section 6).
func alertWord(b []byte) string {
	if len(b) != 2 {
		return "encrypted alert"
	}
	switch b[1] {
	case 0:
		return "alert close_notify"
	case 40:
		return "alert handshake_failure"
	case 42:
		return "alert bad_certificate"
	case 70:
		return "alert protocol_version"
	}
	return fmt.Sprintf("alert %d", b[1])
}
