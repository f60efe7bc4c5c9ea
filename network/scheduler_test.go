package network

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// journal is a receiver that notes what it is handed and when.
type journal struct {
	mu        sync.Mutex
	taken     []uint64
	wrong     int
	discarded int
}

func (j *journal) take(p *datagram) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.taken = append(j.taken, p.order)
	if !time.Now().Equal(p.due) {
		j.wrong++
	}
}

func (j *journal) discard(*datagram) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.discarded++
}

func TestSchedulerHandsOnWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newScheduler(newDatagrams(), nil), &journal{}
		rng := rand.New(rand.NewPCG(1, 2))
		for range 2000 {
			s.add(&datagram{to: j, due: time.Now().Add(time.Duration(rng.IntN(50)) * ms)})
			if rng.IntN(4) == 0 {
				time.Sleep(time.Duration(rng.IntN(7)) * ms)
			}
		}
		time.Sleep(time.Second)
		s.add(&datagram{to: j, due: time.Now().Add(time.Hour)})
		s.close()
		s.add(&datagram{to: j})
		if len(j.taken) != 2000 || j.wrong > 0 || j.discarded != 2 {
			t.Errorf("%d handed on, %d of them not when due, %d discarded, want 2000, 0, 2", len(j.taken), j.wrong, j.discarded)
		}
		if h := s.latenessCopy(); h.Count() != 2000 || h.Max() > 1 {
			t.Errorf("lateness: %d, at most %d µs", h.Count(), h.Max())
		}
	})
}

func TestSchedulerKeepsTheOrderOfAnInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, j := newScheduler(newDatagrams(), nil), &journal{}
		due := time.Now().Add(ms)
		for range 100 {
			s.add(&datagram{to: j, due: due})
		}
		time.Sleep(2 * ms)
		s.close()
		if len(j.taken) != 100 || !slices.IsSorted(j.taken) {
			t.Errorf("got %v", j.taken)
		}
	})
}

func TestLineIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// 1500 bytes on the wire take 12 ms, then 20 ms of delay; two fit the queue.
		d := newDirection(impair.Profile{RateBPS: 1e6, QueueBytes: 3000, Delay: 20 * ms}, 1)
		l, start := newLine(d), time.Now()
		var never deadline
		var written time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			if n, err := l.put(make([]byte, 4*segmentSize), &never, nil); n != 4*segmentSize || err != nil {
				t.Errorf("put: got %d, %v", n, err)
			}
			written = time.Since(start)
			l.finish(io.EOF)
		}()
		buf := make([]byte, 10_000)
		for i := range 4 {
			n, err := l.take(buf, &never, nil)
			if want := time.Duration(i+1)*12*ms + 20*ms; n != segmentSize || err != nil || time.Since(start) != want {
				t.Errorf("segment %d: got %d bytes, %v, after %v, want %v", i, n, err, time.Since(start), want)
			}
		}
		<-done
		if written != 24*ms {
			t.Errorf("writer done after %v, want 24 ms, when the fourth found room", written)
		}
		if n, err := l.take(buf, &never, nil); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("end: got %d, %v", n, err)
		}
	})
}

func TestLineWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine(newDirection(impair.Profile{Delay: time.Minute}, 1))
		var by, never deadline
		by.set(time.Now().Add(time.Second))
		n, err := l.put(make([]byte, 2*window), &by, nil)
		if n < window || n > window+segmentSize || !errors.Is(err, errTimeout()) {
			t.Errorf("got %d, %v, want a full window and a time-out", n, err)
		}
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		if _, err := l.take(make([]byte, 1), &never, stop); !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want closed", err)
		}
		time.Sleep(time.Minute)
		if n, err := l.take(make([]byte, 4*window), &never, nil); n < window || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		waiting := d.done()
		d.set(time.Now().Add(time.Second))
		d.set(time.Now().Add(3 * time.Second))
		time.Sleep(2 * time.Second)
		if isClosed(waiting) {
			t.Error("came at the time it was first set to")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if !isClosed(waiting) || !isClosed(d.done()) {
			t.Error("did not come")
		}
		d.set(time.Now().Add(time.Second))
		if isClosed(d.done()) {
			t.Error("came early after having been moved")
		}
		d.set(past())
		if !isClosed(d.done()) {
			t.Error("a time in the past did not come at once")
		}
		d.set(past())
		d.stop()
		if isClosed(d.done()) {
			t.Error("came after stop")
		}
	})
}
