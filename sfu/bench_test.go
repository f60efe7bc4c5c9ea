package sfu

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// BenchmarkForward measures one received packet on its way to all viewers over real connections:
// with sockets as far as the kernel (the viewers read in the same process and take their share
// of its cores), and without, which leaves the SFU's own work and SRTP.
func BenchmarkForward(b *testing.B) {
	for _, wire := range []string{"sockets", "none"} {
		for _, fan := range []int{1, 10, 50} {
			b.Run(fmt.Sprintf("wire=%s/viewers=%d", wire, fan), func(b *testing.B) { benchmarkForward(b, wire, fan) })
		}
	}
}

func benchmarkForward(b *testing.B, wire string, fan int) {
	s := newTestSFU(b, Config{})
	p := publish(b, s, "r", "alice", true)
	for i := range fan {
		v := newViewer(b, s, "r", fmt.Sprint(i), "")
		v.pc.OnTrack(func(*webrtc.TrackRemote, *webrtc.RTPReceiver) {})
		v.wg.Go(v.answer)
		<-v.started
	}
	var src *source
	for _, o := range p.in.(*ingress).sources {
		if o.kind == webrtc.RTPCodecTypeVideo {
			src = o
		}
	}
	waitFor(b, "all viewers", func() bool { return src.track.Stats().Connections == fan })
	if wire == "none" {
		s.socket.batcher = discard{}
	}
	h := rtp.Header{Version: 2, PayloadType: 96}
	if err := h.SetExtension(rtpstream.AbsCaptureTimeID, make([]byte, 8)); err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 1100)
	b.ReportAllocs()
	for b.Loop() {
		h.SequenceNumber++
		binary.BigEndian.PutUint16(payload, h.SequenceNumber)
		s.socket.hold()
		if err := src.track.Write(&h, payload); err != nil {
			b.Fatal(err)
		}
		s.socket.release()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*fan), "ns/forward")
}

// BenchmarkConnect measures how long a viewer takes to be connected, both ends included.
func BenchmarkConnect(b *testing.B) {
	s := newTestSFU(b, Config{})
	publish(b, s, "r", "alice", true)
	b.ReportAllocs()
	for b.Loop() {
		play(b, s, "r", "bob", "").close()
	}
}
