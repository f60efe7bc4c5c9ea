package media

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func TestAbsCaptureTimeOracle(t *testing.T) {
	b := AbsCaptureTime(time.Unix(1_700_000_000, 250_000_000))
	if got, want := hex.EncodeToString(b[:]), "e8fe6f8040000000"; got != want {
		t.Errorf("abs-capture-time: got %s, want %s", got, want)
	}
}

func TestAbsCaptureTimeKeepsTheNanosecond(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	instants := []time.Time{
		time.Unix(0, 0), time.Unix(946_684_800, 1), time.Unix(2_085_978_495, 999_999_999), time.Unix(2_085_978_496, 0), time.Unix(4_000_000_000, 500),
	}
	for range 20_000 {
		instants = append(instants, time.Unix(rng.Int64N(4_000_000_000), rng.Int64N(1e9)))
	}
	for _, want := range instants {
		b := AbsCaptureTime(want)
		got, ok := ParseAbsCaptureTime(b[:])
		if !ok || !got.Equal(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func TestAbsCaptureTimeAgreesWithPion(t *testing.T) {
	want := time.Unix(1_800_000_000, 123_456_789)
	raw, err := rtp.NewAbsCaptureTimeExtension(want).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, ok := ParseAbsCaptureTime(raw)
	if d := got.Sub(want).Abs(); !ok || d > time.Nanosecond {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, ok := ParseAbsCaptureTime(make([]byte, 16)); !ok {
		t.Error("the long form was refused")
	}
	for _, n := range []int{0, 7, 9, 15, 17} {
		if _, ok := ParseAbsCaptureTime(make([]byte, n)); ok {
			t.Errorf("%d bytes were accepted", n)
		}
	}
}
