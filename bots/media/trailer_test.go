package media

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sampleTrailers() []Trailer {
	return []Trailer{
		{Key: true, Packets: 1},
		{Stream: 7, Frame: 12, Packet: 1, Packets: 3, CaptureNS: 1_700_000_000_250_000_000, Ref: 11},
		{Key: true, Stream: math.MaxUint32, Frame: math.MaxUint32, Packet: math.MaxUint16 - 1, Packets: math.MaxUint16, CaptureNS: math.MinInt64, Ref: math.MaxUint32},
	}
}

func TestTrailerRoundTrip(t *testing.T) {
	for _, want := range sampleTrailers() {
		b := want.AppendTo([]byte("payload"))
		if len(b) != 7+TrailerSize {
			t.Fatalf("length: got %d, want %d", len(b), 7+TrailerSize)
		}
		got, ok := ParseTrailer(b)
		if !ok {
			t.Fatalf("%+v was not accepted", want)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("trailer (-want +got):\n%s", d)
		}
	}
}

// The layout is read by others: it may only change with the version.
func TestTrailerLayout(t *testing.T) {
	tr := Trailer{Key: true, Stream: 0x01020304, Frame: 0x05060708, Packet: 1, Packets: 2, CaptureNS: 0x1112131415161718, Ref: 0x05060708}
	want := []byte("PFLT\x01\x03\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02\x11\x12\x13\x14\x15\x16\x17\x18\x05\x06\x07\x08\x00\x00\x00\x00")
	if got := tr.AppendTo(nil)[:36]; !bytes.Equal(got, want) {
		t.Errorf("layout: got %x, want %x", got, want)
	}
}

func TestParseTrailerIsStrict(t *testing.T) {
	good := sampleTrailers()[1].AppendTo(make([]byte, 20))
	for bit := range TrailerSize * 8 {
		b := bytes.Clone(good)
		b[20+bit/8] ^= 1 << (bit % 8)
		if got, ok := ParseTrailer(b); ok {
			t.Errorf("bit %d flipped was accepted: %+v", bit, got)
		}
	}
	for _, tr := range []Trailer{{}, {Packet: 3, Packets: 3}} {
		if _, ok := ParseTrailer(tr.AppendTo(nil)); ok {
			t.Errorf("impossible trailer %+v was accepted", tr)
		}
	}
	for n := range TrailerSize {
		if _, ok := ParseTrailer(good[:n]); ok {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}

func FuzzParseTrailer(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte("PFLT"))
	f.Add(make([]byte, TrailerSize))
	for _, tr := range sampleTrailers() {
		b := tr.AppendTo([]byte{0x90, 0x80, 0x81, 0x02})
		f.Add(b)
		b = bytes.Clone(b)
		b[len(b)-1]++
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, ok := ParseTrailer(b)
		if !ok {
			return
		}
		if again := tr.AppendTo(nil); !bytes.Equal(again, b[len(b)-TrailerSize:]) {
			t.Errorf("%x reads as %+v, which is written %x", b[len(b)-TrailerSize:], tr, again)
		}
	})
}
