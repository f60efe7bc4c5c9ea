package media

import (
	"testing"
	"time"
)

func TestFreezeRule(t *testing.T) {
	ms := func(x float64) time.Duration { return time.Duration(x * float64(time.Millisecond)) }
	for _, c := range []struct {
		frames   int
		interval float64
		gap      float64
		want     bool
	}{
		{60, 33.3, 185, false},
		{60, 33.3, 190, true},
		{60, 100, 310, false},
		{60, 100, 330, true},
		{60, 66.7, 210, false},
		{60, 66.7, 240, true},
		{60, 16.7, 165, false},
		{60, 16.7, 175, true},
		{5, 30, 1000, true},  // 4 intervals before: the fifth sample is the gap itself
		{4, 30, 1000, false}, // too few samples
	} {
		var r freezeRule
		for i := range c.frames - 1 {
			if r.add(ms(c.interval)) {
				t.Fatalf("steady %g ms: interval %d is a freeze", c.interval, i)
			}
		}
		open := r.would(ms(c.gap), ms(c.interval))
		if got := r.add(ms(c.gap)); got != c.want {
			t.Errorf("%d frames of %g ms, then %g ms: got freeze %v, want %v", c.frames, c.interval, c.gap, got, c.want)
		}
		if c.frames >= 5 && open != c.want {
			t.Errorf("%d frames of %g ms, then %g ms so far: got freeze %v, want %v", c.frames, c.interval, c.gap, open, c.want)
		}
	}
}

// With fewer than five samples an interval still open is held against the expected one.
func TestOpenFreezeOfYoungStream(t *testing.T) {
	var r freezeRule
	if d := 182 * time.Millisecond; r.would(d, 33*time.Millisecond) {
		t.Errorf("%v is a freeze", d)
	}
	if d := 183 * time.Millisecond; !r.would(d, 33*time.Millisecond) {
		t.Errorf("%v is no freeze", d)
	}
}

// The sink's counters by the same oracles: frames pushed at the intervals.
func TestFreezeOraclesThroughTheSink(t *testing.T) {
	for _, c := range []struct {
		intervalUS, gapUS int
		want              uint64
	}{
		{33_300, 185_000, 0},
		{33_300, 190_000, 1},
		{100_000, 310_000, 0},
		{100_000, 330_000, 1},
		{66_700, 210_000, 0},
		{66_700, 240_000, 1},
		{16_700, 165_000, 0},
		{16_700, 175_000, 1},
	} {
		s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
		source := NewVideoSource(camera(VP8, 30, 100_000), 1, 1)
		at := epoch()
		for i := range 61 {
			if i == 60 {
				at = at.Add(time.Duration(c.gapUS) * time.Microsecond)
			} else if i > 0 {
				at = at.Add(time.Duration(c.intervalUS) * time.Microsecond)
			}
			pushAll(s, source.Next(at), at)
		}
		r := s.Report(at)
		wantFor := time.Duration(c.want) * time.Duration(c.gapUS) * time.Microsecond
		if r.FreezeCount != c.want || r.FreezeDuration != wantFor || r.FreezeOpen != 0 {
			t.Errorf("%d/%d: got %d freezes of %v, want %d of %v", c.intervalUS, c.gapUS, r.FreezeCount, r.FreezeDuration, c.want, wantFor)
		}
	}
}
