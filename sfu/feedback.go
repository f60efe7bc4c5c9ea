package sfu

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

const (
	// localSSRC names the SFU as the sender of feedback; it sends no media under it.
	localSSRC = 1
	// feedbackInterval is how often missing packets are looked for.
	feedbackInterval = 20 * time.Millisecond
	// reportInterval is how often reception reports go to a publisher.
	reportInterval = time.Second
)

// feedback is what the loop of an ingress keeps to tell its publisher.
type feedback struct {
	packets  []rtcp.Packet
	reported time.Time
}

func (f *feedback) send(pc *webrtc.PeerConnection, sources []*source, now time.Time) {
	f.packets = f.packets[:0]
	if now.Sub(f.reported) >= reportInterval {
		f.reported = now
		if rr := report(sources, now); rr != nil {
			f.packets = append(f.packets, rr)
		}
	}
	for _, s := range sources {
		f.packets = s.feedback(now, f.packets)
	}
	if len(f.packets) > 0 {
		// An error means that the connection is going; its state will tell.
		_ = pc.WriteRTCP(f.packets)
	}
}

func report(sources []*source, now time.Time) rtcp.Packet {
	rr := &rtcp.ReceiverReport{SSRC: localSSRC}
	for _, s := range sources {
		if r := s.receiver.Load(); r != nil {
			rr.Reports = append(rr.Reports, r.Report(now))
		}
	}
	if rr.Reports == nil {
		return nil
	}
	return rr
}
