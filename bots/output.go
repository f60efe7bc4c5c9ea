package bots

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// output is one published stream: its sources, and the tracks that carry it on any number of
// connections.
type output struct {
	s   *stay
	id  string
	ctx context.Context //nolint:containedctx // ends with the stay or with stop
	end context.CancelFunc

	audioTrack, videoTrack   *rtpstream.Track // nil: none
	audioSource              *media.AudioSource
	videoSource              *media.VideoSource
	audioMuted, videoMuted   atomic.Bool
	audioSeq, videoSeq       uint16
	audioHeader, videoHeader stampedHeader  // of the packet being sent; owned by run
	pending                  []media.Packet // of the frame in hand, valid until the source's next; owned by run, as the rest
	pacer                    time.Time      // when what was sent has left at the pacer's rate
	pacerPerByte, perByte    float64        // ns; of the stream, and of the frame in hand
	drained                  time.Time      // when the last packet was sent
	phase                    time.Duration  // of the first frame, so that a fleet does not send in step
}

func newOutput(s *stay, p scenarios.Published, number int) (*output, error) {
	o := &output{s: s, id: p.ID}
	o.ctx, o.end = context.WithCancel(s.ctx)
	peer := s.b.c.Peer
	stream := uint32(peer.Index)<<4 | uint32(number&15)
	seed := peer.Seed + uint64(number)
	o.phase = time.Duration(seed % uint64(media.AudioInterval))
	if a := p.Audio; a != nil {
		codec, err := capability(a.Codec)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", p.ID, err)
		}
		o.audioSource = media.NewAudioSource(*a, stream, seed)
		o.audioTrack = rtpstream.NewTrack(rtpstream.TrackConfig{
			ID: p.ID + "-audio", StreamID: p.ID, Kind: webrtc.RTPCodecTypeAudio, Codec: codec,
		})
	}
	if v := p.Video; v != nil {
		codec, err := capability(v.Codec)
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", p.ID, err)
		}
		o.videoSource = media.NewVideoSource(*v, stream, seed)
		o.pacerPerByte = 8 * float64(time.Second) / (pacerFactor * float64(v.BitrateBPS))
		o.videoTrack = rtpstream.NewTrack(rtpstream.TrackConfig{
			ID: p.ID + "-video", StreamID: p.ID, Kind: webrtc.RTPCodecTypeVideo, Codec: codec,
			Keyframe: o.videoSource.RequestKeyframe,
		})
	}
	return o, nil
}

func (o *output) tracks() []*rtpstream.Track {
	var t []*rtpstream.Track
	if o.audioTrack != nil {
		t = append(t, o.audioTrack)
	}
	if o.videoTrack != nil {
		t = append(t, o.videoTrack)
	}
	return t
}

func (o *output) requestKeyframe() {
	if o.videoSource != nil {
		o.videoSource.RequestKeyframe()
	}
}

func (o *output) stop() { o.end() }

func (o *output) mute(kind string, on bool) {
	switch kind {
	case "audio":
		o.audioMuted.Store(on)
	case "video":
		o.videoMuted.Store(on)
		if !on {
			o.requestKeyframe()
		}
	}
}

// run sends frames on time until the stream ends: one timer for audio and video together. Due
// times form a fixed grid, so that a late frame does not delay the ones after it.
func (o *output) run() {
	start := o.s.b.now().Add(o.phase)
	audio, video := start, start
	timer := time.NewTimer(time.Until(start))
	defer timer.Stop()
	for {
		select {
		case <-o.ctx.Done():
			return
		case <-timer.C:
		}
		now := o.s.b.now()
		for o.audioSource != nil && !audio.After(now) {
			o.sendAudio(audio, now)
			audio = audio.Add(media.AudioInterval)
		}
		wake := video
		if o.videoSource != nil {
			for wake = o.drain(now); len(o.pending) == 0 && !video.After(now); wake = o.drain(now) {
				o.sendVideo(video, now)
				video = video.Add(o.videoSource.Interval())
			}
			if len(o.pending) == 0 {
				wake = video
			}
		}
		next := audio
		if o.audioSource == nil || o.videoSource != nil && wake.Before(audio) {
			next = wake
		}
		timer.Reset(next.Sub(o.s.b.now()))
	}
}

func (o *output) sendAudio(due, now time.Time) {
	payload, timestamp, marker, send := o.audioSource.Next(due)
	if !send || o.audioMuted.Load() {
		return
	}
	if o.audioSeq == 0 {
		o.audioTrack.SetClock(rtpstream.NTP(due), timestamp, due)
	}
	o.s.b.tally.sent(now.Sub(due), 1)
	h := &o.audioHeader
	h.stamp(due)
	h.SequenceNumber, h.Timestamp, h.Marker = o.audioSeq, timestamp, marker
	o.audioSeq++
	_ = o.audioTrack.Write(&h.Header, payload) // a connection that is gone has its own report
}

// sendVideo makes the frame that is due; drain sends it.
func (o *output) sendVideo(due, now time.Time) {
	if o.videoMuted.Load() {
		return
	}
	f := o.videoSource.Next(due)
	if o.videoSeq == 0 {
		o.videoTrack.SetClock(rtpstream.NTP(due), f.Timestamp, due)
	}
	o.s.b.tally.sent(now.Sub(later(due, o.drained)), len(f.Packets))
	o.videoHeader.stamp(due)
	o.videoHeader.Timestamp = f.Timestamp
	o.pending = f.Packets
	size := 0
	for i := range f.Packets {
		size += len(f.Packets[i].Payload)
	}
	o.perByte = min(o.pacerPerByte, float64(frameSpread)/float64(size))
}

// A video frame leaves in packets spaced as a real sender's pacer spaces them: at 2.5 times the
// stream's bitrate, as WebRTC senders do, of which pacerBurst may go at once. A keyframe sent in
// one burst would overflow the queue of a link that carries the stream with ease.
const (
	pacerFactor = 2.5
	pacerBurst  = 40 * time.Millisecond
	frameSpread = 200 * time.Millisecond // no frame takes longer, however low the bitrate
)

// drain sends what the pacer lets go now of the frame in hand, and returns when to come again.
func (o *output) drain(now time.Time) time.Time {
	for len(o.pending) > 0 {
		if o.pacer.Sub(now) > pacerBurst {
			return o.pacer.Add(-pacerBurst)
		}
		p := o.pending[0]
		o.pending = o.pending[1:]
		o.pacer = later(o.pacer, now).Add(time.Duration(float64(len(p.Payload)) * o.perByte))
		h := &o.videoHeader
		h.SequenceNumber, h.Marker = o.videoSeq, p.Marker
		o.videoSeq++
		_ = o.videoTrack.Write(&h.Header, p.Payload) // a connection that is gone has its own report
		o.drained = now
	}
	return now
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stampedHeader is a reused RTP header that says when its frame was captured.
type stampedHeader struct {
	rtp.Header
	captured [8]byte
}

func (h *stampedHeader) stamp(captured time.Time) {
	h.captured = media.AbsCaptureTime(captured)
	h.Version = 2
	if err := h.SetExtension(rtpstream.AbsCaptureTimeID, h.captured[:]); err != nil {
		panic("abs-capture-time does not fit a header: " + err.Error())
	}
}

// capability is how a codec is offered.
func capability(c media.Codec) (webrtc.RTPCodecCapability, error) {
	switch c {
	case media.Opus:
		return rtpstream.Opus(), nil
	case media.VP8:
		return rtpstream.VP8(), nil
	case media.H264:
		return rtpstream.H264(), nil
	}
	return webrtc.RTPCodecCapability{}, fmt.Errorf("codec %q is not known", c)
}

// senderReports appends an RTCP sender report for every track the connection sends.
func (c *connection) senderReports(now time.Time, packets []rtcp.Packet) []rtcp.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	for t, sender := range c.senders {
		if sr, ok := t.SenderReport(rtpstream.SSRC(sender), now); ok {
			packets = append(packets, sr)
		}
	}
	return packets
}
