package bots

import (
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/scenarios"
)

// TestPacing sends a keyframe through the pacer: no more than its burst at once, the whole frame at
// 2.5 times the stream's bitrate, and small frames, but for the one behind it, without any wait.
func TestPacing(t *testing.T) {
	const bitrate = 500_000
	s := &stay{b: &Bot{tally: newTally(Config{})}}
	s.ctx, s.cancel = t.Context(), func() {}
	o, err := newOutput(s, scenarios.Published{ID: "a", Stream: media.Stream{
		Video: &media.Video{Codec: media.VP8, Width: 640, Height: 360, FPS: 30, BitrateBPS: bitrate},
	}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	now, afterKey := time.Unix(1000, 0), false
	for frame := range 60 {
		due := now
		o.sendVideo(due, now)
		size, largest := 0, 0
		for _, p := range o.pending {
			size += len(p.Payload)
			largest = max(largest, len(p.Payload))
		}
		key := size > 6*bitrate/8/30
		for wake := o.drain(now); len(o.pending) > 0; wake = o.drain(now) {
			before := len(o.pending)
			if !wake.After(now) {
				t.Fatalf("frame %d: the pacer asks to come again at once", frame)
			}
			now = wake
			if o.drain(now); before-len(o.pending) > 1 {
				t.Errorf("frame %d: %d packets left together after the burst", frame, before-len(o.pending))
			}
		}
		rate := pacerFactor * bitrate / 8 / float64(time.Second) // bytes a nanosecond
		took, least := now.Sub(due), time.Duration(float64(size-largest)/rate)-pacerBurst
		if key && took < least-time.Millisecond {
			t.Errorf("frame %d of %d bytes left in %v, want at least %v", frame, size, took, least)
		}
		if !key && !afterKey && took > time.Millisecond {
			t.Errorf("frame %d of %d bytes waited %v in the pacer", frame, size, took)
		}
		afterKey = key
		now = later(now, due.Add(o.videoSource.Interval()))
	}
}

func TestMutedVideoSendsNothing(t *testing.T) {
	s := &stay{b: &Bot{tally: newTally(Config{})}}
	s.ctx, s.cancel = t.Context(), func() {}
	o, err := newOutput(s, scenarios.Published{ID: "a", Stream: media.Stream{
		Video: &media.Video{Codec: media.VP8, Width: 640, Height: 360, FPS: 30, BitrateBPS: 500_000},
	}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	o.mute("video", true)
	if o.sendVideo(now, now); len(o.pending) != 0 {
		t.Errorf("got %d packets of a muted video", len(o.pending))
	}
	o.mute("video", false)
	if o.sendVideo(now, now); len(o.pending) == 0 {
		t.Error("got no packets after unmuting")
	}
}
