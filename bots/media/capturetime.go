package media

import (
	"encoding/binary"
	"time"
)

// AbsCaptureTimeURI names the RTP header extension that carries the capture time of audio, whose
// payload has no room for a Trailer.
const AbsCaptureTimeURI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"

const (
	ntpToUnix = 2208988800 // seconds from 1900 to 1970
	ntpEra    = 1 << 32    // seconds after which the 32 bits start again
)

// AbsCaptureTime is t as the short form of the abs-capture-time extension: NTP time in 32.32
// fixed point. ParseAbsCaptureTime gives back the same nanosecond.
func AbsCaptureTime(t time.Time) [8]byte {
	var b [8]byte
	binary.BigEndian.PutUint32(b[:], uint32(t.Unix()+ntpToUnix))
	binary.BigEndian.PutUint32(b[4:], uint32(uint64(t.Nanosecond())<<32/1e9))
	return b
}

// ParseAbsCaptureTime reads the extension in its short (8 bytes) or long form (16 bytes, of which
// the clock offset is ignored). Times count as 1968 to 2104, where 32 bits of seconds are
// unambiguous.
func ParseAbsCaptureTime(b []byte) (time.Time, bool) {
	if len(b) != 8 && len(b) != 16 {
		return time.Time{}, false
	}
	sec := int64(binary.BigEndian.Uint32(b))
	if sec < ntpEra/2 {
		sec += ntpEra
	}
	frac := uint64(binary.BigEndian.Uint32(b[4:]))
	return time.Unix(sec-ntpToUnix, int64((frac*1e9+ntpEra/2)>>32)), true
}
