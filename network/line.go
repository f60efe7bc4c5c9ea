package network

import (
	"net"
	"sync"
	"time"
)

// window is how many bytes of a stream are under way in one direction, as a TCP window would
// have it. A writer waits when it is full.
const window = 256 << 10

// line is one direction of a stream behind an impaired link: bytes go in as segments that ask
// the link when they arrive, and come out then, in order. One goroutine puts in and one takes
// out at a time.
type line struct {
	dir           *direction
	filled, freed chan struct{} // hold a token after a change

	mu    sync.Mutex // guards what follows
	parts []part
	bytes int
	last  time.Time // when the latest part arrives
	end   error     // what comes after the last part; nil: not known yet
}

// part is a segment under way.
type part struct {
	due  time.Time
	data []byte
}

func newLine(d *direction) *line {
	return &line{dir: d, filled: make(chan struct{}, 1), freed: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put sends bytes on their way, waiting for room in the window and in the link's queue.
func (l *line) put(b []byte, by *deadline, stop <-chan struct{}) (n int, err error) {
	for n < len(b) {
		late := by.done()
		switch {
		case isClosed(stop):
			return n, net.ErrClosed
		case isClosed(late):
			return n, errTimeout()
		}
		room, end := l.room()
		if end != nil {
			return n, end
		}
		if !room {
			wait(l.freed, late, stop)
			continue
		}
		size := min(len(b)-n, segmentSize)
		now := time.Now()
		at, ok := l.dir.segment(now, size+tcpHeader)
		if !ok {
			pause(at.Sub(now), late, stop)
			continue
		}
		l.add(at, b[n:n+size])
		n += size
	}
	return n, nil
}

func (l *line) room() (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes < window, l.end
}

func (l *line) add(at time.Time, b []byte) {
	l.mu.Lock()
	if at.After(l.last) {
		l.last = at
	}
	l.parts = append(l.parts, part{l.last, append([]byte(nil), b...)})
	l.bytes += len(b)
	l.mu.Unlock()
	signal(l.filled)
}

// finish has err follow the last byte. The first one stands.
func (l *line) finish(err error) {
	l.mu.Lock()
	if l.end == nil {
		l.end = err
	}
	l.mu.Unlock()
	signal(l.filled)
	signal(l.freed)
}

// take waits for bytes that have arrived.
func (l *line) take(b []byte, by *deadline, stop <-chan struct{}) (int, error) {
	for {
		late := by.done()
		switch {
		case isClosed(stop):
			return 0, net.ErrClosed
		case isClosed(late):
			return 0, errTimeout()
		case len(b) == 0:
			return 0, nil
		}
		n, due, end := l.arrived(b)
		switch {
		case n > 0:
			signal(l.freed)
			return n, nil
		case !due.IsZero():
			pause(time.Until(due), late, stop)
		case end != nil:
			return 0, end
		default:
			wait(l.filled, late, stop)
		}
	}
}

// arrived copies what has arrived, or says when the next part does, or what follows the last.
func (l *line) arrived(b []byte) (n int, due time.Time, end error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for len(l.parts) > 0 && n < len(b) {
		p := &l.parts[0]
		if p.due.After(now) {
			return n, p.due, nil
		}
		k := copy(b[n:], p.data)
		n, l.bytes, p.data = n+k, l.bytes-k, p.data[k:]
		if len(p.data) == 0 {
			*p = part{}
			l.parts = l.parts[1:]
		}
	}
	return n, time.Time{}, l.end
}

func wait(changed, late, stop <-chan struct{}) {
	select {
	case <-changed:
	case <-late:
	case <-stop:
	}
}

func pause(d time.Duration, late, stop <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-late:
	case <-stop:
	}
}
