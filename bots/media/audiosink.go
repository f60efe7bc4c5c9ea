package media

import "time"

const (
	bufferMargin = 20 * time.Millisecond // of the jitter buffer above the 95th percentile
	bufferMin    = 40 * time.Millisecond
	bufferMax    = 200 * time.Millisecond
	maxAudioGap  = 3000 // packets that a jump of the timestamp may stand for
)

// AudioSinkConfig says how a received audio stream is judged.
type AudioSinkConfig struct {
	DTX   bool           // gaps of the timestamp are silence, not loss
	Delay func(us int64) // called in an open window for every packet with a capture time
}

// AudioSink judges one received audio stream of 20 ms packets at 48 kHz. It has one owner, starts
// nothing, and allocates nothing per packet.
type AudioSink struct {
	c      AudioSinkConfig
	runs   lossRuns
	spread spread

	open          bool
	on            bool
	packets       uint64
	expected      uint64
	useless       uint64
	firstAt, last time.Time
	start         time.Time // of the window, of birth, or when audio was last expected again
	inCount       bool      // a packet arrived since start
	expectedFor   time.Duration
	silent        time.Duration // settled: nothing came at the end of an expected time
	timestamp     uint32        // of the newest packet
}

// AudioReport is what an AudioSink saw since its window was started.
type AudioReport struct {
	Packets  uint64 // without duplicates
	Expected uint64 // without DTX by the timestamps, else by the sequence numbers
	Lost     uint64 // sequence numbers that never came, or 64 packets too late
	LossRuns uint64 // runs of these
	Late     uint64 // came after the jitter buffer had given them up
	Useless  uint64 // duplicates, and far too late

	// Concealed is how long a player had nothing to play: 20 ms for each packet that is
	// missing or late, and, without DTX, the silence at the end.
	Concealed time.Duration
	PDVP95    time.Duration // 95th percentile of delay above the smallest, to 0.5 ms (RFC 5481)
	Buffer    time.Duration // PDVP95 + 20 ms, at least 40, at most 200
	BurstR    float64       // G.107: mean run of losses over that of independent loss, at least 1

	ExpectedFor   time.Duration // time in which audio was meant to arrive
	FirstPacketAt time.Time     // in the sink's whole life; zero: none
	LastPacketAt  time.Time
}

// NewAudioSink makes a sink for a stream whose life begins now. It expects audio until told
// otherwise, and its window is closed.
func NewAudioSink(c AudioSinkConfig, now time.Time) *AudioSink {
	return &AudioSink{c: c, on: true, start: now}
}

// Push takes one RTP packet in order of arrival. The capture time is the one of the header
// extension, zero if there was none.
func (s *AudioSink) Push(capture time.Time, timestamp uint32, seq uint16, arrived time.Time) {
	kind, ahead := s.runs.add(seq)
	if kind == useless {
		s.useless++
		return
	}
	if s.firstAt.IsZero() {
		s.firstAt = arrived
	}
	if kind == newest {
		s.expected += s.due(timestamp, ahead)
		s.timestamp, s.inCount, s.last = timestamp, true, arrived
	}
	s.packets++
	if capture.IsZero() {
		return
	}
	d := time.Duration(arrived.UnixNano() - capture.UnixNano())
	s.spread.add(d)
	if s.open && s.c.Delay != nil {
		s.c.Delay(d.Microseconds())
	}
}

// due is how many packets the time that a new one ends should have brought.
func (s *AudioSink) due(timestamp uint32, ahead int64) uint64 {
	if !s.inCount {
		return 1
	}
	if s.c.DTX || !s.on {
		return uint64(ahead)
	}
	step := int64(int32(timestamp-s.timestamp)) / audioTicks
	if step > maxAudioGap { // the sender began a new clock
		step = 0
	}
	return uint64(max(ahead, step))
}

// StartWindow opens the measured window: counters start at zero and delays are reported.
func (s *AudioSink) StartWindow(now time.Time) {
	s.runs.restart()
	s.spread.reset()
	s.packets, s.expected, s.useless = 0, 0, 0
	s.expectedFor, s.silent = 0, 0
	s.start, s.open = now, true
}

// EndWindow closes the window and reports on it.
func (s *AudioSink) EndWindow(now time.Time) AudioReport {
	r := s.Report(now)
	s.open = false
	return r
}

// Expect says that audio is meant to arrive from now on or not, because the sender was muted or
// unmuted as planned.
func (s *AudioSink) Expect(on bool, now time.Time) {
	if on == s.on {
		return
	}
	if on {
		s.start = now
		s.runs.skip()
		s.inCount = false
	} else {
		s.expectedFor, s.silent = s.upTo(now)
	}
	s.on = on
}

// upTo is the expected time, and the silence at its end, as if it ended now.
func (s *AudioSink) upTo(now time.Time) (expected, silent time.Duration) {
	if !s.on {
		return s.expectedFor, s.silent
	}
	from := s.start
	if s.inCount && s.last.After(from) {
		from = s.last
	}
	quiet := now.Sub(from)
	if s.c.DTX || quiet < bufferMax {
		quiet = 0
	}
	return s.expectedFor + now.Sub(s.start), s.silent + quiet
}

// Report is what EndWindow would return now; it changes nothing.
func (s *AudioSink) Report(now time.Time) AudioReport {
	runs := s.runs.settled()
	r := AudioReport{
		Packets: s.packets, Expected: s.expected, Lost: runs.lost, LossRuns: runs.runs, Useless: s.useless,
		PDVP95: s.spread.quantile(0.95), BurstR: 1, FirstPacketAt: s.firstAt, LastPacketAt: s.last,
	}
	r.Buffer = min(bufferMax, max(bufferMin, r.PDVP95+bufferMargin))
	r.Late = s.spread.beyond(r.Buffer)
	var silent time.Duration
	r.ExpectedFor, silent = s.upTo(now)
	missing := r.Late
	if s.expected > s.packets {
		missing += s.expected - s.packets
	}
	r.Concealed = min(r.ExpectedFor, time.Duration(missing)*AudioInterval+silent)
	if runs.runs > 0 {
		p := float64(runs.lost) / float64(runs.lost+s.packets)
		r.BurstR = max(1, float64(runs.lost)/float64(runs.runs)*(1-p))
	}
	return r
}
