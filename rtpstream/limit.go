package rtpstream

import "time"

const (
	// firstResends is how many packets a connection may have again before anything else counts.
	firstResends = 64
	// recentResends is how many resent packets a limit remembers; a power of two.
	recentResends = 128
	// minResend is the least time between two repairs of one packet.
	minResend = 20 * time.Millisecond
)

// limit bounds what is sent again on one connection, so that a few NACKs cannot bring about any
// amount of traffic: no packet within half a round trip of its last repair, and no more than half
// as many repairs as packets. It belongs to the goroutine that answers the connection's feedback.
type limit struct {
	started bool
	credit  int    // in half repairs
	seen    uint64 // first transmissions that have been credited
	resent  uint64
	least   time.Duration // between two repairs of one packet
	recent  [recentResends]struct {
		at  time.Time // zero: never
		seq uint16
	}
}

// refill credits what the connection has sent since; packets includes what was sent again. No
// more than most repairs can be saved up.
func (l *limit) refill(packets uint64, most int) {
	if !l.started {
		l.started, l.credit = true, 2*firstResends
	}
	first := packets - l.resent
	l.credit += int(min(first-l.seen, 1<<20))
	l.credit = min(l.credit, 2*max(most, firstResends))
	l.seen = first
}

// follow takes note of the connection's round trip.
func (l *limit) follow(rtt time.Duration) { l.least = max(minResend, rtt/2) }

func (l *limit) allows(seq uint16, now time.Time) bool {
	if l.credit < 2 {
		return false
	}
	r := &l.recent[seq%recentResends]
	return r.seq != seq || r.at.IsZero() || now.Sub(r.at) >= l.least
}

// spend takes note of a repair.
func (l *limit) spend(seq uint16, now time.Time) {
	l.credit -= 2
	l.resent++
	r := &l.recent[seq%recentResends]
	r.seq, r.at = seq, now
}
