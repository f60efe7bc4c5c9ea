package media

import (
	"math/rand/v2"
	"time"
)

// AudioInterval is the time between two audio packets.
const AudioInterval = 20 * time.Millisecond

const (
	audioTicks  = 960 // of the 48 kHz clock in a packet
	dtxEvery    = 20  // packets of silence for which one is sent
	dtxBytes    = 2
	audioResync = 10   // intervals a caller may be late before the timestamp follows the clock
	opusTOC     = 0x78 // hybrid, full band, 20 ms, mono, one frame (RFC 6716 §3.1)

	meanTalk    = 1100 * time.Millisecond // of the on-off model of speech
	meanSilence = 1450 * time.Millisecond
)

// AudioSource makes the packets of one synthetic speech stream: constant size while talking, and
// in silence the same, or with DTX a small one every 400 ms. Talking and silence alternate for
// exponentially distributed times. Equal arguments give equal bytes. It has one owner.
type AudioSource struct {
	audio   Audio
	rng     *rand.Rand
	payload []byte

	base    uint32
	start   time.Time
	slots   int64 // intervals since start, of the next packet
	started bool

	talking bool
	left    int  // intervals until the speaker changes between talking and silence
	silent  int  // intervals of silence so far
	level   byte // while talking
}

// NewAudioSource makes a source; streamNumber only tells streams of one seed apart. BitrateBPS
// must be positive.
func NewAudioSource(a Audio, streamNumber uint32, seed uint64) *AudioSource {
	rng := rand.New(rand.NewPCG(seed, uint64(streamNumber)|1<<32))
	s := &AudioSource{audio: a, rng: rng, base: rng.Uint32(), payload: make([]byte, max(dtxBytes+1, a.BitrateBPS/400))}
	for i := range s.payload {
		s.payload[i] = 0xa5
	}
	s.payload[0] = opusTOC
	s.talking = rng.Float64() < float64(meanTalk)/float64(meanTalk+meanSilence)
	s.turn()
	return s
}

// Next is to be called every 20 ms, but not while muted. It says what to send, if anything: the
// payload is valid until the next call, the timestamp is of the 48 kHz RTP clock, the marker
// starts a talkspurt (RFC 3551 §4.1). The timestamp advances by 960 a call; a caller that is 200 ms
// behind, or was muted, makes it follow the time of capture.
func (s *AudioSource) Next(capture time.Time) (payload []byte, timestamp uint32, marker, send bool) {
	marker = s.slot(capture)
	timestamp = s.base + uint32(s.slots*audioTicks)
	s.slots++
	if s.left == 0 {
		s.talking = !s.talking
		marker = marker || s.talking && s.audio.DTX
		s.turn()
	}
	s.left--
	if s.talking || !s.audio.DTX {
		return s.payload, timestamp, marker, true
	}
	send = s.silent%dtxEvery == 0
	s.silent++
	return s.payload[:dtxBytes], timestamp, false, send
}

// Voice tells whether the last packet was speech, for the audio level extension (RFC 6464).
func (s *AudioSource) Voice() bool { return s.talking }

// Level is the level of the last packet in -dBov as RFC 6464 has it: 127 is silence.
func (s *AudioSource) Level() uint8 {
	if s.talking {
		return s.level
	}
	return 127
}

// slot brings the count of intervals near the time of capture and reports whether it jumped.
func (s *AudioSource) slot(capture time.Time) bool {
	if !s.started {
		s.started, s.start = true, capture
		return true
	}
	at := int64(capture.Sub(s.start) / AudioInterval)
	if at-s.slots < audioResync {
		return false
	}
	s.slots = at
	return true
}

// turn draws how long the talking or the silence lasts that begins now.
func (s *AudioSource) turn() {
	mean := meanSilence
	if s.talking {
		mean = meanTalk
		s.level = byte(25 + s.rng.IntN(16))
	}
	s.silent = 0
	s.left = 1 + int(s.rng.ExpFloat64()*float64(mean)/float64(AudioInterval))
}
