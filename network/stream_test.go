package network

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// echo serves streams that return what they are sent.
func echo(t *testing.T, s *Sockets) string {
	t.Helper()
	l, err := attach(t, s, impair.Profile{}, impair.Profile{}).Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				if _, err := io.Copy(c, c); err == nil {
					// The peer has closed its side; ours closes with it.
					return
				}
			}()
		}
	}()
	t.Cleanup(func() { must(t, l.Close()); <-done })
	return l.Addr().String()
}

func dialStream(t *testing.T, h Host, addr string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	c, err := h.DialContext(ctx, "tcp", addr)
	must(t, err)
	return c
}

// roundTrip sends b and reads it back.
func roundTrip(t *testing.T, c net.Conn, b []byte) time.Duration {
	t.Helper()
	must(t, c.SetDeadline(time.Now().Add(patient)))
	start := time.Now()
	sent := make(chan error, 1)
	go func() { _, err := c.Write(b); sent <- err }()
	got := make([]byte, len(b))
	_, err := io.ReadFull(c, got)
	must(t, err)
	must(t, <-sent)
	if !bytes.Equal(got, b) {
		t.Fatal("bytes changed on the way")
	}
	return time.Since(start)
}

func TestStreamDelay(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{Delay: 20 * ms}, impair.Profile{Delay: 30 * ms, LossRatio: 0})
	server := echo(t, s)
	start := time.Now()
	c := dialStream(t, h, server)
	if took := time.Since(start); took < 50*ms || took > time.Second {
		t.Errorf("connecting took %v, want 50 ms", took)
	}
	var took []time.Duration
	for range 8 {
		took = append(took, roundTrip(t, c, []byte("ping")))
	}
	if least := slices.Min(took); least < 50*ms || least > 50*ms+late {
		t.Errorf("round trips %v, want 50 ms", took)
	}
	if got := h.Link().Traffic(); got != (Traffic{}) {
		t.Errorf("signaling counted as traffic: %+v", got)
	}
}

func TestStreamCarriesManyBytesInOrder(t *testing.T) {
	s := newTestNetwork(t)
	for _, p := range []impair.Profile{{}, {Delay: 5 * ms, Jitter: 2 * ms}, {RateBPS: 80e6, QueueTime: 20 * ms}} {
		h := attach(t, s, p, p)
		c, err := h.Dial("tcp", echo(t, s))
		must(t, err)
		b := make([]byte, 1<<20)
		rng := rand.New(rand.NewPCG(1, 2))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		took := roundTrip(t, c, b)
		if p.RateBPS > 0 && took < 105*ms {
			t.Errorf("1 MiB at 80 Mbit/s took %v", took)
		}
		if got := h.Link().Traffic(); got.UpBytes < 1<<20+700*40 || got.DownBytes < 1<<20+700*40 {
			t.Errorf("traffic %+v", got)
		}
		must(t, c.Close())
	}
}

func TestStreamIsSetAtRunTime(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{}, impair.Profile{})
	c := dialStream(t, h, echo(t, s))
	roundTrip(t, c, []byte("direct"))
	read := make(chan []byte, 1)
	go func() {
		b := make([]byte, 10)
		n, err := c.Read(b)
		if err != nil {
			t.Error(err)
		}
		read <- b[:n]
	}()
	time.Sleep(10 * ms) // so that, nearly always, the read waits in the kernel
	h.Link().Set(impair.Profile{Delay: 20 * ms}, impair.Profile{Delay: 30 * ms})
	start := time.Now()
	_, err := c.Write([]byte("late"))
	must(t, err)
	if got := <-read; string(got) != "late" || time.Since(start) < 50*ms {
		t.Errorf("got %q after %v, want 50 ms", got, time.Since(start))
	}
	if took := roundTrip(t, c, []byte("again")); took < 50*ms {
		t.Errorf("took %v, want 50 ms", took)
	}
}

func TestStreamClose(t *testing.T) {
	s := newTestNetwork(t)
	l, err := attach(t, s, impair.Profile{}, impair.Profile{}).Listen("tcp", ":0")
	must(t, err)
	h := attach(t, s, impair.Profile{Delay: 30 * ms}, impair.Profile{Delay: 30 * ms})
	c := dialStream(t, h, l.Addr().String())
	server, err := l.Accept()
	must(t, err)
	_, err = c.Write([]byte("bye"))
	must(t, err)
	got := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
	time.Sleep(5 * ms)
	must(t, c.Close())
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Errorf("waiting read: got %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: got %v", err)
	}
	within(t, server)
	if b, err := io.ReadAll(server); string(b) != "bye" || err != nil {
		t.Errorf("the server read %q, %v, want what was written before Close", b, err)
	}
}

func TestStreamHalfClose(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{Delay: 10 * ms}, impair.Profile{Delay: 10 * ms})
	addr, err := h.ResolveTCPAddr("tcp", echo(t, s))
	must(t, err)
	c, err := h.DialTCP("tcp", nil, addr)
	must(t, err)
	_, err = c.ReadFrom(bytes.NewReader([]byte("all")))
	must(t, err)
	must(t, c.CloseWrite())
	within(t, c)
	if b, err := io.ReadAll(c); string(b) != "all" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	must(t, c.Close())
}

func TestStreamDeadlines(t *testing.T) {
	s := newTestNetwork(t)
	slow := impair.Profile{RateBPS: 10_000, QueueBytes: 3000}
	c := dialStream(t, attach(t, s, slow, slow), echo(t, s))
	var timeout net.Error
	must(t, c.SetReadDeadline(time.Now().Add(20*ms)))
	if _, err := c.Read(make([]byte, 1)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("read: got %v", err)
	}
	must(t, c.SetWriteDeadline(time.Now().Add(20*ms)))
	if n, err := c.Write(make([]byte, 100_000)); n == 100_000 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("write: got %d, %v", n, err)
	}
}

func TestDialGivesUp(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{LossRatio: 1}, impair.Profile{})
	ctx, cancel := context.WithTimeout(context.Background(), 30*ms)
	defer cancel()
	if _, err := h.DialContext(ctx, "tcp", echo(t, s)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	time.AfterFunc(20*ms, func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := h.Dial("tcp", "127.0.0.1:1"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed host: got %v", err)
	}
	refused := attach(t, s, impair.Profile{}, impair.Profile{})
	if _, err := refused.CreateDialer(&net.Dialer{Timeout: time.Second}).Dial("tcp", "127.0.0.1:1"); err == nil {
		t.Error("nobody listens, no error")
	}
}

func TestHostCloseEndsStreams(t *testing.T) {
	s := newTestNetwork(t)
	for _, p := range []impair.Profile{{}, {Delay: 5 * ms}} {
		h := attach(t, s, p, p)
		c := dialStream(t, h, echo(t, s))
		got := make(chan error, 1)
		go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
		time.Sleep(5 * ms)
		must(t, h.Close())
		if err := <-got; err == nil {
			t.Error("read went on")
		}
	}
}
