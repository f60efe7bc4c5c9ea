package media

import "time"

// VideoReport is what a VideoSink saw since its window was started.
type VideoReport struct {
	Frames    uint64 // rendered
	Keyframes uint64 // of these
	Dropped   uint64 // given up, undecodable or never seen, after the first rendered one
	Packets   uint64
	Bytes     uint64 // of RTP payload
	Stale     uint64 // packets: duplicates, and of frames already rendered or given up

	Expected time.Duration // time in which video was meant to arrive
	FPS      float64       // Frames per second of Expected

	// A freeze counts with the part of it that lies in the window and in Expected. One that
	// is still going on is included; a stream that never rendered is frozen all the time.
	FreezeCount    uint64
	FreezeDuration time.Duration
	FreezeRatio    float64       // FreezeDuration over Expected, 0 to 1
	FreezeOpen     time.Duration // the part of FreezeDuration that no frame has ended
	LongestGap     time.Duration // without a rendered frame, within the window and Expected

	FirstFrameAt time.Time // rendered, in the sink's whole life; zero: none
	LastFrameAt  time.Time
}

// counters are what a window counts.
type counters struct {
	frames, keyframes, dropped   uint64
	packets, bytes, stale        uint64
	freezes                      uint64
	frozen, longest, expectedFor time.Duration
}

// videoTally counts frames and freezes over windows and pauses. Times count from the sink's birth.
type videoTally struct {
	expected time.Duration // between frames
	rule     freezeRule
	c        counters

	open   bool
	start  time.Duration // of the window; 0 before the first
	on     bool          // video is expected
	since  time.Duration // when it was last switched on
	shown  bool          // a frame was rendered since then
	last   time.Duration // when
	ever   bool
	firstF time.Duration
	lastF  time.Duration
}

func (t *videoTally) init(expected time.Duration) { t.expected, t.on = expected, true }

func (t *videoTally) packet(size int) {
	t.c.packets++
	t.c.bytes += uint64(size)
}

// rendered books a frame. The first one after a pause ends no interval.
func (t *videoTally) rendered(now time.Duration, key bool) {
	t.c.frames++
	if key {
		t.c.keyframes++
	}
	if t.on {
		gap := now - max(t.anchor(), t.start)
		t.c.longest = max(t.c.longest, gap)
		if t.shown && t.rule.add(now-t.last) {
			t.c.freezes++
			t.c.frozen += gap
		}
		t.shown, t.last = true, now
	}
	if !t.ever {
		t.ever, t.firstF = true, now
	}
	t.lastF = now
}

// anchor is where the present interval began: at the last frame, or when video was switched on.
func (t *videoTally) anchor() time.Duration {
	if t.shown {
		return t.last
	}
	return t.since
}

// upTo is the counters as they would be if the expected time ended now, with the freeze that is
// going on.
func (t *videoTally) upTo(now time.Duration) (c counters, open time.Duration) {
	c = t.c
	if !t.on {
		return c, 0
	}
	c.expectedFor += now - max(t.since, t.start)
	gap := now - max(t.anchor(), t.start)
	c.longest = max(c.longest, gap)
	if t.rule.would(now-t.anchor(), t.expected) {
		c.freezes++
		c.frozen += gap
		open = gap
	}
	return c, open
}

func (t *videoTally) expect(on bool, now time.Duration) {
	switch {
	case on == t.on:
		return
	case on:
		t.since, t.shown = now, false
	default:
		t.c, _ = t.upTo(now)
	}
	t.on = on
}

// StartWindow opens the measured window: counters start at zero and delays are reported from now
// on. What the frames before it were stays known.
func (s *VideoSink) StartWindow(now time.Time) {
	s.Tick(now)
	s.tally.c = counters{}
	s.tally.start, s.tally.open = now.Sub(s.born), true
}

// EndWindow closes the window and reports on it; a freeze that is going on is counted.
func (s *VideoSink) EndWindow(now time.Time) VideoReport {
	s.Tick(now)
	r := s.Report(now)
	s.tally.open = false
	return r
}

// Expect says that video is meant to arrive from now on or not, because the sender was muted or
// unmuted as planned: the time in between is neither frozen nor counted in FPS.
func (s *VideoSink) Expect(on bool, now time.Time) {
	s.Tick(now)
	s.tally.expect(on, now.Sub(s.born))
}

// Report is what EndWindow would return now; it changes nothing. Before the first StartWindow it
// covers the sink's life.
func (s *VideoSink) Report(now time.Time) VideoReport {
	c, open := s.tally.upTo(now.Sub(s.born))
	r := VideoReport{
		Frames: c.frames, Keyframes: c.keyframes, Dropped: c.dropped,
		Packets: c.packets, Bytes: c.bytes, Stale: c.stale,
		Expected: c.expectedFor, FreezeCount: c.freezes, FreezeDuration: c.frozen, FreezeOpen: open,
		LongestGap: c.longest, LastFrameAt: s.LastFrameAt(),
	}
	if c.expectedFor > 0 {
		r.FPS = float64(c.frames) / c.expectedFor.Seconds()
		r.FreezeRatio = min(1, float64(c.frozen)/float64(c.expectedFor))
	}
	if s.tally.ever {
		r.FirstFrameAt = s.born.Add(s.tally.firstF)
	}
	return r
}

// LastFrameAt is when the latest frame was rendered, zero if none was.
func (s *VideoSink) LastFrameAt() time.Time {
	if !s.tally.ever {
		return time.Time{}
	}
	return s.born.Add(s.tally.lastF)
}

// Rendered tells whether any frame was rendered in the sink's life.
func (s *VideoSink) Rendered() bool { return s.tally.ever }
