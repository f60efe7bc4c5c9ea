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

// vp8Keyframe looks behind the payload descriptor.
func vp8Keyframe(p []byte) bool {
	frame := vp8Frame(p)
	return len(frame) > 0 && frame[0]&1 == 0
}

// vp8Size is the picture's size in pixels where the payload begins a keyframe (RFC 6386 section 9.1).
func vp8Size(p []byte) (width, height int, ok bool) {
	f := vp8Frame(p)
	if len(f) < 10 || f[0]&1 != 0 || f[3] != 0x9d || f[4] != 0x01 || f[5] != 0x2a {
		return 0, 0, false
	}
	return int(f[7]&0x3f)<<8 | int(f[6]), int(f[9]&0x3f)<<8 | int(f[8]), true
}

// vp8Frame is the beginning of a frame, behind the payload descriptor (RFC 7741 section 4.2); nil
// where the payload does not begin one.
func vp8Frame(p []byte) []byte {
	if len(p) < 2 || p[0]&0x10 == 0 || p[0]&0x07 != 0 {
		return nil // not the start of the first partition
	}
	at := 1
	if p[0]&0x80 != 0 {
		extension := p[1]
		at = 2
		if extension&0x80 != 0 {
			if len(p) <= at {
				return nil
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
	return p[min(at, len(p)):]
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
