package sfu

import (
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// keyframeInterval is the least time between two keyframe requests to a publisher.
	keyframeInterval = 500 * time.Millisecond
	// patientInterval is that time once a publisher has left some requests without a keyframe,
	// as one does whose camera is off.
	patientInterval = 2 * time.Second
	// eagerRequests is how many requests are made before patience sets in.
	eagerRequests = 8
	// maxReadErrors ends a reader that gets nothing but errors.
	maxReadErrors = 100
)

// source is one published track on its way to all viewers.
type source struct {
	in    *ingress
	kind  webrtc.RTPCodecType
	track *rtpstream.Track
	nack  bool // negotiated with the publisher

	claimed  atomic.Bool                        // a published track is being forwarded
	receiver atomic.Pointer[rtpstream.Receiver] // nil until the first packet
	wanted   atomic.Bool                        // a keyframe
	requests atomic.Int32                       // since the last keyframe
	asked    time.Time                          // owned by the ingress loop
	size     atomic.Uint64                      // of the last keyframe: width<<32 | height
	rate     rate                               // owned by the ingress loop but for its result

	mu    sync.Mutex // guards views
	views []*view
}

func newSource(in *ingress, kind webrtc.RTPCodecType, p webrtc.RTPParameters) *source {
	s := &source{in: in, kind: kind}
	codec := p.Codecs[0].RTPCodecCapability
	s.nack = slices.ContainsFunc(codec.RTCPFeedback, func(f webrtc.RTCPFeedback) bool {
		return f.Type == webrtc.TypeRTCPFBNACK && f.Parameter == ""
	})
	s.track = rtpstream.NewTrack(rtpstream.TrackConfig{
		ID: in.p.Stream, StreamID: in.p.Stream, Kind: kind, Codec: codec, AnyCodec: true,
		Extensions: p.HeaderExtensions, Keyframe: s.wantKeyframe,
	})
	return s
}

// wantKeyframe asks the publisher for a keyframe, soon and until one has passed. It does not
// block.
func (s *source) wantKeyframe() {
	if s.kind != webrtc.RTPCodecTypeVideo {
		return
	}
	if !s.wanted.Swap(true) {
		s.requests.Store(0)
	}
	notify(s.in.kick)
}

// keyframeDue tells whether a request is to be sent now.
func (s *source) keyframeDue(now time.Time) bool {
	if !s.wanted.Load() {
		return false
	}
	interval := keyframeInterval
	if s.requests.Load() >= eagerRequests {
		interval = patientInterval
	}
	if now.Sub(s.asked) < interval {
		return false
	}
	s.asked = now
	s.requests.Add(1)
	return true
}

// feedback appends what is to be told the publisher now.
func (s *source) feedback(now time.Time, buf []rtcp.Packet) []rtcp.Packet {
	r := s.receiver.Load()
	if r == nil {
		return buf
	}
	buf = r.Feedback(now, buf)
	s.rate.note(r.Stats().Bytes, now)
	if s.keyframeDue(now) {
		s.in.s.keyframeRequests.Add(1)
		buf = append(buf, &rtcp.PictureLossIndication{SenderSSRC: localSSRC, MediaSSRC: r.SSRC()})
	}
	return buf
}

// forward reads a published track and fans it out, until the track ends.
func (s *source) forward(t *webrtc.TrackRemote) {
	codec := t.Codec()
	s.track.SetCodec(codec.RTPCodecCapability)
	key := keyframeTest(codec.MimeType)
	receiver := rtpstream.NewReceiver(uint32(t.SSRC()), int(codec.ClockRate),
		rtpstream.ReceiverConfig{SenderSSRC: localSSRC, NoRepair: !s.nack})
	s.receiver.Store(receiver)
	socket := s.in.s.socket
	buf := make([]byte, maxDatagram)
	var h rtp.Header
	for failures, first := 0, true; failures < maxReadErrors; {
		n, _, err := t.Read(buf)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
			return
		}
		payload, ok := parse(&h, buf[:n])
		if err != nil || !ok {
			failures++
			continue
		}
		failures = 0
		if v := receiver.Push(&h, n, time.Now()); v == rtpstream.Duplicate || v == rtpstream.TooOld {
			continue
		}
		if pt := webrtc.PayloadType(h.PayloadType); pt != codec.PayloadType {
			codec = t.Codec()
			codec.PayloadType = pt
			s.track.SetCodec(codec.RTPCodecCapability)
			key = keyframeTest(codec.MimeType)
		}
		keyframe := key != nil && key(payload)
		if first && !keyframe {
			s.wantKeyframe()
		}
		first = false
		if keyframe {
			s.wanted.Store(false)
			if width, height, ok := vp8Size(payload); ok && strings.EqualFold(codec.MimeType, webrtc.MimeTypeVP8) {
				s.size.Store(uint64(width)<<32 | uint64(height))
			}
		}
		socket.hold()
		// Errors are those of connections that are going; each notices by its own means.
		_ = s.track.Write(&h, payload)
		socket.release()
	}
}

// parse splits a packet into header and payload, without padding.
func parse(h *rtp.Header, packet []byte) (payload []byte, ok bool) {
	n, err := h.Unmarshal(packet)
	if err != nil || n > len(packet) {
		return nil, false
	}
	payload = packet[n:]
	if h.Padding && len(payload) > 0 {
		payload = payload[:len(payload)-min(int(payload[len(payload)-1]), len(payload))]
	}
	return payload, true
}

// reports reads what the publisher says about its track: a sender report is passed on to every
// viewer in terms of the viewer's own stream.
func (s *source) reports(r *webrtc.RTPReceiver) {
	buf := make([]byte, maxDatagram)
	for {
		n, _, err := r.Read(buf)
		if errors.Is(err, io.ErrShortBuffer) {
			continue
		}
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue // a peer's malformed report ends nothing
		}
		now := time.Now()
		for _, p := range packets {
			sr, ok := p.(*rtcp.SenderReport)
			receiver := s.receiver.Load()
			if !ok || receiver == nil || sr.SSRC != receiver.SSRC() {
				continue
			}
			receiver.PushSR(sr.NTPTime, now)
			s.track.SetClock(sr.NTPTime, sr.RTPTime, now)
			s.report(now)
		}
	}
}

func (s *source) report(now time.Time) {
	s.mu.Lock()
	views := slices.Clone(s.views)
	s.mu.Unlock()
	for _, v := range views {
		if sr, ok := s.track.SenderReport(v.ssrc, now); ok {
			// An error means that the connection is not up or going.
			_ = v.e.pc.WriteRTCP([]rtcp.Packet{sr})
		}
	}
}

func (s *source) attach(v *view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views = append(s.views, v)
}

func (s *source) detach(v *view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views = slices.DeleteFunc(s.views, func(o *view) bool { return o == v })
}
