package bots

import (
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/pion/rtp"
)

// BenchmarkReceive is what a bot does with a packet once the WebRTC stack has decrypted it: parse
// the header, count, judge.
func BenchmarkReceive(b *testing.B) {
	for _, kind := range []string{"audio", "video"} {
		b.Run(kind, func(b *testing.B) {
			now := time.Now()
			in, packets := benchInput(b, kind, now)
			var h rtp.Header
			var seq uint16
			b.ReportAllocs()
			for b.Loop() {
				p := packets[int(seq)%len(packets)]
				seq++
				p[2], p[3] = byte(seq>>8), byte(seq)
				n, err := h.Unmarshal(p)
				if err != nil {
					b.Fatal(err)
				}
				now = now.Add(time.Millisecond)
				in.push(&h, p[n:], len(p), now)
			}
		})
	}
}

// benchInput is an input in an open window, past its first frame, and packets for it.
func benchInput(b *testing.B, kind string, now time.Time) (*input, [][]byte) {
	b.Helper()
	in := &input{
		kind: kind, rtp: rtpstream.NewReceiver(1, 90000, rtpstream.ReceiverConfig{}), captureID: rtpstream.AbsCaptureTimeID,
		expected: true, inWindow: true, windowed: true, delay: metrics.NewHist(), jitter: metrics.NewHist(),
		packets: 1, framed: true,
	}
	source := media.NewVideoSource(media.Video{Codec: media.VP8, Width: 640, Height: 360, FPS: 30, BitrateBPS: 500_000}, 1, 1)
	payloads := [][]byte{make([]byte, 80)}
	if kind == "video" {
		in.video = media.NewVideoSink(media.VideoSinkConfig{Codec: media.VP8, Delay: in.onDelay}, now)
		in.video.StartWindow(now)
		payloads = payloads[:0]
		for range 30 {
			for _, p := range source.Next(now).Packets {
				payloads = append(payloads, append([]byte(nil), p.Payload...))
			}
		}
	} else {
		in.audio = media.NewAudioSink(media.AudioSinkConfig{Delay: in.onDelay}, now)
		in.audio.StartWindow(now)
	}
	var packets [][]byte
	for _, payload := range payloads {
		p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 1}, Payload: payload}
		captured := media.AbsCaptureTime(now)
		if err := p.SetExtension(rtpstream.AbsCaptureTimeID, captured[:]); err != nil {
			b.Fatal(err)
		}
		raw, err := p.Marshal()
		if err != nil {
			b.Fatal(err)
		}
		packets = append(packets, raw)
	}
	return in, packets
}

// BenchmarkSend is what a bot does to send a frame that no connection takes: source, header and
// packet history.
func BenchmarkSend(b *testing.B) {
	bot := &Bot{tally: newTally(Config{})}
	s := &stay{b: bot}
	s.ctx, s.cancel = b.Context(), func() {}
	o, err := newOutput(s, scenarios.Published{ID: "a", Stream: media.Stream{
		Video: &media.Video{Codec: media.VP8, Width: 640, Height: 360, FPS: 30, BitrateBPS: 500_000},
	}}, 0)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(o.videoSource.Interval())
		for wake := o.drain(now); len(o.pending) > 0; wake = o.drain(wake) {
		}
		o.sendVideo(now, now)
	}
}
