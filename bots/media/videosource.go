package media

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// MaxPayload is the largest RTP payload of a source, in bytes. Header, extensions, SRTP tag and
// TURN framing around it stay within a 1500-byte path.
const MaxPayload = 1200

const (
	minKeyframeGap = 300 * time.Millisecond // between a keyframe and the next one asked for
	maxFrameBytes  = (maxFramePackets - 1) * MaxPayload
)

// VideoSource makes the frames of one synthetic video stream on demand: sizes after an encoder's
// rate control, valid first bytes of the codec, filler, and a Trailer in every packet. Equal
// arguments give equal bytes. It has one owner; only RequestKeyframe may be called from elsewhere.
type VideoSource struct {
	video     Video
	stream    uint32
	interval  time.Duration
	sizes     *frameSizes
	requested atomic.Bool

	next    uint32 // number of the next frame
	base    uint32 // RTP timestamp of the first frame
	first   time.Time
	lastKey time.Time
	head    header

	buf     []byte // MaxPayload bytes for each packet; only headers and trailers change
	packets []Packet
}

// Frame is one frame, ready to be sent.
type Frame struct {
	Key       bool
	Number    uint32   // counts from 0
	Timestamp uint32   // RTP, 90 kHz
	Packets   []Packet // never empty
}

// Packet is the part of a frame that goes into one RTP packet.
type Packet struct {
	Payload []byte // at most MaxPayload bytes
	Marker  bool   // the last of the frame
}

// NewVideoSource makes a source. FPS, BitrateBPS, Width and Height must be positive and the codec
// VP8 or H264; streamNumber names the stream in its trailers. Below about 70 bytes per frame
// the trailers alone exceed the bitrate.
func NewVideoSource(v Video, streamNumber uint32, seed uint64) *VideoSource {
	rng := rand.New(rand.NewPCG(seed, uint64(streamNumber)))
	return &VideoSource{
		video:    v,
		stream:   streamNumber,
		interval: time.Duration(float64(time.Second) / v.FPS),
		base:     rng.Uint32(),
		head:     newHeader(v, uint16(rng.Uint32())),
		sizes:    newFrameSizes(v, rng),
	}
}

// Interval is the time between two frames.
func (s *VideoSource) Interval() time.Duration { return s.interval }

// RequestKeyframe makes the next frame a keyframe, or the first one that is at least 300 ms after
// the last keyframe. It may be called from any goroutine and never blocks.
func (s *VideoSource) RequestKeyframe() { s.requested.Store(true) }

// Next makes the frame captured at the given time, which must not go back. The frame and its
// bytes are valid until the next call; in steady state nothing is allocated. The trailer
// carries the Unix time of capture, so a caller that fears steps of the wall clock passes times
// that were reached by Add from a common one.
func (s *VideoSource) Next(capture time.Time) Frame {
	if s.next == 0 {
		s.first = capture
	}
	f := Frame{
		Key:       s.keyframeDue(capture),
		Number:    s.next,
		Timestamp: s.base + uint32(capture.Sub(s.first)*9/100_000),
	}
	s.next++
	if f.Key {
		s.lastKey = capture
	}
	s.packetize(&f, s.sizes.next(f.Key), capture.UnixNano())
	return f
}

func (s *VideoSource) keyframeDue(capture time.Time) bool {
	since := capture.Sub(s.lastKey)
	due := s.next == 0 ||
		s.video.Keyframe > 0 && since+s.interval/2 >= s.video.Keyframe ||
		since >= minKeyframeGap && s.requested.Load()
	if due {
		s.requested.Store(false)
	}
	return due
}

// packetize cuts a frame of about size bytes into packets of nearly equal length.
func (s *VideoSource) packetize(f *Frame, size int, captureNS int64) {
	lead := s.head.leadLen(f.Key)
	rest := max(min(size, maxFrameBytes)-lead, s.head.maxLen()+TrailerSize+1)
	parts := (rest + MaxPayload - 1) / MaxPayload
	count := parts
	if lead > 0 {
		count++
	}
	s.grow(count)
	t := Trailer{
		Key: f.Key, Stream: s.stream, Frame: f.Number, Packets: uint16(count),
		CaptureNS: captureNS, Ref: f.Number,
	}
	if !f.Key {
		t.Ref--
	}
	f.Packets = s.packets[:count]
	i := 0
	if lead > 0 {
		s.head.writeLead(s.buf)
		s.finish(f, t, i, lead)
		i++
	}
	for p := range parts {
		n := rest / parts
		if p < rest%parts {
			n++
		}
		s.head.write(s.buf[i*MaxPayload:], f.Key, p == 0, p == parts-1, rest)
		s.finish(f, t, i, n)
		i++
	}
	s.head.frameDone()
	s.sizes.sent(lead + rest)
}

// finish writes the trailer at the end of packet i, which is n bytes long.
func (s *VideoSource) finish(f *Frame, t Trailer, i, n int) {
	payload := s.buf[i*MaxPayload : i*MaxPayload+n : i*MaxPayload+n]
	t.Packet = uint16(i)
	t.AppendTo(payload[:n-TrailerSize])
	f.Packets[i] = Packet{Payload: payload, Marker: i == len(f.Packets)-1}
}

func (s *VideoSource) grow(count int) {
	if count <= len(s.packets) {
		return
	}
	s.packets = make([]Packet, count)
	s.buf = make([]byte, count*MaxPayload)
	for i := range s.buf {
		s.buf[i] = 0xa5
	}
}
