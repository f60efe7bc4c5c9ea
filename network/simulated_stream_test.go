package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

func serve(t testing.TB, h *simHost, at string) net.Listener {
	t.Helper()
	l, err := h.Listen("tcp", at)
	must(t, err)
	return l
}

// joined connects two hosts.
func joined(t testing.TB, from, to *simHost) (near, far net.Conn) {
	t.Helper()
	l := serve(t, to, ":7000")
	near, err := from.DialContext(context.Background(), "tcp", to.name+":7000")
	must(t, err)
	far, err = l.Accept()
	must(t, err)
	return near, far
}

func TestSimulatedStreamConnects(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a, b := plain(t, s, "a", 10*ms, 20*ms), plain(t, s, "b", 30*ms, 40*ms)
		start := time.Now()
		near, far := joined(t, a, b)
		if took := time.Since(start); took != 100*ms {
			t.Errorf("connected after %v, want 100ms", took)
		}
		if near.LocalAddr().String() != far.RemoteAddr().String() || near.RemoteAddr().String() != far.LocalAddr().String() {
			t.Errorf("got ends %v–%v and %v–%v, want the same", near.LocalAddr(), near.RemoteAddr(), far.RemoteAddr(), far.LocalAddr())
		}
		start = time.Now()
		_, err := near.Write([]byte("hello"))
		must(t, err)
		_, err = io.ReadFull(far, make([]byte, 5))
		if took := time.Since(start); err != nil || took != 50*ms {
			t.Errorf("got %v after %v, want the bytes after 50ms", err, took)
		}
		if got := a.Link().Traffic(); got != (Traffic{}) {
			t.Errorf("got %+v of a signaling stream, want none", got)
		}
	})
}

func TestSimulatedStreamRefused(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a := plain(t, s, "a", 10*ms, 20*ms)
		plain(t, s, "b", 30*ms, 40*ms)
		start := time.Now()
		_, err := a.DialContext(context.Background(), "tcp", "b:1")
		if took := time.Since(start); !errors.Is(err, syscall.ECONNREFUSED) || took != 100*ms {
			t.Errorf("got %v after %v, want %v after 100ms", err, took, syscall.ECONNREFUSED)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 40*ms)
		defer cancel()
		start = time.Now()
		_, err = a.DialContext(ctx, "tcp", "b:1")
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 40*ms {
			t.Errorf("got %v after %v, want %v after 40ms", err, took, os.ErrDeadlineExceeded)
		}
	})
}

func TestSimulatedStreamKeepsOrder(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a := join(t, s, HostSpec{Name: "a", Seed: 3, Up: impair.Profile{
			Delay: 50 * ms, Jitter: 20 * ms, Order: impair.Free, LossRatio: .05,
		}})
		near, far := joined(t, a, plain(t, s, "b", 0, 0))
		want := make([]byte, 600_000)
		for i := range want {
			want[i] = byte(i * 7 >> 3)
		}
		wrote := make(chan error, 1)
		go func() {
			_, err := near.Write(want)
			wrote <- errors.Join(err, near.(interface{ CloseWrite() error }).CloseWrite())
		}()
		got, err := io.ReadAll(far)
		must(t, err)
		must(t, <-wrote)
		if !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want the %d that were written, in order", len(got), len(want))
		}
		_, err = far.Write([]byte("still open"))
		must(t, err)
		if n, err := io.ReadFull(near, make([]byte, 10)); n != 10 || err != nil {
			t.Errorf("the other way after CloseWrite: got %d bytes, %v, want 10", n, err)
		}
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write after CloseWrite: got %v, want %v", err, syscall.EPIPE)
		}
	})
}

func TestSimulatedStreamWindow(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		near, far := joined(t, plain(t, s, "a", 10*ms, 0), plain(t, s, "b", 0, 0))
		start := time.Now()
		must(t, near.SetWriteDeadline(start.Add(time.Second)))
		n, err := near.Write(make([]byte, 2*window))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != time.Second {
			t.Errorf("got %v after %v, want %v after 1s", err, took, os.ErrDeadlineExceeded)
		}
		if n < window || n >= window+segmentSize {
			t.Errorf("got %d bytes written, want a window of %d", n, window)
		}
		must(t, near.SetWriteDeadline(time.Time{}))
		time.AfterFunc(time.Second, func() { _, _ = io.ReadFull(far, make([]byte, n)) })
		start = time.Now()
		_, err = near.Write([]byte("x"))
		if took := time.Since(start); err != nil || took != time.Second {
			t.Errorf("got %v after %v, want room after 1s", err, took)
		}
	})
}

func TestSimulatedStreamDeadlineAndClose(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		near, far := joined(t, plain(t, s, "a", 0, 0), plain(t, s, "b", 0, 0))
		start := time.Now()
		must(t, near.SetReadDeadline(start.Add(30*ms)))
		_, err := near.Read(make([]byte, 1))
		if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || took != 30*ms {
			t.Errorf("got %v after %v, want %v after 30ms", err, took, os.ErrDeadlineExceeded)
		}
		must(t, near.SetReadDeadline(time.Time{}))
		time.AfterFunc(30*ms, func() { _ = near.Close() })
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed while reading: got %v, want %v", err, net.ErrClosed)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("far end: got %v, want %v", err, io.EOF)
		}
	})
}

func TestSimulatedCrash(t *testing.T) {
	simulate(t, func(t *testing.T, s *Simulated) {
		a, b := plain(t, s, "a", 10*ms, 0), plain(t, s, "b", 0, 0)
		near, far := joined(t, a, b)
		c := socket(t, b)
		b.Crash()
		if _, err := near.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the peer's stream: got %v, want %v", err, io.EOF)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("its own stream: got %v, want %v", err, net.ErrClosed)
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("its socket: got %v, want %v", err, net.ErrClosed)
		}
		_, err := near.Write([]byte("x"))
		must(t, err)
		time.Sleep(time.Second)
		if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("write to who is gone: got %v, want %v", err, syscall.ECONNRESET)
		}
		joined(t, a, b) // the host stays, and may open others
	})
}
