package bots

import (
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/metrics"
)

// trackReport is one received track over the window.
type trackReport struct {
	tags          metrics.Tags
	detail        metrics.TrackDetail
	delay, jitter *metrics.Hist
	mouthToEarMS  metrics.Value
	expected      bool // packets were due in the window
	watched       bool // video was wanted long enough to tell frames a second and freezes
}

// reportLocked is the track's figures over its window.
func (in *input) reportLocked(look media.VideoReport, sound media.AudioReport) trackReport {
	w, _ := in.rtp.Window()
	if in.tail > 0 {
		missing := uint64(in.tail * float64(w.Expected))
		w.Expected, w.Lost, w.WireLost = w.Expected+missing, w.Lost+missing, w.WireLost+missing
	}
	r := trackReport{tags: in.tags(), delay: in.delay, jitter: in.jitter, mouthToEarMS: metrics.Missing()}
	r.detail = metrics.TrackDetail{
		From: in.stream, Kind: in.kind, Packets: w.Received, LossWire: w.WireLossRatio(), Loss: w.LossRatio(),
		DelayP50MS: quantileMS(in.delay, 0.5), DelayP95MS: quantileMS(in.delay, 0.95),
		JitterMS: metrics.Missing(), FPS: metrics.Missing(),
		NACK: int(w.NACKs), PLI: in.plis, Retransmitted: int(w.Repaired),
	}
	r.expected = w.Expected > 0
	if wanted := max(look.Expected, sound.ExpectedFor); !r.expected && wanted >= time.Second {
		// Nothing came at all, so no sequence number tells what is missing: everything is.
		r.expected, r.detail.LossWire, r.detail.Loss = true, 1, 1
	}
	if in.jitter.Count() > 0 {
		r.detail.JitterMS = metrics.Value(float64(in.jitter.Sum()) / float64(in.jitter.Count()) / 1e3)
	}
	if in.video != nil {
		r.watched = look.Expected >= time.Second
		if r.watched {
			r.detail.FPS = metrics.Value(look.FPS)
		}
		r.detail.FreezeCount, r.detail.FreezeRatio = int(look.FreezeCount), look.FreezeRatio
	} else if sound.Packets > 0 {
		// G.107 wants the delay from mouth to ear: packet, codec look-ahead and jitter buffer come
		// on top of what was measured.
		r.mouthToEarMS = r.detail.DelayP50MS + metrics.Value(20+6.5+ms(sound.Buffer))
	}
	return r
}

// measure adds the tracks' figures so far to a set.
func (s *stay) measure(now time.Time, set *metrics.Set) {
	s.mu.Lock()
	inputs := s.inputs
	s.mu.Unlock()
	for _, in := range inputs {
		in.mu.Lock()
		switch {
		case in.inWindow && in.video != nil:
			addTrack(set, in.reportLocked(in.video.Report(now), media.AudioReport{}))
		case in.inWindow:
			addTrack(set, in.reportLocked(media.VideoReport{}, in.audio.Report(now)))
		}
		in.mu.Unlock()
	}
}

// track records a received track whose window is over.
func (t *tally) track(r trackReport) {
	t.mu.Lock()
	defer t.mu.Unlock()
	addTrack(t.set, r)
	t.detail.Tracks = append(t.detail.Tracks, r.detail)
	t.readPackets += r.detail.Packets
}

func addTrack(set *metrics.Set, r trackReport) {
	d := r.detail
	if r.expected {
		set.Add("media.loss_wire", r.tags, d.LossWire)
		set.Add("media.loss", r.tags, d.Loss)
	}
	if !r.expected {
		return // muted throughout: nothing was due
	}
	set.Add("media.nack", r.tags, float64(d.NACK))
	set.Add("media.pli", r.tags, float64(d.PLI))
	set.Add("media.retransmitted", r.tags, float64(d.Retransmitted))
	if r.watched {
		set.Add("media.freeze_count", r.tags, float64(d.FreezeCount))
		set.Add("media.freeze_ratio", r.tags, d.FreezeRatio)
		if d.FPS.Valid() {
			set.Add("media.fps", r.tags, float64(d.FPS))
		}
	}
	if r.mouthToEarMS.Valid() {
		set.Add("media.mouth_to_ear", r.tags, float64(r.mouthToEarMS))
	}
	if r.delay.Count() > 0 {
		set.Hist("media.delay", r.tags).Merge(r.delay)
	}
	if r.jitter.Count() > 0 {
		set.Hist("media.jitter", r.tags).Merge(r.jitter)
	}
}

func quantileMS(h *metrics.Hist, q float64) metrics.Value {
	if h.Count() == 0 {
		return metrics.Missing()
	}
	return metrics.Value(float64(h.Quantile(q)) / 1e3)
}
