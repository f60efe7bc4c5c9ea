package media

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestAudioConstant(t *testing.T) {
	s := NewAudioSource(Audio{Codec: Opus, BitrateBPS: 32_000}, 1, 1)
	var base uint32
	voice := 0
	const n = 30_000
	for i := range n {
		payload, ts, marker, send := s.Next(epoch().Add(time.Duration(i) * AudioInterval))
		if i == 0 {
			base = ts
		}
		if !send || len(payload) != 80 || ts != base+uint32(i*960) || marker != (i == 0) {
			t.Fatalf("packet %d: %d bytes, timestamp +%d, marker %v, send %v", i, len(payload), ts-base, marker, send)
		}
		if s.Voice() {
			voice++
		}
		if s.Voice() != (s.Level() < 127) {
			t.Fatalf("packet %d: voice %v at level %d", i, s.Voice(), s.Level())
		}
	}
	if share := float64(voice) / n; math.Abs(share-1.1/2.55) > 0.08 {
		t.Errorf("voice: got %.2f of the time, want about 0.43", share)
	}
}

func TestAudioDTX(t *testing.T) {
	s := NewAudioSource(Audio{Codec: Opus, BitrateBPS: 24_000, DTX: true}, 1, 3)
	silentFor, spurts, sentInSilence, silent := 0, 0, 0, 0
	for i := range 15_000 {
		payload, _, marker, send := s.Next(epoch().Add(time.Duration(i) * AudioInterval))
		if s.Voice() {
			if marker {
				spurts++
			}
			if !send || len(payload) != 60 {
				t.Fatalf("packet %d: talking, %d bytes, send %v", i, len(payload), send)
			}
			silentFor = 0
			continue
		}
		silent++
		if send != (silentFor%20 == 0) || send && (len(payload) < 1 || len(payload) > 8) {
			t.Fatalf("packet %d: %d intervals into silence, %d bytes, send %v", i, silentFor, len(payload), send)
		}
		if send {
			sentInSilence++
		}
		silentFor++
	}
	if spurts < 60 || spurts > 180 {
		t.Errorf("talkspurts in 5 minutes: got %d, want about 118", spurts)
	}
	if sentInSilence*10 > silent {
		t.Errorf("silence: %d packets in %d intervals", sentInSilence, silent)
	}
}

func TestAudioTimestampFollowsMuteButNotLateness(t *testing.T) {
	s := NewAudioSource(Audio{Codec: Opus, BitrateBPS: 32_000}, 1, 1)
	_, base, _, _ := s.Next(epoch())
	_, late, marker, _ := s.Next(epoch().Add(90 * time.Millisecond))
	if late-base != 960 || marker {
		t.Errorf("a late call: got +%d, marker %v, want +960", late-base, marker)
	}
	_, resumed, marker, _ := s.Next(epoch().Add(5 * time.Second))
	if resumed-base != 5*48_000 || !marker {
		t.Errorf("after a mute: got +%d, marker %v, want +240000 and a marker", resumed-base, marker)
	}
}

// feed pushes n packets at 20 ms, except those that drop names, with a delay for each.
func feed(s *AudioSink, from, n int, drop func(i int) bool, delay func(i int) time.Duration) {
	for i := from; i < from+n; i++ {
		if drop != nil && drop(i) {
			continue
		}
		capture := epoch().Add(time.Duration(i) * AudioInterval)
		s.Push(capture, uint32(i*960), uint16(65_000+i), capture.Add(delay(i)))
	}
}

func constant(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

func TestAudioSinkClean(t *testing.T) {
	var delays []int64
	s := NewAudioSink(AudioSinkConfig{Delay: func(us int64) { delays = append(delays, us) }}, epoch())
	feed(s, 0, 100, nil, constant(30*time.Millisecond))
	if len(delays) != 0 {
		t.Errorf("%d delays before the window", len(delays))
	}
	s.StartWindow(epoch().Add(2030 * time.Millisecond))
	feed(s, 100, 1000, nil, constant(30*time.Millisecond))
	r := s.EndWindow(epoch().Add(22_030 * time.Millisecond))
	if r.Packets != 1000 || r.Expected != 1000 || r.Lost != 0 || r.Late != 0 || r.Concealed != 0 || r.PDVP95 != 0 ||
		r.Buffer != 40*time.Millisecond || r.BurstR != 1 || r.ExpectedFor != 20*time.Second {
		t.Errorf("report: got %+v", r)
	}
	if want := epoch().Add(30 * time.Millisecond); !r.FirstPacketAt.Equal(want) {
		t.Errorf("first packet: got %v, want %v", r.FirstPacketAt, want)
	}
	if len(delays) != 1000 || delays[0] != 30_000 || delays[999] != 30_000 {
		t.Errorf("delays: got %d", len(delays))
	}
}

func TestAudioSinkLossesAndBursts(t *testing.T) {
	s := NewAudioSink(AudioSinkConfig{}, epoch())
	s.StartWindow(epoch())
	// Of every 100 packets 4 in a row are missing: mean run 4, loss 4 %.
	feed(s, 0, 1000, func(i int) bool { return i%100 >= 50 && i%100 < 54 }, constant(0))
	r := s.EndWindow(epoch().Add(20 * time.Second))
	if r.Packets != 960 || r.Expected != 1000 || r.Lost != 40 || r.LossRuns != 10 || r.Concealed != 800*time.Millisecond {
		t.Errorf("report: got %+v", r)
	}
	if want := 4 * 0.96; math.Abs(r.BurstR-want) > 1e-9 {
		t.Errorf("BurstR: got %v, want %v", r.BurstR, want)
	}
}

func TestAudioSinkReorderingAndDuplicates(t *testing.T) {
	s := NewAudioSink(AudioSinkConfig{}, epoch())
	s.StartWindow(epoch())
	order := []int{0, 2, 1, 1, 3, 6, 5, 4, 6, 7}
	for _, i := range order {
		s.Push(time.Time{}, uint32(i*960), uint16(i), epoch().Add(time.Duration(i)*AudioInterval))
	}
	r := s.EndWindow(epoch().Add(160 * time.Millisecond))
	if r.Packets != 8 || r.Lost != 0 || r.Useless != 2 || r.Expected != 8 {
		t.Errorf("report: got %+v", r)
	}
}

func TestAudioSinkDelayVariation(t *testing.T) {
	s := NewAudioSink(AudioSinkConfig{}, epoch())
	s.StartWindow(epoch())
	// The least delay shows up late; one packet in 10 takes 60 ms more, one in 50 takes 300 more.
	feed(s, 0, 1000, nil, func(i int) time.Duration {
		switch {
		case i%50 == 49:
			return 310 * time.Millisecond
		case i%10 == 5:
			return 70 * time.Millisecond
		case i < 3:
			return 25 * time.Millisecond
		}
		return 10 * time.Millisecond
	})
	r := s.EndWindow(epoch().Add(20 * time.Second))
	if r.PDVP95 != 60*time.Millisecond || r.Buffer != 80*time.Millisecond || r.Late != 20 || r.Concealed != 400*time.Millisecond {
		t.Errorf("report: got %+v", r)
	}
}

func TestSpreadAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var s spread
		least, all := time.Hour, []time.Duration{}
		for range 500 {
			d := time.Duration(rng.ExpFloat64()*20_000)*time.Microsecond - 5*time.Millisecond
			d = min(d, 300*time.Millisecond)
			s.add(d)
			all, least = append(all, d), min(least, d)
		}
		beyond := 0
		for _, d := range all {
			if d-least <= s.quantile(0.95)+spreadStep {
				beyond++
			}
		}
		if beyond < 475 {
			t.Fatalf("the 95th percentile %v holds for %d of 500", s.quantile(0.95), beyond)
		}
	}
}

func TestAudioSinkMuteAndSilence(t *testing.T) {
	at := func(ms int) time.Time { return epoch().Add(time.Duration(ms) * time.Millisecond) }
	s := NewAudioSink(AudioSinkConfig{}, epoch())
	s.StartWindow(epoch())
	feed(s, 0, 100, nil, constant(0))
	s.Expect(false, at(2000))
	s.Expect(true, at(7000))
	for i := range 100 { // sequence numbers go on, timestamps jump
		s.Push(time.Time{}, uint32((350+i)*960), uint16(65_100+i), at(7000+20*i))
	}
	r := s.Report(at(9000))
	if r.Packets != 200 || r.Expected != 200 || r.Lost != 0 || r.Concealed != 0 || r.ExpectedFor != 4*time.Second {
		t.Errorf("muted: got %+v", r)
	}
	r = s.EndWindow(at(12_980))
	if r.Concealed != 4*time.Second {
		t.Errorf("silence at the end: got %v, want 4s", r.Concealed)
	}
	never := NewAudioSink(AudioSinkConfig{}, epoch())
	never.StartWindow(at(0))
	if r := never.EndWindow(at(3000)); r.Concealed != 3*time.Second {
		t.Errorf("nothing ever came: got %v concealed, want 3s", r.Concealed)
	}
}

func TestAudioSinkDTXGapsAreNotLoss(t *testing.T) {
	source := NewAudioSource(Audio{Codec: Opus, BitrateBPS: 32_000, DTX: true}, 1, 1)
	s := NewAudioSink(AudioSinkConfig{DTX: true}, epoch())
	s.StartWindow(epoch())
	var seq uint16
	var sent uint64
	for i := range 3000 {
		at := epoch().Add(time.Duration(i) * AudioInterval)
		if _, ts, _, send := source.Next(at); send {
			s.Push(at, ts, seq, at)
			seq, sent = seq+1, sent+1
		}
	}
	r := s.EndWindow(epoch().Add(time.Minute))
	if r.Packets != sent || r.Expected != sent || r.Concealed != 0 {
		t.Errorf("report: got %+v, sent %d", r, sent)
	}
}

func TestAudioSinkNeverPanics(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s := NewAudioSink(AudioSinkConfig{}, epoch())
	for i := range 50_000 {
		s.Push(epoch().Add(time.Duration(rng.Int64())), rng.Uint32(), uint16(rng.Uint32()), epoch().Add(time.Duration(rng.Int64N(int64(time.Hour)))))
		if i%1000 == 0 {
			s.Expect(rng.IntN(2) == 0, epoch())
			s.Report(epoch().Add(time.Hour))
		}
	}
}

func BenchmarkAudioSinkPush(b *testing.B) {
	s := NewAudioSink(AudioSinkConfig{Delay: func(int64) {}}, epoch())
	s.StartWindow(epoch())
	i, at := 0, epoch()
	b.ReportAllocs()
	for b.Loop() {
		s.Push(at, uint32(i*960), uint16(i), at.Add(20*time.Millisecond))
		i, at = i+1, at.Add(AudioInterval)
	}
}
