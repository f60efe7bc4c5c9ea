package capture

import "fmt"

const (
	rtpHeader  = 12
	rtcpHeader = 8
)

// mediaPacket tells RTCP from RTP by the payload type (RFC 5761 section 4). Headers are in the
// clear in SRTP and SRTCP.
func mediaPacket(b []byte) (note, bool) {
	if len(b) >= rtcpHeader && b[1] >= 192 && b[1] <= 223 {
		return note{layer: layerMedia, what: "RTCP" + rtcpWord(b[1], b[0]&0x1f), repeats: true}, true
	}
	if len(b) < rtpHeader {
		return note{}, false
	}
	return note{layer: layerMedia, what: fmt.Sprintf("RTP pt %d", b[1]&0x7f), repeats: true}, true
}

// rtcpWord is the short name of the first packet of a compound one (RFC 3550, RFC 4585).
func rtcpWord(kind, format byte) string {
	switch {
	case kind == 200:
		return " SR"
	case kind == 201:
		return " RR"
	case kind == 203:
		return " BYE"
	case kind == 205 && format == 1:
		return " NACK"
	case kind == 205 && format == 15:
		return " TWCC"
	case kind == 206 && format == 1:
		return " PLI"
	case kind == 206 && format == 4:
		return " FIR"
	case kind == 206 && format == 15:
		return " REMB"
	}
	return ""
}
