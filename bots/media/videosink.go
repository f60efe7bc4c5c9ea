package media

import (
	"math"
	"time"
)

const (
	maxHeld         = 64 // frames in assembly
	defaultDeadline = 300 * time.Millisecond
	firstKeyWait    = 200 * time.Millisecond // without any keyframe, before one is asked for
	keyRequestGap   = time.Second
	restartFrames   = 512 // a frame number this far back is a new life of the stream
	restartTicks    = 900_000
	maxGap          = 10_000 // missing frames that are believed
	switchPackets   = 50     // without trailers, after which a stamped stream is taken for another
)

// VideoSinkConfig says how a received video is judged.
type VideoSinkConfig struct {
	Codec       Codec
	FPSExpected float64        // for freezes of streams with too few frames to tell; 0: 5 per second
	Deadline    time.Duration  // for an incomplete frame, from its first packet; 0: 300 ms
	Delay       func(us int64) // called in an open window for every rendered stamped frame: capture to complete
}

// VideoSink judges one received video stream: it puts frames together, renders them in order as
// soon as they are complete and all they refer to was rendered, gives up what is incomplete at
// its deadline, and counts freezes and frames. There is no jitter buffer: a frame is rendered
// when it can be decoded. Streams without trailers are followed by marker, sequence number and
// keyframe detection; they have no delays. A sink has one owner, holds at most 64 frames, starts
// no goroutine and no timer, and allocates nothing in steady state.
type VideoSink struct {
	c    VideoSinkConfig
	born time.Time

	held []*assembly // by id
	free []*assembly
	due  time.Duration // when the first held frame is given up

	stamped  bool
	any      bool   // a packet was seen: stamped is valid
	stream   uint32 // of the trailers
	plainRun int    // packets without trailer in a row
	tsExt    int64  // unstamped: last extended timestamp
	seqExt   int64  // unstamped: last extended sequence number

	popped    bool  // doneID is valid
	doneID    int64 // last frame rendered or given up
	doneSeq   int64 // unstamped: the sequence number it ended with
	seqKnown  bool
	shownID   int64 // last frame rendered
	chain     chain
	asked     time.Duration // last request for a keyframe
	everAsked bool

	tally videoTally
}

// chain is whether delta frames can be decoded.
type chain int

const (
	chainNone chain = iota // nothing was ever rendered
	chainIntact
	chainBroken // a frame was given up; a keyframe is needed
)

// NewVideoSink makes a sink for a stream whose life begins now. It expects video until told
// otherwise, and its window is closed.
func NewVideoSink(c VideoSinkConfig, now time.Time) *VideoSink {
	if c.Deadline <= 0 {
		c.Deadline = defaultDeadline
	}
	if c.FPSExpected <= 0 {
		c.FPSExpected = 5
	}
	s := &VideoSink{c: c, born: now, due: math.MaxInt64}
	s.tally.init(time.Duration(float64(time.Second) / c.FPSExpected))
	return s
}

// Push takes the payload of one RTP packet in order of arrival; it does not keep the bytes.
// Retransmitted packets carry their original timestamp and sequence number.
func (s *VideoSink) Push(payload []byte, timestamp uint32, seq uint16, marker bool, arrival time.Time) {
	now := arrival.Sub(s.born)
	s.tally.packet(len(payload))
	var changed bool
	if t, ok := ParseTrailer(payload); ok && t.Packets <= maxFramePackets {
		changed = s.pushStamped(t, now, arrival)
	} else {
		changed = s.pushPlain(payload, timestamp, seq, marker, now, arrival)
	}
	if changed || now >= s.due {
		s.advance(now)
	}
}

// Tick gives up frames whose deadline has passed. A caller calls it every 20 to 100 ms.
func (s *VideoSink) Tick(now time.Time) {
	if at := now.Sub(s.born); at >= s.due {
		s.advance(at)
	}
}

// NeedKeyframe tells whether to ask the sender for a keyframe now, and assumes that the caller
// does: it says so at most once a second. That is while nothing could be decoded for 200 ms, or
// after a frame had to be given up, unless a keyframe is arriving.
func (s *VideoSink) NeedKeyframe(now time.Time) bool {
	at := now.Sub(s.born)
	if s.chain == chainIntact || !s.tally.on || s.everAsked && at-s.asked < keyRequestGap {
		return false
	}
	if s.chain == chainNone && at-s.tally.since < firstKeyWait {
		return false
	}
	for _, a := range s.held {
		if a.key {
			return false
		}
	}
	s.asked, s.everAsked = at, true
	return true
}

func (s *VideoSink) pushStamped(t Trailer, now time.Duration, arrival time.Time) bool {
	id := int64(t.Frame)
	s.plainRun = 0
	if s.any && (!s.stamped || s.stream != t.Stream || s.popped && id+restartFrames <= s.doneID) {
		s.restart()
	}
	s.any, s.stamped, s.stream = true, true, t.Stream
	a := s.find(id, now)
	if a == nil || !a.addStamped(t) {
		s.tally.c.stale++
		return false
	}
	a.lastNS = arrival.UnixNano()
	return a.whole
}

func (s *VideoSink) pushPlain(p []byte, ts uint32, seq uint16, marker bool, now time.Duration, arrival time.Time) bool {
	if s.any && s.stamped {
		if s.plainRun++; s.plainRun < switchPackets {
			return false
		}
		s.restart()
	}
	if !s.any {
		s.tsExt, s.seqExt = int64(ts), int64(seq)
	}
	s.any, s.stamped = true, false
	id := s.tsExt + int64(int32(ts-uint32(s.tsExt)))
	ext := s.seqExt + int64(int16(seq-uint16(s.seqExt)))
	s.tsExt, s.seqExt = max(s.tsExt, id), max(s.seqExt, ext)
	if len(p) == 0 { // padding, as servers send it to probe
		if s.seqKnown && ext == s.doneSeq+1 {
			s.doneSeq = ext
		}
		return true
	}
	if s.popped && id+restartTicks <= s.doneID {
		s.restart()
	}
	a := s.find(id, now)
	if a == nil || !a.addPlain(ext, IsKeyframe(s.c.Codec, p), marker) {
		s.tally.c.stale++
		return false
	}
	a.lastNS = arrival.UnixNano()
	return true
}

// find is the assembly of a frame, made if needed; nil if the frame is over.
func (s *VideoSink) find(id int64, now time.Duration) *assembly {
	i := len(s.held)
	for i > 0 && s.held[i-1].id > id {
		i--
	}
	if i > 0 && s.held[i-1].id == id {
		return s.held[i-1]
	}
	if s.popped && id <= s.doneID {
		return nil
	}
	if len(s.held) == maxHeld {
		s.giveUp(s.held[0])
		s.advance(now)
		return s.find(id, now)
	}
	first := now
	if i < len(s.held) {
		first = min(first, s.held[i].first)
	}
	a := s.take()
	a.reset(id, s.stamped, first)
	s.held = append(s.held, nil)
	copy(s.held[i+1:], s.held[i:])
	s.held[i] = a
	if i == 0 {
		s.due = first + s.c.Deadline
	}
	return a
}

func (s *VideoSink) take() *assembly {
	n := len(s.free)
	if n == 0 {
		return &assembly{}
	}
	a := s.free[n-1]
	s.free = s.free[:n-1]
	return a
}

// restart forgets the frames of a stream that another one replaces.
func (s *VideoSink) restart() {
	s.free = append(s.free, s.held...)
	s.held = s.held[:0]
	s.due = math.MaxInt64
	s.any, s.popped, s.seqKnown, s.plainRun = false, false, false, 0
	if s.chain == chainIntact {
		s.chain = chainBroken
	}
}
