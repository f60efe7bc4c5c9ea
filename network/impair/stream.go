package impair

import "time"

const (
	retransmission = 200 * time.Millisecond // least time-out of common TCP stacks
	maxRepeats     = 6
	retry          = 100 * time.Millisecond // a Set may change everything meanwhile
)

// Stream is StreamFlow for segments of one flow, the zero one.
func (l *Link) Stream(now time.Time, size int) (at time.Time, ok bool) {
	return l.StreamFlow(Flow{}, now, size)
}

// StreamFlow says when a segment of a reliable stream arrives that is ready to be sent now. It
// shares the queue with packets, of which all streams together take at most about half, but is
// never dropped. Where there is no room, or nothing passes, ok is false and at is when to ask again; the segment has then not been sent.
//
// A random loss costs a retransmission time-out of 200 ms plus a round trip at this link's
// delay, doubled when it is lost again. It is drawn independently of the packets' losses, so
// that a stream does not change their fate. The caller keeps the order of segments, duplicates,
// corruption and reordering do not show in a stream.
func (l *Link) StreamFlow(flow Flow, now time.Time, size int) (at time.Time, ok bool) {
	t := l.since(now)
	l.refresh(t)
	if l.blackout || l.loss.mean == 1 {
		return l.epoch.Add(max(min(l.until, t+retry), t+time.Millisecond)), false
	}
	if l.queue.fullForStream(t, int64(size)) {
		return l.epoch.Add(l.room(t)), false
	}
	delay := time.Duration(l.delay.mean)
	if l.now.random() {
		draw := l.flows.of(flow).stream
		delay = l.delay.draw(draw)
		wait := retransmission + 2*l.now.Delay
		for range maxRepeats {
			if l.loss.mean == 0 || draw.Float64() >= l.loss.mean {
				break
			}
			delay += wait
			wait *= 2
		}
	}
	left := max(t, l.queue.free)
	if l.queue.limited() {
		if l.queue.trace != nil {
			left = l.queue.pos.next(l.queue.trace, left)
		}
		left = l.queue.serve(left, int64(size), true)
	}
	return l.epoch.Add(left + delay), true
}

// room is when the first packet leaves the queue.
func (l *Link) room(t time.Duration) time.Duration {
	if l.queue.n == 0 {
		return t + retry
	}
	return min(l.queue.inside[l.queue.head].at, t+retry)
}
