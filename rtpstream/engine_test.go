package rtpstream

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

func TestMediaEngineOffers(t *testing.T) {
	m, err := NewMediaEngine()
	if err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if _, err := pc.AddTransceiverFromKind(kind); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, video, _ := strings.Cut(offer.SDP, "m=video")
	for _, want := range []string{
		"a=rtpmap:96 VP8/90000", "a=rtpmap:102 H264/90000", "packetization-mode=1;profile-level-id=42e01f",
		"a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:96 nack pli", "a=rtcp-fb:102 ccm fir",
		fmt.Sprintf("a=extmap:%d %s", AbsCaptureTimeID, AbsCaptureTimeURI), fmt.Sprintf("a=extmap:%d %s", PlayoutDelayID, PlayoutDelayURI),
	} {
		if !strings.Contains(video, want) {
			t.Errorf("the video section lacks %q:\n%s", want, video)
		}
	}
	audio, _, _ := strings.Cut(offer.SDP, "m=video")
	for _, want := range []string{"a=rtpmap:111 opus/48000/2", "useinbandfec=1", fmt.Sprintf("a=extmap:%d urn:ietf:params:rtp-hdrext:ssrc-audio-level", AudioLevelID)} {
		if !strings.Contains(audio, want) {
			t.Errorf("the audio section lacks %q:\n%s", want, audio)
		}
	}
	if strings.Contains(strings.ToLower(offer.SDP), "rtx") {
		t.Error("RTX is offered")
	}
}
