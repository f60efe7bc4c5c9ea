// Package media makes the audio and video that synthetic peers send and judges what they
// receive, without encoding or decoding. It does not know the network.
package media

import "time"

// Content is what a video shows; it shapes the sizes of frames.
type Content string

// The contents. The zero value means Camera.
const (
	Camera Content = "camera" // a talking head: steady sizes, keyframes 6 to 10 times a delta frame
	Screen Content = "screen" // shared screen: mostly small frames, bursts on changes, large keyframes
)

// Codec names an RTP payload format by its lower-case SDP name.
type Codec string

// The codecs a source can make packets for.
const (
	Opus Codec = "opus"
	VP8  Codec = "vp8"
	H264 Codec = "h264"
)

// Audio describes an audio source: one packet every 20 ms.
type Audio struct {
	Codec      Codec
	BitrateBPS int64 // of the RTP payload, bits per second
	DTX        bool  // discontinuous transmission: on-off speech, one packet every 400 ms in silence
}

// Video describes a video source.
type Video struct {
	Codec         Codec
	Content       Content
	Width, Height int
	FPS           float64
	BitrateBPS    int64         // of the RTP payload, bits per second, the trailer included
	Keyframe      time.Duration // interval of unasked keyframes; 0: only when asked for
}

// Stream is what one published stream carries: a camera with a microphone, or a screen. Either
// half may be nil.
type Stream struct {
	Audio *Audio
	Video *Video
}
