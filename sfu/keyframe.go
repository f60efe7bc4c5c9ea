package sfu

import (
	"strings"

	"github.com/pion/webrtc/v4"
)

// keyframeTest returns a test for payloads that begin a keyframe, or nil where there is none.
func keyframeTest(mimeType string) func([]byte) bool {
	switch {
	case strings.EqualFold(mimeType, webrtc.MimeTypeVP8):
		return vp8Keyframe
	case strings.EqualFold(mimeType, webrtc.MimeTypeH264):
		return h264Keyframe
	}
	return nil
}

// vp8Keyframe looks behind the payload descriptor (RFC 7741 sections 4.2 and 4.3).
func vp8Keyframe(p []byte) bool {
	if len(p) < 2 || p[0]&0x10 == 0 || p[0]&0x07 != 0 {
		return false // not the start of the first partition
	}
	at := 1
	if p[0]&0x80 != 0 {
		extension := p[1]
		at = 2
		if extension&0x80 != 0 {
			if len(p) <= at {
				return false
			}
			at += 1 + int(p[at]>>7) // a long picture ID has its top bit set
		}
		if extension&0x40 != 0 {
			at++
		}
		if extension&0x30 != 0 {
			at++
		}
	}
	return len(p) > at && p[at]&1 == 0
}

// h264Keyframe looks for an IDR slice or a sequence parameter set, alone, aggregated or as the
// first fragment (RFC 6184 sections 5.6 to 5.8).
func h264Keyframe(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	switch p[0] & 0x1f {
	case 5, 7:
		return true
	case 24: // STAP-A
		for p = p[1:]; len(p) > 2; {
			size := int(p[0])<<8 | int(p[1])
			if t := p[2] & 0x1f; t == 5 || t == 7 {
				return true
			}
			if 2+size > len(p) {
				return false
			}
			p = p[2+size:]
		}
	case 28: // FU-A
		return p[1]&0x80 != 0 && p[1]&0x1f == 5
	}
	return false
}
