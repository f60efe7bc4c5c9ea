package network

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
)

const (
	linger     = time.Second // what a closed stream may take to send what was written to it
	feedBuffer = 4 * segmentSize
)

// stream is a TCP connection of the kernel behind its host's link: what is written passes up,
// what is read passes down. A direction that is perfect goes straight to the kernel; one that is
// or becomes impaired gets a line and a goroutine that serves it, and keeps them. Bytes are never
// lost: see impair.Link.Stream for what a loss costs.
type stream struct {
	host    *socketHost
	tcp     *net.TCPConn
	counted bool // as media traffic

	opening opening

	out, in           atomic.Pointer[line]
	readBy, writeBy   deadline
	drainBy           deadline
	writing           chan struct{} // holds a token while a write is under way
	mu                sync.Mutex    // guards what follows and the starting of lines
	readAt, writeAt   time.Time
	closed            chan struct{}
	writeOff, carried bool // nothing more is to be written; the carrier has ended
}

var _ transport.TCPConn = (*stream)(nil)

// newStream puts a connection of the kernel behind the link.
func newStream(h *socketHost, tcp *net.TCPConn, counted bool) (*stream, error) {
	s := &stream{host: h, tcp: tcp, counted: counted, writing: make(chan struct{}, 1), closed: make(chan struct{})}
	if !h.remember(s) {
		return nil, errors.Join(net.ErrClosed, tcp.Close())
	}
	if h.link.down.impaired.Load() {
		s.inLine(nil) // read from now on, so that delays count from arrival
	}
	return s, nil
}

// dial connects: the request takes the way up, the kernel's answer the way down.
func (h *socketHost) dial(ctx context.Context, d *net.Dialer, network, addr string, counted bool) (*stream, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	if d.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.Timeout)
		defer cancel()
	}
	if err := h.cross(ctx, h.link.up); err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	conn, err := h.firewall.dialer(d).DialContext(ctx, network, addr)
	if crossed := h.cross(ctx, h.link.down); crossed != nil && err == nil {
		err = errors.Join(&net.OpError{Op: "dial", Net: network, Err: crossed}, conn.Close())
	}
	if err != nil {
		return nil, err
	}
	s, err := newStream(h, conn.(*net.TCPConn), counted)
	if err == nil {
		s.opening.watched.Store(h.firewall.onlyTLS)
	}
	return s, err
}

// cross waits as long as a segment without payload takes through one direction.
func (h *socketHost) cross(ctx context.Context, d *direction) error {
	for d.impaired.Load() {
		now := time.Now()
		at, ok := d.segment(now, tcpHeader)
		pause(at.Sub(now), ctx.Done(), h.done)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isClosed(h.done):
			return net.ErrClosed
		case ok:
			return nil
		}
	}
	return nil
}

// outLine is the line upwards, nil while the link is perfect.
func (s *stream) outLine() *line {
	if l := s.out.Load(); l != nil || !s.host.link.up.impaired.Load() {
		return l
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.Load() != nil || isClosed(s.closed) || s.writeOff {
		return s.out.Load()
	}
	s.writeBy.set(s.writeAt)
	l := newLine(s.host.link.up)
	s.out.Store(l)
	// The kernel's deadline would apply to bytes that are still under way.
	if err := s.tcp.SetWriteDeadline(time.Time{}); err != nil {
		l.finish(err)
	}
	s.host.running.Go(func() { s.carry(l) })
	return l
}

// carry writes what comes out of the line to the kernel until its end, and closes what the
// program has closed.
func (s *stream) carry(l *line) {
	buf := make([]byte, feedBuffer)
	for {
		n, err := l.take(buf, &s.drainBy, nil)
		if err == nil {
			_, err = s.tcp.Write(buf[:n])
		}
		if err != nil {
			l.finish(err)
			s.endWrite()
			return
		}
	}
}

// endWrite ends the kernel's side when everything written has left.
func (s *stream) endWrite() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.carried = true
	var err error
	if isClosed(s.closed) {
		err = s.tcp.Close()
		s.drainBy.stop()
	} else {
		err = s.tcp.CloseWrite()
	}
	if err != nil {
		s.host.net.log.Debug("closing a stream", "host", s.host.name, "error", err)
	}
}

// inLine is the line downwards, nil while the link is perfect. A line that is begun by this call
// begins with the bytes of first.
func (s *stream) inLine(first []byte) *line {
	if l := s.in.Load(); l != nil || !s.host.link.down.impaired.Load() {
		return l
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in.Load() != nil || isClosed(s.closed) {
		return s.in.Load()
	}
	s.readBy.set(s.readAt)
	l := newLine(s.host.link.down)
	s.in.Store(l)
	if err := s.tcp.SetReadDeadline(time.Time{}); err != nil {
		l.finish(err)
	}
	first = append([]byte(nil), first...)
	s.host.running.Go(func() { s.feed(l, first) })
	return l
}

// feed puts first and then what the kernel has received into the line until its end.
func (s *stream) feed(l *line, first []byte) {
	var never deadline
	if _, err := l.put(first, &never, s.closed); err != nil {
		return
	}
	buf := make([]byte, feedBuffer)
	for {
		n, err := s.tcp.Read(buf)
		s.countDown(n)
		if _, full := l.put(buf[:n], &never, s.closed); full != nil {
			return
		}
		if err != nil {
			if at, ok := l.dir.segment(time.Now(), tcpHeader); ok {
				l.add(at, nil) // the end takes its way, too
			}
			l.finish(err)
			return
		}
	}
}

func (s *stream) countUp(n int) {
	if s.counted {
		s.host.link.up.countStream(n)
	}
}

func (s *stream) countDown(n int) {
	if s.counted {
		s.host.link.down.countStream(n)
	}
}

// Read takes bytes that have crossed the link.
func (s *stream) Read(b []byte) (int, error) {
	l := s.inLine(nil)
	if l == nil {
		n, err := s.tcp.Read(b)
		s.countDown(n)
		if err != nil || n == 0 {
			return n, err
		}
		if l = s.inLine(b[:n]); l == nil {
			return n, nil
		}
		// The link was set while the kernel was being read: these bytes pass it, too.
	}
	n, err := l.take(b, &s.readBy, s.closed)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.fault("read", err)
	}
	return n, err
}

// Write sends bytes on their way; it waits while the link's queue or the window is full.
func (s *stream) Write(b []byte) (int, error) {
	if s.opening.watched.Load() {
		if err := s.inspect(b); err != nil {
			return 0, err
		}
	}
	l := s.outLine()
	if l == nil {
		n, err := s.tcp.Write(b)
		s.countUp(n)
		return n, err
	}
	select {
	case s.writing <- struct{}{}:
	case <-s.writeBy.done():
		return 0, s.fault("write", errTimeout())
	case <-s.closed:
		return 0, s.fault("write", net.ErrClosed)
	}
	n, err := l.put(b, &s.writeBy, s.closed)
	<-s.writing
	s.countUp(n)
	if err != nil {
		err = s.fault("write", err)
	}
	return n, err
}

// ReadFrom implements io.ReaderFrom by Write.
func (s *stream) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{s}, r)
}

// fault dresses an error as package net does.
func (s *stream) fault(op string, err error) error {
	var dressed *net.OpError
	if errors.As(err, &dressed) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: s.tcp.LocalAddr(), Addr: s.tcp.RemoteAddr(), Err: err}
}
