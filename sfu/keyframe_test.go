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

func FuzzKeyframes(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x85, 0x01, 0x02, 0x03, 0x00})
	f.Add([]byte{0x78, 0, 2, 0x68, 1, 0, 2, 0x65, 1})
	f.Add([]byte{0x7c, 0x85})
	f.Fuzz(func(_ *testing.T, p []byte) {
		vp8Keyframe(p)
		h264Keyframe(p)
	})
}
