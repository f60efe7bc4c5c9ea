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
	audioHeader, videoHeader rtp.Header // of the packet being sent; owned by run
	captured                 [8]byte
	phase                    time.Duration // of the first frame, so that a fleet does not send in step
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
		for o.videoSource != nil && !video.After(now) {
			o.sendVideo(video, now)
			video = video.Add(o.videoSource.Interval())
		}
		next := audio
		if o.audioSource == nil || o.videoSource != nil && video.Before(audio) {
			next = video
		}
		timer.Reset(time.Until(next))
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
	h := o.header(&o.audioHeader, due)
	h.SequenceNumber, h.Timestamp, h.Marker = o.audioSeq, timestamp, marker
	o.audioSeq++
	_ = o.audioTrack.Write(h, payload) // a connection that is gone has its own report
}

func (o *output) sendVideo(due, now time.Time) {
	if o.videoMuted.Load() {
		return
	}
	f := o.videoSource.Next(due)
	if o.videoSeq == 0 {
		o.videoTrack.SetClock(rtpstream.NTP(due), f.Timestamp, due)
	}
	o.s.b.tally.sent(now.Sub(due), len(f.Packets))
	h := o.header(&o.videoHeader, due)
	for i := range f.Packets {
		h.SequenceNumber, h.Timestamp, h.Marker = o.videoSeq, f.Timestamp, f.Packets[i].Marker
		o.videoSeq++
		_ = o.videoTrack.Write(h, f.Packets[i].Payload) // as above
	}
}

// header is a reused RTP header that says when its frame was captured.
func (o *output) header(h *rtp.Header, captured time.Time) *rtp.Header {
	o.captured = media.AbsCaptureTime(captured)
	h.Version = 2
	if err := h.SetExtension(rtpstream.AbsCaptureTimeID, o.captured[:]); err != nil {
		panic("abs-capture-time does not fit a header: " + err.Error())
	}
	return h
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
