package sfu

import "testing"

func TestKeyframes(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   string
		payload []byte
		want    bool
	}{
		{"VP8 key", "video/VP8", []byte{0x10, 0x00, 0x9d}, true},
		{"VP8 delta", "video/vp8", []byte{0x10, 0x01}, false},
		{"VP8 later packet of a key", "video/VP8", []byte{0x00, 0x00}, false},
		{"VP8 later partition", "video/VP8", []byte{0x11, 0x00}, false},
		{"VP8 short picture ID", "video/VP8", []byte{0x90, 0x80, 0x05, 0x00}, true},
		{"VP8 long picture ID, layers", "video/VP8", []byte{0x90, 0xf0, 0x85, 0x01, 0x02, 0x03, 0x00}, true},
		{"VP8 long picture ID, delta", "video/VP8", []byte{0x90, 0x80, 0x85, 0x01, 0x01}, false},
		{"VP8 cut off", "video/VP8", []byte{0x90, 0x80}, false},
		{"H264 IDR", "video/H264", []byte{0x65, 0}, true},
		{"H264 parameters", "video/H264", []byte{0x67, 0}, true},
		{"H264 slice", "video/H264", []byte{0x41, 0}, false},
		{"H264 STAP-A", "video/H264", []byte{0x78, 0, 2, 0x68, 1, 0, 2, 0x65, 1}, true},
		{"H264 STAP-A without", "video/H264", []byte{0x78, 0, 2, 0x68, 1}, false},
		{"H264 STAP-A cut off", "video/H264", []byte{0x78, 0xff, 0xff, 0x68, 1}, false},
		{"H264 FU-A first", "video/H264", []byte{0x7c, 0x85}, true},
		{"H264 FU-A later", "video/H264", []byte{0x7c, 0x05}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := keyframeTest(c.codec)(c.payload); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if keyframeTest("audio/opus") != nil {
		t.Error("audio has keyframes")
	}
}

func TestVP8Size(t *testing.T) {
	key := func(descriptor ...byte) []byte {
		// RFC 6386 section 9.1: frame tag, start code, 14 bits of width and of height under 2 of scale.
		return append(descriptor, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x42, 0x68, 0x81)
	}
	for _, c := range []struct {
		name          string
		payload       []byte
		width, height int
	}{
		{"key", key(0x10), 640, 360},
		{"key behind a long descriptor", key(0x90, 0xf0, 0x85, 0x01, 0x02, 0x03), 640, 360},
		{"later packet of a key", key(0x00), 0, 0},
		{"cut off", key(0x10)[:9], 0, 0},
		{"no start code", append([]byte{0x10}, make([]byte, 20)...), 0, 0},
		{"delta", append([]byte{0x10, 0x11}, key()[1:]...), 0, 0},
		{"nothing", nil, 0, 0},
	} {
		width, height, ok := vp8Size(c.payload)
		if width != c.width || height != c.height || ok != (c.width > 0) {
			t.Errorf("%s: got %d x %d, %v, want %d x %d", c.name, width, height, ok, c.width, c.height)
		}
	}
}

func FuzzKeyframes(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x85, 0x01, 0x02, 0x03, 0x00})
	f.Add([]byte{0x78, 0, 2, 0x68, 1, 0, 2, 0x65, 1})
	f.Add([]byte{0x7c, 0x85})
	f.Fuzz(func(_ *testing.T, p []byte) {
		vp8Keyframe(p)
		vp8Size(p)
		h264Keyframe(p)
	})
}
