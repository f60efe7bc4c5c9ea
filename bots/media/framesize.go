package media

import (
	"math"
	"math/rand/v2"
)

// frameSizes draws the sizes of frames so that their mean stays on a bitrate: what a frame took
// too much or too little is a debt that the following delta frames repay.
//
// Camera: lognormal sizes, repaid within a few frames, so that every second without a keyframe
// in its last ten frames is within 5 % of the target. Few frames per second leave less room for
// variation, hence the bounds by the frame rate. Screen: small frames with bursts of about 0.3 s
// every 2 s on average; only the mean over tens of seconds is on target.
type frameSizes struct {
	rng  *rand.Rand
	mean float64 // bytes of an average frame
	key  float64 // bytes of a keyframe on average

	mu, sigma float64 // of the lognormal factor, whose mean is 1
	repay     float64 // share of the debt taken off one frame
	debt      float64 // bytes sent beyond the target

	idle       float64 // screen: share of the mean that a frame takes while nothing changes
	change     float64 // screen: probability of a change at a frame
	burstLen   int
	burst      float64 // bytes of one frame of the burst
	burstScale float64 // mean of burst
	burstLeft  int
}

const maxShrink = 0.7 // a delta frame gives up no more than this share to repay

func newFrameSizes(v Video, rng *rand.Rand) *frameSizes {
	s := &frameSizes{rng: rng, mean: float64(v.BitrateBPS) / 8 / v.FPS, idle: 1}
	cv := min(0.18, 0.006*v.FPS)
	s.key, s.repay = s.mean*min(8, max(3, 0.4*v.FPS)), 0.4
	if v.Content == Screen {
		cv = 0.3
		s.idle, s.change = 0.25, min(1, 1/(2*v.FPS))
		s.key = 15 * s.idle * s.mean
		s.burstLen = max(2, int(math.Round(0.3*v.FPS)))
		s.burstScale = s.mean * (1 - s.idle) / (s.change * float64(s.burstLen))
		s.repay = 1 / (3 * max(1, v.FPS))
	}
	variance := math.Log(1 + cv*cv)
	s.mu, s.sigma = -variance/2, math.Sqrt(variance)
	return s
}

// next draws the size in bytes of the next frame; the caller says with sent what became of it.
func (s *frameSizes) next(key bool) int {
	if key {
		return int(s.key * s.factor())
	}
	size := s.mean*s.idle*s.factor() + s.changes()
	size -= min(s.debt*s.repay, maxShrink*size)
	return int(size)
}

// sent books a frame.
func (s *frameSizes) sent(bytes int) { s.debt += float64(bytes) - s.mean }

// factor is lognormal with mean 1 and no extremes.
func (s *frameSizes) factor() float64 {
	z := max(-3, min(3, s.rng.NormFloat64()))
	return math.Exp(s.mu + s.sigma*z)
}

// changes is what a change of the screen adds to this frame.
func (s *frameSizes) changes() float64 {
	if s.change == 0 {
		return 0
	}
	if s.burstLeft == 0 {
		if s.rng.Float64() >= s.change {
			return 0
		}
		s.burstLeft, s.burst = s.burstLen, s.burstScale*s.factor()
	}
	s.burstLeft--
	return s.burst
}
