package signaling

import "context"

// Conference forwards media between the members of rooms: what a signaling server is handed.
// It is safe for concurrent use.
type Conference interface {
	// Publish prepares to receive a stream. The caller answers the publisher's offer with the
	// Ingress and closes it.
	Publish(p Publication) (Ingress, error)
	// Play prepares to send a room's streams to a viewer; its first offer comes at once through
	// v.Offer, even when the room is empty.
	Play(v Viewing) (Egress, error)
	// Close ends every ingress and egress and waits for them.
	Close() error
}

// Publication is a stream that a participant publishes into a room. The callbacks are called
// from goroutines of the conference, never while a method of the Ingress runs on the same
// goroutine, and must not block.
type Publication struct {
	Room, Stream string
	Started      func()      // the connection is up and viewers are being offered the stream; once
	Ended        func(error) // the connection is gone without a Close; at most once
}

// Ingress receives one published stream.
type Ingress interface {
	// Answer applies the publisher's offer, first or renewed, and returns the complete answer
	// with all candidates in it.
	Answer(ctx context.Context, offer string) (answer string, err error)
	AddCandidate(c Candidate) error
	// Info is what is known of the stream by now.
	Info() StreamInfo
	// Close ends the stream for everybody and waits. It is idempotent.
	Close() error
}

// StreamInfo describes a published stream as it arrives; what is not known is zero.
type StreamInfo struct {
	Width, Height      int     // of the last keyframe, in pixels; told by VP8 only
	VideoCodec         string  // such as "VP8" or "H264"
	VideoBPS, AudioBPS float64 // RTP packets of the last second, in bit/s
}

// Viewing is a participant who receives a room's streams.
type Viewing struct {
	Room, Viewer string
	Exclude      string // a stream that is not sent to this viewer: its own
	// Label names a track towards the viewer, as track ID in the SDP and in Offer's labels.
	Label func(stream, kind string) string // kind: "audio" or "video"
	// MediaStream is the media-stream ID of every track towards the viewer.
	MediaStream string
	// Offer hands over an offer, complete with candidates, and the labels of every active mid.
	// The next one comes only after Answer. It must not block.
	Offer   func(sdp string, labels map[string]string)
	Started func()      // the connection is up; once
	Ended   func(error) // the connection is gone, or an offer was not answered in time; at most once
}

// Egress sends a room's streams to one viewer.
type Egress interface {
	// Answer applies the viewer's answer to the last offer.
	Answer(ctx context.Context, sdp string) error
	AddCandidate(c Candidate) error
	// Enable switches the forwarding of a stream's tracks of a kind ("audio", "video") on or
	// off, without renegotiation.
	Enable(stream, kind string, on bool)
	// Notify sends text over the data channel. It does not wait: the text is lost where the
	// channel is not open, or has no room.
	Notify(text string)
	// Close ends the viewing and waits. It is idempotent.
	Close() error
}
