package rtpstream

import (
	"fmt"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// URIs of the RTP header extensions that NewMediaEngine registers, beside those of pion/sdp.
const (
	AbsCaptureTimeURI   = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
	PlayoutDelayURI     = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
	VideoOrientationURI = "urn:3gpp:video-orientation"
)

// Identifiers by which a header given to Track.Write names its extensions when the TrackConfig
// does not say otherwise (RFC 8285).
const (
	MIDID              = 1
	AbsCaptureTimeID   = 2
	AudioLevelID       = 3
	PlayoutDelayID     = 4
	VideoOrientationID = 5
)

// Extensions lists what the package's own identifiers stand for: the meaning of the header given
// to Track.Write when TrackConfig.Extensions is nil. The caller owns the slice.
func Extensions() []webrtc.RTPHeaderExtensionParameter {
	return []webrtc.RTPHeaderExtensionParameter{
		{ID: MIDID, URI: sdp.SDESMidURI},
		{ID: AbsCaptureTimeID, URI: AbsCaptureTimeURI},
		{ID: AudioLevelID, URI: sdp.AudioLevelURI},
		{ID: PlayoutDelayID, URI: PlayoutDelayURI},
		{ID: VideoOrientationID, URI: VideoOrientationURI},
	}
}

// VP8 is the capability under which NewMediaEngine registers VP8 (RFC 7741).
func VP8() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000, RTCPFeedback: videoFeedback()}
}

// H264 is the capability under which NewMediaEngine registers H.264: constrained baseline,
// packetization mode 1 (RFC 6184).
func H264() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeH264, ClockRate: 90000, RTCPFeedback: videoFeedback(),
		SDPFmtpLine: "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
	}
}

// Opus is the capability under which NewMediaEngine registers Opus (RFC 7587). It asks for no
// repair: a lost packet is concealed or comes with the next one's in-band FEC.
func Opus() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}
}

func videoFeedback() []webrtc.RTCPFeedback {
	return []webrtc.RTCPFeedback{
		{Type: webrtc.TypeRTCPFBNACK},
		{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
		{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
	}
}

// NewMediaEngine registers VP8, H.264 and Opus, and the header extensions a forwarder passes on.
// RTX is left out on purpose: repairs travel on the stream's own SSRC. A shared engine fits only
// peers that all use the same payload types, since the first negotiation settles them.
func NewMediaEngine() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	codecs := []struct {
		kind     webrtc.RTPCodecType
		codec    webrtc.RTPCodecCapability
		payloadT webrtc.PayloadType
	}{
		{webrtc.RTPCodecTypeAudio, Opus(), 111},
		{webrtc.RTPCodecTypeVideo, VP8(), 96},
		{webrtc.RTPCodecTypeVideo, H264(), 102},
	}
	for _, c := range codecs {
		p := webrtc.RTPCodecParameters{RTPCodecCapability: c.codec, PayloadType: c.payloadT}
		if err := m.RegisterCodec(p, c.kind); err != nil {
			return nil, fmt.Errorf("register %s: %w", c.codec.MimeType, err)
		}
	}
	for _, e := range Extensions() {
		for _, kind := range extensionKinds(e.URI) {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: e.URI}, kind); err != nil {
				return nil, fmt.Errorf("register header extension %s: %w", e.URI, err)
			}
		}
	}
	return m, nil
}

func extensionKinds(uri string) []webrtc.RTPCodecType {
	switch uri {
	case sdp.AudioLevelURI:
		return []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio}
	case PlayoutDelayURI, VideoOrientationURI:
		return []webrtc.RTPCodecType{webrtc.RTPCodecTypeVideo}
	}
	return []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo}
}

// perConnection tells whether an extension's value belongs to one connection and is never
// carried over to another.
func perConnection(uri string) bool {
	switch uri {
	case sdp.SDESMidURI, sdp.SDESRTPStreamIDURI, sdp.SDESRepairRTPStreamIDURI, sdp.TransportCCURI, sdp.ABSSendTimeURI:
		return true
	}
	return false
}
