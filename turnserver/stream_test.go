package turnserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v3"
)

// pipe is a guarded stream and its client's end.
func pipe(t *testing.T) (*guardedStream, net.Conn) {
	t.Helper()
	return pipeWith(t, nil)
}

func pipeWith(t *testing.T, secure *tls.Config) (*guardedStream, net.Conn) {
	t.Helper()
	cfg := Config{}
	cfg.defaults()
	g := newGuard(cfg, 1, &sync.WaitGroup{})
	near, far := net.Pipe()
	c := g.stream(near, 52, secure)
	if !g.admit(c) {
		t.Fatal("connection refused")
	}
	t.Cleanup(func() {
		_, _ = c.Close(), far.Close() // pipes close without fault
		g.streamLoops.Wait()
	})
	return c, far
}

func TestStreamGivesWholeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t)
		binding := stun.MustBuild(stun.BindingRequest).Raw
		data := []byte{0x40, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0} // padded
		all := append(append(bytes.Clone(binding), data...), binding...)
		go func() { // ends with the last byte
			for _, b := range all {
				if _, err := far.Write([]byte{b}); err != nil {
					t.Error(err)
				}
			}
		}()
		buf := make([]byte, 1600)
		for i, want := range [][]byte{binding, data, binding} {
			n, err := c.Read(buf)
			if err != nil || !bytes.Equal(buf[:n], want) {
				t.Errorf("message %d: got % x and %v, want % x", i, buf[:n], err, want)
			}
		}
		if got, want := c.guard.in.load(), (Flow{3, uint64(len(all)) + 3*52}); got != want {
			t.Errorf("counted %+v, want %+v", got, want)
		}
	})
}

func TestSilentStreamsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t)
		start := time.Now()
		if _, err := c.Read(make([]byte, 1600)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("new and silent: got %v, want a timeout", err)
		}
		if got := time.Since(start); got != firstFrameWait {
			t.Errorf("dropped after %v, want %v", got, firstFrameWait)
		}

		c, far = pipe(t)
		go func() { // ends with the read below
			if _, err := far.Write(stun.MustBuild(stun.BindingRequest).Raw); err != nil {
				t.Error(err)
			}
		}()
		if _, err := c.Read(make([]byte, 1600)); err != nil {
			t.Fatal(err)
		}
		start = time.Now()
		if _, err := c.Read(make([]byte, 1600)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("fallen silent: got %v, want a timeout", err)
		}
		if got := time.Since(start); got != idleWait {
			t.Errorf("dropped after %v, want %v", got, idleWait)
		}
	})
}

func TestClientThatDoesNotReadIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, far := pipe(t)
		start := time.Now()
		if _, err := c.Write([]byte("nobody reads this")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v, want a timeout", err)
		}
		if got := time.Since(start); got != writeWait {
			t.Errorf("given up after %v, want %v", got, writeWait)
		}
		if _, err := far.Read(make([]byte, 10)); !errors.Is(err, io.EOF) {
			t.Errorf("client got %v, want the end", err)
		}
		if got := c.guard.out.load(); got != (Flow{}) {
			t.Errorf("counted %+v, want nothing", got)
		}
	})
}

func TestStreamsAreBounded(t *testing.T) {
	cfg := Config{TotalQuota: 1}
	cfg.defaults()
	g := newGuard(cfg, 1, &sync.WaitGroup{})
	var open []*guardedStream
	for len(open) < 100 {
		c := &guardedStream{guard: g}
		if !g.admit(c) {
			break
		}
		open = append(open, c)
	}
	if len(open) != 66 {
		t.Errorf("%d connections, want 66", len(open))
	}
	g.dismiss(open[0])
	if !g.admit(open[0]) {
		t.Error("no place for another after one has gone")
	}
}
