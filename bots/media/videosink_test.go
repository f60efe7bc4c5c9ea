package media

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// pushAll delivers a frame at once; the sink must not keep its bytes.
func pushAll(s *VideoSink, f Frame, at time.Time) {
	for i, p := range f.Packets {
		s.Push(p.Payload, f.Timestamp, uint16(i), p.Marker, at)
	}
}

// wirePacket is a packet on its way, with bytes of its own.
type wirePacket struct {
	payload   []byte
	timestamp uint32
	seq       uint16
	marker    bool
	frame     int
	arrival   time.Duration
}

// wire is a made-up path: it sends frames, and delivers what was not taken out in order of arrival.
type wire struct {
	source  *VideoSource
	seq     uint16
	packets []wirePacket
	frames  int
	strip   bool // trailers are damaged, as if a browser had sent
}

func newWire(v Video) *wire { return &wire{source: NewVideoSource(v, 1, 1)} }

func (w *wire) send(at, delay time.Duration) {
	f := w.source.Next(epoch().Add(at))
	for _, p := range f.Packets {
		b := slices.Clone(p.Payload)
		if w.strip {
			b[len(b)-1]++
		}
		w.packets = append(w.packets, wirePacket{b, f.Timestamp, w.seq, p.Marker, w.frames, at + delay})
		w.seq++
	}
	w.frames++
}

// deliver pushes everything in order of arrival, ticking every 20 ms.
func (w *wire) deliver(s *VideoSink) {
	slices.SortStableFunc(w.packets, func(a, b wirePacket) int { return int(a.arrival - b.arrival) })
	tick := time.Duration(0)
	for _, p := range w.packets {
		for ; tick <= p.arrival; tick += 20 * time.Millisecond {
			s.Tick(epoch().Add(tick))
		}
		s.Push(p.payload, p.timestamp, p.seq, p.marker, epoch().Add(p.arrival))
	}
	w.packets = w.packets[:0]
}

const frameTime = time.Second / 30

func TestCleanStreamIsExact(t *testing.T) {
	for _, codec := range []Codec{VP8, H264} {
		for _, strip := range []bool{false, true} {
			var delays []int64
			s := NewVideoSink(VideoSinkConfig{Codec: codec, FPSExpected: 30, Delay: func(us int64) { delays = append(delays, us) }}, epoch())
			w := newWire(camera(codec, 30, 500_000))
			w.strip = strip
			s.StartWindow(epoch())
			for i := range 600 {
				w.send(time.Duration(i)*frameTime, 40*time.Millisecond)
			}
			w.deliver(s)
			r := s.EndWindow(epoch().Add(20 * time.Second))
			if r.Frames != 600 || r.Keyframes != 2 || r.Dropped != 0 || r.Stale != 0 || r.FreezeCount != 0 || r.FreezeRatio != 0 || r.FPS != 30 {
				t.Errorf("%s, stripped %v: got %+v", codec, strip, r)
			}
			if strip {
				continue
			}
			if len(delays) != 600 || slices.Min(delays) != 40_000 || slices.Max(delays) != 40_000 {
				t.Errorf("%s: %d delays from %d to %d, want 600 of 40000", codec, len(delays), slices.Min(delays), slices.Max(delays))
			}
		}
	}
}

func TestDelayIsUntilTheLastPacket(t *testing.T) {
	var delays []int64
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, Delay: func(us int64) { delays = append(delays, us) }}, epoch())
	s.StartWindow(epoch())
	w := newWire(camera(VP8, 30, 500_000))
	w.send(0, 10*time.Millisecond)
	w.packets[1].arrival += 70 * time.Millisecond // repaired
	w.send(frameTime, 10*time.Millisecond)        // complete before the first
	w.deliver(s)
	if want := []int64{80_000, 10_000}; !slices.Equal(delays, want) {
		t.Errorf("delays: got %v, want %v", delays, want)
	}
}

// A blackout of 1 s loses 30 frames; the first frame after it refers to what is lost, is given up
// 300 ms later, a keyframe is asked for, arrives 100 ms after that, and ends the freeze.
func TestBlackoutFreezesExactly(t *testing.T) {
	for _, blackout := range []bool{false, true} {
		s := NewVideoSink(VideoSinkConfig{Codec: VP8, FPSExpected: 30}, epoch())
		w := newWire(camera(VP8, 30, 500_000))
		s.StartWindow(epoch())
		const ms = time.Millisecond
		askedAt, arrivesAt := time.Duration(-1), time.Duration(-1)
		next := 0
		for at := time.Duration(0); at < 8*time.Second; at += ms {
			for next < 240 && time.Duration(next)*frameTime <= at {
				if arrivesAt >= 0 && at >= arrivesAt {
					w.source.RequestKeyframe()
					arrivesAt = -1
				}
				w.send(time.Duration(next)*frameTime, 0)
				if lost := next >= 60 && next < 90; blackout && lost {
					w.packets = w.packets[:0]
				}
				for _, p := range w.packets {
					s.Push(p.payload, p.timestamp, p.seq, p.marker, epoch().Add(p.arrival))
				}
				w.packets = w.packets[:0]
				next++
			}
			s.Tick(epoch().Add(at))
			if s.NeedKeyframe(epoch().Add(at)) {
				if askedAt >= 0 {
					t.Errorf("asked for a keyframe again at %v", at)
				}
				askedAt, arrivesAt = at, at+100*ms
			}
		}
		r := s.EndWindow(epoch().Add(8 * time.Second))
		if !blackout {
			if r.FreezeCount != 0 || r.FreezeDuration != 0 || askedAt >= 0 || r.Frames != 240 {
				t.Errorf("without blackout: got %+v, asked at %v", r, askedAt)
			}
			continue
		}
		// Frame 90 arrives at 3 s and is given up at 3.3 s; frame 102, at 3.4 s, is the keyframe.
		if askedAt != 3300*ms {
			t.Errorf("asked at %v, want 3.3s", askedAt)
		}
		want := 102*frameTime - 59*frameTime
		if r.FreezeCount != 1 || r.FreezeDuration != want || r.FreezeOpen != 0 || r.LongestGap != want {
			t.Errorf("got %d freezes of %v, longest gap %v, want 1 of %v", r.FreezeCount, r.FreezeDuration, r.LongestGap, want)
		}
		if r.Frames != 240-42 || r.Dropped != 42 {
			t.Errorf("got %d frames and %d dropped, want 198 and 42", r.Frames, r.Dropped)
		}
	}
}

func TestFreezeThatIsStillOpen(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, FPSExpected: 30}, epoch())
	w := newWire(camera(VP8, 30, 300_000))
	for i := range 90 {
		w.send(time.Duration(i)*frameTime, 0)
	}
	w.deliver(s)
	last := 89 * frameTime
	if r := s.Report(epoch().Add(last + 180*time.Millisecond)); r.FreezeCount != 0 {
		t.Errorf("after 180 ms: got %+v", r)
	}
	r := s.Report(epoch().Add(last + 2*time.Second))
	if r.FreezeCount != 1 || r.FreezeOpen != 2*time.Second || r.FreezeDuration != 2*time.Second {
		t.Errorf("after 2 s: got %+v", r)
	}
	// A window that starts inside the freeze takes only its own part.
	s.StartWindow(epoch().Add(last + time.Second))
	r = s.EndWindow(epoch().Add(last + 3*time.Second))
	if r.FreezeCount != 1 || r.FreezeDuration != 2*time.Second || r.FreezeRatio != 1 || r.FPS != 0 {
		t.Errorf("window in the freeze: got %+v", r)
	}
}

func TestNeverRendered(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, FPSExpected: 30}, epoch())
	s.StartWindow(epoch().Add(time.Second))
	r := s.EndWindow(epoch().Add(11 * time.Second))
	if r.FreezeCount != 1 || r.FreezeDuration != 10*time.Second || r.FreezeRatio != 1 || !r.FirstFrameAt.IsZero() {
		t.Errorf("got %+v", r)
	}
	var asked []time.Duration
	for at := time.Duration(0); at < 3*time.Second; at += 50 * time.Millisecond {
		if s.NeedKeyframe(epoch().Add(at)) {
			asked = append(asked, at)
		}
	}
	want := []time.Duration{200 * time.Millisecond, 1200 * time.Millisecond, 2200 * time.Millisecond}
	if !slices.Equal(asked, want) {
		t.Errorf("keyframes asked at %v, want %v", asked, want)
	}
}

func TestMuteIsNeitherFreezeNorLowRate(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, FPSExpected: 30}, epoch())
	w := newWire(camera(VP8, 30, 300_000))
	s.StartWindow(epoch())
	for i := range 60 {
		w.send(time.Duration(i)*frameTime, 0)
	}
	w.deliver(s)
	s.Expect(false, epoch().Add(2*time.Second))
	if s.NeedKeyframe(epoch().Add(5 * time.Second)) {
		t.Error("asked for a keyframe while muted")
	}
	s.Expect(true, epoch().Add(7*time.Second))
	for i := range 60 {
		w.send(7*time.Second+time.Duration(i)*frameTime, 0)
	}
	w.deliver(s)
	r := s.EndWindow(epoch().Add(9 * time.Second))
	if r.FreezeCount != 0 || r.FreezeDuration != 0 || r.FPS != 30 || r.Expected != 4*time.Second || r.Dropped != 0 {
		t.Errorf("got %+v", r)
	}
}

// A viewer who comes in the middle of a stream renders from the first keyframe on.
func TestJoinInTheMiddle(t *testing.T) {
	for _, strip := range []bool{false, true} {
		s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
		w := newWire(camera(VP8, 30, 500_000))
		w.strip = strip
		for i := range 40 {
			if i == 20 {
				w.packets = w.packets[:0] // nothing of the first 20 frames
			}
			if i == 30 {
				w.source.RequestKeyframe()
			}
			w.send(time.Duration(i)*frameTime, 0)
		}
		w.deliver(s)
		r := s.Report(epoch().Add(40 * frameTime))
		if r.Frames != 10 || r.Keyframes != 1 || r.Dropped != 0 || !r.FirstFrameAt.Equal(epoch().Add(30*frameTime)) {
			t.Errorf("stripped %v: got %+v", strip, r)
		}
	}
}

// Another stream takes the place of the first, as when a server switches speakers.
func TestStreamIsReplaced(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
	a, b := newWire(camera(VP8, 30, 300_000)), &wire{source: NewVideoSource(camera(VP8, 30, 300_000), 2, 1)}
	for i := range 30 {
		a.send(time.Duration(i)*frameTime, 0)
	}
	a.deliver(s)
	for i := range 30 {
		b.send(time.Second+time.Duration(i)*frameTime, 0)
	}
	b.deliver(s)
	if r := s.Report(epoch().Add(2 * time.Second)); r.Frames != 60 || r.Dropped != 0 {
		t.Errorf("got %+v", r)
	}
}

func TestLossOfAKeyframeHoldsUpOnlyUntilItsDeadline(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, Deadline: 200 * time.Millisecond}, epoch())
	w := newWire(camera(VP8, 30, 500_000))
	for i := range 30 {
		w.send(time.Duration(i)*frameTime, 0)
	}
	w.packets = slices.DeleteFunc(w.packets, func(p wirePacket) bool { return p.frame == 0 && p.seq == 2 })
	w.deliver(s)
	if s.NeedKeyframe(epoch().Add(time.Second)) != true {
		t.Error("no keyframe asked for")
	}
	if r := s.Report(epoch().Add(time.Second)); r.Frames != 0 || len(s.held) > 8 {
		t.Errorf("held %d, got %+v", len(s.held), r)
	}
}

// Whatever is lost, repeated or reordered: nothing is rendered that was not sent, memory is
// bounded, and without loss everything is rendered.
func TestRandomPaths(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for round := range 120 {
		codec := []Codec{VP8, H264}[round%2]
		loss := []float64{0, 0.01, 0.1, 0.5}[round%4]
		spread := []time.Duration{0, 30 * time.Millisecond, 90 * time.Millisecond}[round%3]
		strip := round%5 == 4
		rendered := 0
		s := NewVideoSink(VideoSinkConfig{Codec: codec, FPSExpected: 30, Delay: func(int64) { rendered++ }}, epoch())
		s.StartWindow(epoch())
		v := camera(codec, 30, 400_000)
		v.Keyframe = time.Second
		w := newWire(v)
		w.strip = strip
		for i := range 240 {
			w.send(time.Duration(i)*frameTime, 50*time.Millisecond)
		}
		kept := w.packets[:0]
		for _, p := range w.packets {
			if rng.Float64() < loss {
				continue
			}
			if spread > 0 {
				p.arrival += time.Duration(rng.Int64N(int64(spread)))
			}
			kept = append(kept, p)
		}
		w.packets = slices.Clone(kept)
		if round%3 == 0 {
			w.packets = append(w.packets, w.packets[:len(w.packets)/2]...)
		}
		w.deliver(s)
		s.Tick(epoch().Add(9 * time.Second))
		r := s.Report(epoch().Add(9 * time.Second))
		if len(s.held) != 0 || len(s.free) > maxHeld || r.Frames > 240 || !strip && rendered != int(r.Frames) {
			t.Errorf("round %d: held %d, free %d, rendered %d, %+v", round, len(s.held), len(s.free), rendered, r)
		}
		if loss == 0 && !(strip && spread > 0) && (r.Frames != 240 || r.Dropped != 0) {
			t.Errorf("round %d: loss-free but got %+v", round, r)
		}
		if first, last, known := seenFrames(kept, s); !strip && known && r.Dropped+r.Frames != uint64(last-first+1) {
			t.Errorf("round %d: %d rendered and %d dropped of frames %d to %d", round, r.Frames, r.Dropped, first, last)
		}
	}
}

// seenFrames is the first rendered frame and the last one of which anything arrived.
func seenFrames(packets []wirePacket, s *VideoSink) (first, last int, known bool) {
	if !s.Rendered() {
		return 0, 0, false
	}
	shown := make(map[int]int)
	for _, p := range packets {
		last = max(last, p.frame)
		shown[p.frame]++
	}
	for f := 0; f <= last; f += 30 { // keyframes of the test
		whole := 0
		for _, p := range packets {
			if tr, ok := ParseTrailer(p.payload); ok && p.frame == f {
				whole = int(tr.Packets)
			}
		}
		if whole > 0 && shown[f] >= whole {
			return f, last, true
		}
	}
	return 0, 0, false
}

// A stream with trailers gives way to one without, as when a server switches to a browser's.
func TestStampedGivesWayToPlain(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
	w := newWire(camera(VP8, 30, 300_000))
	for i := range 120 {
		w.strip = i >= 30
		if i == 90 {
			w.source.RequestKeyframe()
		}
		w.send(time.Duration(i)*frameTime, 0)
	}
	w.deliver(s)
	if r := s.Report(epoch().Add(4 * time.Second)); r.Frames != 60 || r.Keyframes != 2 {
		t.Errorf("got %+v", r)
	}
	// And back again, at once.
	w.strip = false
	w.source.RequestKeyframe()
	for i := 120; i < 150; i++ {
		w.send(time.Duration(i)*frameTime, 0)
	}
	w.deliver(s)
	if r := s.Report(epoch().Add(5 * time.Second)); r.Frames != 90 || r.Keyframes != 3 {
		t.Errorf("back: got %+v", r)
	}
}

// Servers probe with packets that are only padding: they use up sequence numbers.
func TestPaddingBetweenPlainFrames(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
	w := newWire(camera(VP8, 30, 300_000))
	w.strip = true
	for i := range 30 {
		at := time.Duration(i) * frameTime
		w.send(at, 0)
		last := w.packets[len(w.packets)-1]
		w.packets = append(w.packets, wirePacket{timestamp: last.timestamp, seq: w.seq, arrival: at})
		w.seq++
	}
	w.deliver(s)
	if r := s.Report(epoch().Add(time.Second)); r.Frames != 30 || r.Dropped != 0 {
		t.Errorf("got %+v", r)
	}
}

// A keyframe that arrives before a late packet of the frame in front of it waits for it, and no
// longer than the deadline.
func TestKeyframeWaitsForRepair(t *testing.T) {
	for _, c := range []struct {
		late           time.Duration
		frames         uint64
		dropped, stale uint64
		gap            time.Duration
	}{
		{100 * time.Millisecond, 60, 0, 0, 100*time.Millisecond + frameTime},
		{500 * time.Millisecond, 59, 1, 1, 300*time.Millisecond + 2*frameTime},
	} {
		s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
		w := newWire(camera(VP8, 30, 500_000))
		lateFrame := 29
		for i := range 60 {
			if i == 30 {
				w.source.RequestKeyframe()
			}
			w.send(time.Duration(i)*frameTime, 0)
			if i == lateFrame {
				w.packets[len(w.packets)-1].arrival += c.late
			}
		}
		w.deliver(s)
		r := s.Report(epoch().Add(2 * time.Second))
		if r.Frames != c.frames || r.Dropped != c.dropped || r.Stale != c.stale {
			t.Errorf("%v late: got %+v", c.late, r)
		}
		if d := c.gap - r.LongestGap; d < -20*time.Millisecond || d > 40*time.Millisecond {
			t.Errorf("%v late: longest gap %v, want about %v", c.late, r.LongestGap, c.gap)
		}
	}
}

func TestHeldFramesAreBounded(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, Deadline: time.Hour}, epoch())
	for i := range 1000 {
		tr := Trailer{Frame: uint32(1000 + i*2), Packets: 2, Ref: uint32(999 + i*2)}
		s.Push(tr.AppendTo(nil), uint32(i), uint16(i), false, epoch())
		if len(s.held)+len(s.free) > maxHeld {
			t.Fatalf("%d held and %d free after %d frames", len(s.held), len(s.free), i)
		}
	}
}

func FuzzVideoSink(f *testing.F) {
	for _, tr := range sampleTrailers() {
		f.Add(tr.AppendTo(nil), uint32(1), uint16(2), true)
	}
	f.Add([]byte{0x10, 0x00, 0, 0}, uint32(math.MaxUint32), uint16(math.MaxUint16), true)
	f.Add([]byte(nil), uint32(0), uint16(0), false)
	f.Fuzz(func(t *testing.T, payload []byte, ts uint32, seq uint16, marker bool) {
		for _, codec := range []Codec{VP8, H264} {
			s := NewVideoSink(VideoSinkConfig{Codec: codec}, epoch())
			for i := range 5 {
				tr := Trailer{Key: i%2 == 0, Frame: uint32(seq) * uint32(i), Packet: seq % 3, Packets: 3, Ref: ts}
				s.Push(payload, ts*uint32(i), seq+uint16(i), marker, epoch())
				s.Push(tr.AppendTo(payload), ts, seq, marker, epoch().Add(time.Duration(ts)))
			}
			s.Tick(epoch().Add(time.Minute))
			if len(s.held) > maxHeld {
				t.Errorf("%d held", len(s.held))
			}
		}
	})
}

func TestSinkDoesNotAllocate(t *testing.T) {
	push := benchSink()
	for range 5000 {
		push()
	}
	if n := testing.AllocsPerRun(5000, push); n != 0 {
		t.Errorf("%v allocations per packet", n)
	}
}

// benchSink is a function that makes a frame every few calls and pushes one packet a call.
func benchSink() (push func()) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8, FPSExpected: 30, Delay: func(int64) {}}, epoch())
	s.StartWindow(epoch())
	source := NewVideoSource(camera(VP8, 30, 1_000_000), 1, 1)
	at := epoch()
	var f Frame
	i := 0
	var seq uint16
	return func() {
		if i == len(f.Packets) {
			at = at.Add(source.Interval())
			f, i = source.Next(at), 0
		}
		p := f.Packets[i]
		s.Push(p.Payload, f.Timestamp, seq, p.Marker, at)
		i, seq = i+1, seq+1
	}
}

func BenchmarkVideoSinkPush(b *testing.B) {
	push := benchSink()
	b.ReportAllocs()
	for b.Loop() {
		push()
	}
}

// Here nothing at all has come of the frame in front of the keyframe.
func TestKeyframeWaitsForAnUnseenFrame(t *testing.T) {
	s := NewVideoSink(VideoSinkConfig{Codec: VP8}, epoch())
	w := newWire(camera(VP8, 30, 500_000))
	for i := range 60 {
		if i == 30 {
			w.source.RequestKeyframe()
		}
		delay := time.Duration(0)
		if i == 29 {
			delay = 100 * time.Millisecond
		}
		w.send(time.Duration(i)*frameTime, delay)
	}
	w.deliver(s)
	if r := s.Report(epoch().Add(2 * time.Second)); r.Frames != 60 || r.Dropped != 0 || r.Stale != 0 {
		t.Errorf("got %+v", r)
	}
}

// Without trailers only the sequence numbers tell that the start of a frame is missing.
func TestPlainFrameWithoutItsStart(t *testing.T) {
	for _, codec := range []Codec{VP8, H264} {
		s := NewVideoSink(VideoSinkConfig{Codec: codec}, epoch())
		w := newWire(camera(codec, 30, 500_000))
		w.strip = true
		for i := range 30 {
			w.send(time.Duration(i)*frameTime, 0)
		}
		first := slices.IndexFunc(w.packets, func(p wirePacket) bool { return p.frame == 15 })
		w.packets = slices.Delete(w.packets, first, first+1)
		w.deliver(s)
		if r := s.Report(epoch().Add(time.Second)); r.Frames != 15 || !s.NeedKeyframe(epoch().Add(time.Second)) {
			t.Errorf("%s: got %+v", codec, r)
		}
	}
}
