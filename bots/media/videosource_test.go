package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/pion/rtp/codecs"
)

func epoch() time.Time { return time.Unix(1_800_000_000, 0) }

func camera(codec Codec, fps float64, bps int64) Video {
	return Video{Codec: codec, Width: 640, Height: 360, FPS: fps, BitrateBPS: bps, Keyframe: 10 * time.Second}
}

func TestVideoBitrateByTheSecond(t *testing.T) {
	for _, v := range []Video{
		camera(VP8, 30, 500_000), camera(H264, 30, 500_000), camera(VP8, 25, 150_000), camera(VP8, 15, 120_000),
		camera(H264, 60, 4_000_000), camera(VP8, 10, 100_000), camera(VP8, 30, 30_000),
	} {
		for seed := range uint64(3) {
			s := NewVideoSource(v, 1, seed)
			n := int(v.FPS)
			for second := range 60 {
				var bytes int
				for i := range n {
					bytes += frameBytes(s.Next(epoch().Add(time.Duration(second*n+i) * s.Interval())))
				}
				if ratio := float64(bytes*8) / float64(v.BitrateBPS); math.Abs(ratio-1) > 0.05 {
					t.Errorf("%s %g fps %d bit/s, seed %d, second %d: got %.3f of the target", v.Codec, v.FPS, v.BitrateBPS, seed, second, ratio)
				}
			}
		}
	}
}

func TestScreenIsBurstyAndOnTarget(t *testing.T) {
	for _, fps := range []float64{5, 15, 30} {
		for seed := range uint64(3) {
			s := NewVideoSource(Video{Codec: VP8, Content: Screen, Width: 1920, Height: 1080, FPS: fps, BitrateBPS: 1_000_000}, 1, seed)
			var sum, small, large int
			n := int(120 * fps)
			mean := 1_000_000 / 8 / fps
			for i := range n {
				size := frameBytes(s.Next(epoch().Add(time.Duration(i) * s.Interval())))
				sum += size
				if float64(size) < mean/1.5 {
					small++
				}
				if float64(size) > 3*mean {
					large++
				}
			}
			if ratio := float64(sum) * 8 / 120 / 1_000_000; math.Abs(ratio-1) > 0.05 {
				t.Errorf("%g fps, seed %d: got %.3f of the target over 2 minutes", fps, seed, ratio)
			}
			if small < n/2 || large < 20 {
				t.Errorf("%g fps, seed %d: %d small and %d large of %d frames", fps, seed, small, large, n)
			}
		}
	}
}

func frameBytes(f Frame) int {
	n := 0
	for _, p := range f.Packets {
		n += len(p.Payload)
	}
	return n
}

func TestKeyframeRatioAndShrink(t *testing.T) {
	s := NewVideoSource(camera(VP8, 30, 500_000), 1, 5)
	mean := 500_000.0 / 8 / 30
	key, after := 0.0, 0.0
	const rounds = 20
	for i := range rounds * 300 {
		size := float64(frameBytes(s.Next(epoch().Add(time.Duration(i) * s.Interval()))))
		switch {
		case i%300 == 0:
			key += size / rounds
		case i%300 <= 5:
			after += size / rounds / 5
		}
	}
	if r := key / mean; r < 6 || r > 10 {
		t.Errorf("keyframes: got %.1f times the mean, want 6 to 10", r)
	}
	if r := after / mean; r > 0.5 {
		t.Errorf("frames after a keyframe: got %.2f of the mean, want less than half", r)
	}
}

func TestKeyframeRequests(t *testing.T) {
	v := camera(VP8, 30, 500_000)
	v.Keyframe = 0
	s := NewVideoSource(v, 1, 1)
	var keys []int
	for i := range 60 {
		if i == 3 || i == 20 || i == 21 {
			s.RequestKeyframe()
		}
		if s.Next(epoch().Add(time.Duration(i) * s.Interval())).Key {
			keys = append(keys, i)
		}
	}
	// Asked for at 3: not before 300 ms after the first. Asked for at 20, at once; at 21: 300 ms later.
	if got, want := fmt.Sprint(keys), "[0 10 20 30]"; got != want {
		t.Errorf("keyframes: got %s, want %s", got, want)
	}
}

func TestPeriodicKeyframes(t *testing.T) {
	v := camera(VP8, 30, 500_000)
	v.Keyframe = time.Second
	s := NewVideoSource(v, 1, 1)
	for i := range 120 {
		if got, want := s.Next(epoch().Add(time.Duration(i)*s.Interval())).Key, i%30 == 0; got != want {
			t.Errorf("frame %d: key got %v, want %v", i, got, want)
		}
	}
}

func TestFramesAreWellFormed(t *testing.T) {
	for _, v := range []Video{
		camera(VP8, 30, 500_000), camera(H264, 30, 500_000), camera(H264, 30, 60_000), camera(VP8, 30, 5_000),
		{Codec: H264, Content: Screen, Width: 1920, Height: 1080, FPS: 5, BitrateBPS: 3_000_000},
	} {
		s, twin := NewVideoSource(v, 9, 4), NewVideoSource(v, 9, 4)
		var base uint32
		for i := range 90 {
			at := epoch().Add(time.Duration(i) * s.Interval())
			if i%40 == 39 {
				s.RequestKeyframe()
				twin.RequestKeyframe()
			}
			f, g := s.Next(at), twin.Next(at)
			if i == 0 {
				base = f.Timestamp
			}
			if want := base + uint32(time.Duration(i)*s.Interval()*9/100_000); f.Timestamp != want {
				t.Fatalf("frame %d: timestamp got %d, want %d", i, f.Timestamp, want)
			}
			checkFrame(t, v, f, at)
			for p := range f.Packets {
				if !bytes.Equal(f.Packets[p].Payload, g.Packets[p].Payload) {
					t.Fatalf("frame %d packet %d differs between equal sources", i, p)
				}
			}
		}
	}
}

func checkFrame(t *testing.T, v Video, f Frame, at time.Time) {
	t.Helper()
	ref := f.Number - 1
	if f.Key {
		ref = f.Number
	}
	for i, p := range f.Packets {
		if len(p.Payload) > MaxPayload || p.Marker != (i == len(f.Packets)-1) {
			t.Fatalf("frame %d packet %d: %d bytes, marker %v", f.Number, i, len(p.Payload), p.Marker)
		}
		want := Trailer{Key: f.Key, Stream: 9, Frame: f.Number, Packet: uint16(i), Packets: uint16(len(f.Packets)), CaptureNS: at.UnixNano(), Ref: ref}
		if got, ok := ParseTrailer(p.Payload); !ok || got != want {
			t.Fatalf("trailer: got %+v %v, want %+v", got, ok, want)
		}
		if i == 0 && IsKeyframe(v.Codec, p.Payload) != f.Key {
			t.Fatalf("frame %d: IsKeyframe got %v", f.Number, !f.Key)
		}
		if i > 1 && IsKeyframe(v.Codec, p.Payload) {
			t.Fatalf("frame %d packet %d looks like a start", f.Number, i)
		}
	}
	if v.Codec == VP8 {
		checkVP8(t, v, f)
	} else {
		checkH264(t, v, f)
	}
}

func checkVP8(t *testing.T, v Video, f Frame) {
	t.Helper()
	for i, p := range f.Packets {
		var d codecs.VP8Packet
		body, err := d.Unmarshal(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		if (d.S == 1) != (i == 0) || d.PID != 0 || d.I != 1 {
			t.Fatalf("descriptor of packet %d: %+v", i, d)
		}
		if i > 0 || !f.Key {
			continue
		}
		w, h := int(body[6])|int(body[7])<<8, int(body[8])|int(body[9])<<8
		if !bytes.Equal(body[3:6], []byte{0x9d, 0x01, 0x2a}) || w != v.Width || h != v.Height {
			t.Fatalf("key frame header: %x", body[:10])
		}
	}
}

// checkH264 puts the packets together as a receiver does and looks at the units.
func checkH264(t *testing.T, v Video, f Frame) {
	t.Helper()
	d := codecs.H264Packet{IsAVC: true} // lengths, not start codes: trailers hold zeros
	var stream []byte
	for _, p := range f.Packets {
		b, err := d.Unmarshal(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		stream = append(stream, b...)
	}
	kinds := ""
	for len(stream) > 0 {
		size := binary.BigEndian.Uint32(stream)
		nal := stream[4 : 4+size]
		stream = stream[4+size:]
		kinds += fmt.Sprint(nal[0]&0x1f, " ")
		if nal[0]&0x1f == nalSPS {
			if w, h := spsSize(nal); w != v.Width || h != v.Height {
				t.Fatalf("SPS: got %dx%d, want %dx%d", w, h, v.Width, v.Height)
			}
		}
	}
	want := "1 "
	if f.Key {
		want = "7 8 12 5 "
	}
	if kinds != want {
		t.Fatalf("units of frame %d: got %q, want %q", f.Number, kinds, want)
	}
}

// spsSize reads the picture size of a baseline SPS.
func spsSize(nal []byte) (w, h int) {
	nal = bytes.ReplaceAll(nal, []byte{0, 0, 3}, []byte{0, 0})
	pos := 32
	bit := func() int {
		v := int(nal[pos/8]>>(7-pos%8)) & 1
		pos++
		return v
	}
	ue := func() int {
		zeros := 0
		for bit() == 0 {
			zeros++
		}
		v := 1
		for range zeros {
			v = v<<1 | bit()
		}
		return v - 1
	}
	ue()
	ue()
	ue()
	ue()
	bit()
	w, h = (ue()+1)*16, (ue()+1)*16
	bit()
	bit()
	if bit() == 1 {
		w -= 2 * (ue() + ue())
		h -= 2 * (ue() + ue())
	}
	return w, h
}

func TestParameterSetsOfManySizes(t *testing.T) {
	for w := 2; w <= 4096; w += 62 {
		for h := 2; h <= 2304; h += 94 {
			sps, _ := h264ParameterSets(w, h)
			if gw, gh := spsSize(sps); gw != w || gh != h {
				t.Fatalf("got %dx%d, want %dx%d", gw, gh, w, h)
			}
		}
	}
}

func TestSourceDoesNotAllocate(t *testing.T) {
	s := NewVideoSource(camera(VP8, 30, 500_000), 1, 1)
	at := epoch()
	step := func() {
		s.Next(at)
		at = at.Add(s.Interval())
	}
	for range 3000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("video: %v allocations per frame", n)
	}
	a := NewAudioSource(Audio{Codec: Opus, BitrateBPS: 32_000, DTX: true}, 1, 1)
	if n := testing.AllocsPerRun(1000, func() { a.Next(at); at = at.Add(AudioInterval) }); n != 0 {
		t.Errorf("audio: %v allocations per packet", n)
	}
}

func TestIsKeyframe(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   Codec
		payload []byte
		want    bool
	}{
		{"empty", VP8, nil, false},
		{"VP8 key, plain descriptor", VP8, []byte{0x10, 0x00, 0, 0}, true},
		{"VP8 delta", VP8, []byte{0x10, 0x01, 0, 0}, false},
		{"VP8 not the start", VP8, []byte{0x00, 0x00, 0, 0}, false},
		{"VP8 other partition", VP8, []byte{0x11, 0x00, 0, 0}, false},
		{"VP8 all extensions", VP8, []byte{0x90, 0xf0, 0x81, 0x02, 3, 4, 0x00, 0}, true},
		{"VP8 short picture ID", VP8, []byte{0x90, 0x80, 0x01, 0x00}, true},
		{"VP8 extensions cut off", VP8, []byte{0x90, 0xf0, 0x81, 0x02}, false},
		{"VP8 nothing after", VP8, []byte{0x90, 0x80, 0x01}, false},
		{"H264 IDR", H264, []byte{0x65, 0x88}, true},
		{"H264 SPS", H264, []byte{0x67, 0x42}, true},
		{"H264 slice", H264, []byte{0x41, 0x9a}, false},
		{"H264 PPS", H264, []byte{0x68, 0xce}, false},
		{"H264 FU-A start of IDR", H264, []byte{0x7c, 0x85, 0x88}, true},
		{"H264 FU-A middle of IDR", H264, []byte{0x7c, 0x05, 0x88}, false},
		{"H264 FU-A start of slice", H264, []byte{0x5c, 0x81, 0x9a}, false},
		{"H264 STAP-A with IDR last", H264, []byte{0x78, 0, 1, 0x68, 0, 2, 0x65, 0x88}, true},
		{"H264 STAP-A without", H264, []byte{0x78, 0, 1, 0x68, 0, 2, 0x41, 0x9a}, false},
		{"H264 STAP-A cut off", H264, []byte{0x78, 0, 9, 0x67}, false},
		{"Opus", Opus, []byte{0x10, 0, 0, 0}, false},
	} {
		if got := IsKeyframe(c.codec, c.payload); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func FuzzIsKeyframe(f *testing.F) {
	f.Add([]byte{0x90, 0xf0, 0x81, 0x02, 3, 4, 0x00})
	f.Add([]byte{0x78, 0, 1, 0x68, 0, 2, 0x65, 0x88})
	f.Add([]byte{0x7c, 0x85})
	f.Fuzz(func(_ *testing.T, b []byte) {
		IsKeyframe(VP8, b)
		IsKeyframe(H264, b)
	})
}

func BenchmarkVideoSourceNext(b *testing.B) {
	for _, bps := range []int64{500_000, 4_000_000} {
		b.Run(fmt.Sprintf("%dk", bps/1000), func(b *testing.B) {
			s := NewVideoSource(camera(VP8, 30, bps), 1, 1)
			at, packets := epoch(), 0
			b.ReportAllocs()
			for b.Loop() {
				packets += len(s.Next(at).Packets)
				at = at.Add(s.Interval())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}
