package media

import "time"

const (
	freezeWindow     = 30 // intervals averaged
	freezeMinSamples = 5
	freezeFactor     = 3
	freezeExtraMS    = 150
)

// freezeRule decides which interval between two rendered frames is a freeze: one that is at least
// max(3·avg, avg + 150 ms), the average being of the last 30 intervals with this one included, in
// whole milliseconds rounded down, and of no fewer than 5 (W3C webrtc-stats freezeCount as browsers
// compute it).
type freezeRule struct {
	ms   [freezeWindow]int64
	n    int
	next int
	sum  int64
}

// add takes the interval that a rendered frame ends and tells whether it was a freeze.
func (r *freezeRule) add(d time.Duration) bool {
	ms := d.Milliseconds()
	r.sum += ms
	if r.n == freezeWindow {
		r.sum -= r.ms[r.next]
	} else {
		r.n++
	}
	r.ms[r.next] = ms
	r.next = (r.next + 1) % freezeWindow
	return r.n >= freezeMinSamples && frozen(ms, r.sum/int64(r.n))
}

// would tells whether an interval that no frame has ended yet is a freeze. With too few samples
// the expected interval stands for the average, so that a stream that stops at once, or never
// begins, is frozen too.
func (r *freezeRule) would(d, expected time.Duration) bool {
	ms, sum, n := d.Milliseconds(), r.sum, r.n
	if n == freezeWindow {
		sum, n = sum-r.ms[r.next], n-1
	}
	if n+1 < freezeMinSamples {
		return frozen(ms, expected.Milliseconds())
	}
	return frozen(ms, (sum+ms)/int64(n+1))
}

func frozen(ms, avg int64) bool { return ms >= max(freezeFactor*avg, avg+freezeExtraMS) }
