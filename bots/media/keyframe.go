package media

// IsKeyframe tells whether an RTP payload starts a keyframe: for VP8 the first packet of a key
// frame (RFC 7741 §4.3), for H264 a packet with a parameter set or the start of an IDR picture,
// alone, in a STAP-A or in an FU-A (RFC 6184 §5), which may be more than one packet of a frame.
// Damaged and foreign payloads are never keyframes. It does not allocate.
func IsKeyframe(codec Codec, payload []byte) bool {
	switch codec {
	case VP8:
		frame, start := vp8Frame(payload)
		return start && len(frame) > 0 && frame[0]&1 == 0
	case H264:
		return h264Keyframe(payload)
	default:
		return false
	}
}

// vp8Frame strips the payload descriptor (RFC 7741 §4.2) and tells whether the frame starts here.
func vp8Frame(p []byte) (rest []byte, start bool) {
	if len(p) == 0 {
		return nil, false
	}
	start = p[0]&0x10 != 0 && p[0]&0x07 == 0
	skip := 1
	if p[0]&0x80 != 0 {
		if len(p) < 3 {
			return nil, false
		}
		x := p[1]
		skip++
		if x&0x80 != 0 { // picture ID of 7 or 15 bits
			skip++
			if p[2]&0x80 != 0 {
				skip++
			}
		}
		if x&0x40 != 0 { // TL0PICIDX
			skip++
		}
		if x&0x30 != 0 { // TID and KEYIDX share a byte
			skip++
		}
	}
	if len(p) < skip {
		return nil, false
	}
	return p[skip:], start
}

// NAL unit types of H.264 and of its payload format.
const (
	nalSlice  = 1
	nalIDR    = 5
	nalSPS    = 7
	nalPPS    = 8
	nalFiller = 12
	nalSTAPA  = 24
	nalFUA    = 28
)

func h264Keyframe(p []byte) bool {
	if len(p) < 2 {
		return false
	}
	key := func(nal byte) bool { return nal&0x1f == nalIDR || nal&0x1f == nalSPS }
	switch p[0] & 0x1f {
	case nalSTAPA:
		for p = p[1:]; len(p) > 2; {
			size := int(p[0])<<8 | int(p[1])
			if size == 0 || len(p) < 2+size {
				return false
			}
			if key(p[2]) {
				return true
			}
			p = p[2+size:]
		}
		return false
	case nalFUA:
		return p[1]&0x80 != 0 && key(p[1])
	default:
		return key(p[0])
	}
}
