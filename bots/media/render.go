package media

import (
	"math"
	"time"
)

// verdict is what becomes of the first held frame.
type verdict int

const (
	wait verdict = iota
	render
	giveUp
)

// advance renders and gives up frames until the first one held has to wait.
func (s *VideoSink) advance(now time.Duration) {
	for len(s.held) > 0 {
		a := s.held[0]
		switch s.judge(a, now) {
		case render:
			s.render(a, now)
		case giveUp:
			s.giveUp(a)
		default:
			s.due = a.first + s.c.Deadline
			return
		}
	}
	s.due = math.MaxInt64
}

// judge decides about the first held frame. While the chain is intact a keyframe waits for the
// frames before it, which may still be repaired; once it is broken the first complete keyframe
// ends the waiting.
func (s *VideoSink) judge(a *assembly, now time.Duration) verdict {
	late := now >= a.first+s.c.Deadline
	if a.complete(s.doneSeq, s.seqKnown) {
		if a.key && (late || s.chain != chainIntact || s.follows(a)) {
			return render
		}
		if !a.key && s.chain == chainIntact && s.refersToShown(a) {
			return render
		}
	}
	if late || s.hopeless(a) || s.chain != chainIntact && s.keyframeBehind() {
		return giveUp
	}
	return wait
}

// follows tells whether no frame is missing between the last one and a.
func (s *VideoSink) follows(a *assembly) bool {
	if a.stamped {
		return s.popped && a.id == s.doneID+1
	}
	return s.seqKnown && a.lo == s.doneSeq+1
}

// refersToShown tells whether a delta frame needs only what is rendered. A complete unstamped
// delta frame follows the last one by its sequence numbers.
func (s *VideoSink) refersToShown(a *assembly) bool { return !a.stamped || a.ref == s.shownID }

// hopeless tells whether a can never be decoded: what it refers to is over and was not rendered.
func (s *VideoSink) hopeless(a *assembly) bool {
	if !a.stamped || a.key || !s.popped || a.ref > s.doneID {
		return false
	}
	return s.chain != chainIntact || a.ref != s.shownID
}

// keyframeBehind tells whether a complete keyframe is held behind the first frame.
func (s *VideoSink) keyframeBehind() bool {
	for _, a := range s.held[1:] {
		if a.key && a.complete(0, false) {
			return true
		}
	}
	return false
}

func (s *VideoSink) render(a *assembly, now time.Duration) {
	s.countMissing(a)
	s.chain = chainIntact
	s.shownID = a.id
	if a.stamped && s.tally.open && s.c.Delay != nil {
		s.c.Delay((a.lastNS - a.capture) / 1000)
	}
	s.tally.rendered(now, a.key)
	s.pop(a)
}

func (s *VideoSink) giveUp(a *assembly) {
	s.countMissing(a)
	if s.chain != chainNone {
		s.chain = chainBroken
		s.tally.c.dropped++
	}
	s.pop(a)
}

// countMissing counts the frames before a of which no packet came, unless they were not needed.
func (s *VideoSink) countMissing(a *assembly) {
	if !a.stamped || !s.popped || s.chain == chainNone {
		return
	}
	if !a.key && a.ref <= s.shownID {
		return
	}
	if missing := a.id - s.doneID - 1; missing < maxGap {
		s.tally.c.dropped += uint64(missing)
	}
}

func (s *VideoSink) pop(a *assembly) {
	s.popped, s.doneID = true, a.id
	if !a.stamped {
		s.seqKnown, s.doneSeq = true, a.hi
	}
	n := copy(s.held, s.held[1:])
	s.held = s.held[:n]
	s.free = append(s.free, a)
}
