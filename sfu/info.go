package sfu

import (
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/webrtc/v4"
)

// rate is how much arrives, taken each second. Its result may be read by anybody.
type rate struct {
	bytes uint64
	since time.Time
	bps   atomic.Uint64 // the bits of a float64
}

// note takes the bytes that have arrived so far.
func (r *rate) note(bytes uint64, now time.Time) {
	passed := now.Sub(r.since)
	if passed < time.Second {
		return
	}
	if !r.since.IsZero() && bytes >= r.bytes {
		r.bps.Store(math.Float64bits(float64(bytes-r.bytes) * 8 / passed.Seconds()))
	}
	r.bytes, r.since = bytes, now
}

func (r *rate) value() float64 { return math.Float64frombits(r.bps.Load()) }

// Info implements signaling.Ingress.
func (in *ingress) Info() signaling.StreamInfo {
	in.mu.Lock()
	sources := in.sources[:len(in.sources):len(in.sources)]
	in.mu.Unlock()
	var i signaling.StreamInfo
	for _, s := range sources {
		if s.kind == webrtc.RTPCodecTypeAudio {
			i.AudioBPS = s.rate.value()
			continue
		}
		size := s.size.Load()
		i.Width, i.Height = int(size>>32), int(size&math.MaxUint32)
		i.VideoBPS = s.rate.value()
		_, i.VideoCodec, _ = strings.Cut(s.track.Codec().MimeType, "/")
	}
	return i
}
