package turnserver

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
)

const (
	firstFrameWait = 30 * time.Second // for a new connection to say something, TLS handshake included
	idleWait       = 15 * time.Minute // longer than any client's refresh interval
	writeWait      = 10 * time.Second // for a client that does not read
	renewAfter     = time.Second      // deadlines are moved at most this often, not per packet
	acceptWait     = 50 * time.Millisecond
	streamBuffer   = 2048 // bytes; more than the largest message pion/turn takes
)

// errNotTURN ends a connection that does not speak TURN.
var errNotTURN = errors.New("stream is not TURN")

// streams guards the listener of the TCP clients, or of the TLS clients if secure is
// given.
func (g *guard) streams(l transport.TCPListener, secure *tls.Config) net.Listener {
	g.running.Add(1)
	header := uint64(tcpHeader)
	if secure != nil {
		header = tlsHeader
	}
	return &guardedListener{
		TCPListener: l, guard: g, secure: secure, header: wireHeader(addrPort(l.Addr()).Addr(), header),
		closed: make(chan struct{}),
	}
}

// closeStreams ends every accepted connection and those that are being accepted.
func (g *guard) closeStreams() error {
	g.mu.Lock()
	g.closed = true
	open := make([]*guardedStream, 0, len(g.accepted))
	for c := range g.accepted {
		open = append(open, c)
	}
	g.mu.Unlock()
	var errs []error
	for _, c := range open {
		errs = append(errs, c.shut())
	}
	return errors.Join(errs...)
}

// admit takes a connection on, unless there are too many.
func (g *guard) admit(c *guardedStream) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.accepted) >= g.maxStreams {
		return false
	}
	g.accepted[c] = struct{}{}
	g.streamLoops.Add(1)
	return true
}

func (g *guard) dismiss(c *guardedStream) {
	g.mu.Lock()
	delete(g.accepted, c)
	g.mu.Unlock()
	g.streamLoops.Done()
}

// guardedListener is the accepting side of the guard.
type guardedListener struct {
	transport.TCPListener
	guard  *guard
	secure *tls.Config // nil: plain TCP
	header uint64
	closed chan struct{}
	left   sync.Once
	shut   sync.Once
	err    error
}

// Accept returns the next connection. pion/turn ends all allocations over TCP when it fails, so it
// fails only once the listener is closed and outlasts a lack of file descriptors.
func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.TCPListener.Accept()
		if err != nil {
			if l.pause(err) {
				continue
			}
			l.left.Do(l.guard.running.Done)
			return nil, err
		}
		c := l.guard.stream(conn, l.header, l.secure)
		if !l.guard.admit(c) {
			l.guard.refusedStreams.Add(1)
			_ = conn.Close() // refused; nothing was written
			continue
		}
		return c, nil
	}
}

// pause waits a moment after an error; false if the listener is closed.
func (l *guardedListener) pause(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	l.guard.log.Warn("accept TURN connection", "error", err)
	timer := time.NewTimer(acceptWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.closed:
		return false
	}
}

// Close closes the listener and leaves accepted connections open. It is idempotent.
func (l *guardedListener) Close() error {
	l.shut.Do(func() {
		close(l.closed)
		l.err = unlessClosed(l.TCPListener.Close())
	})
	return l.err
}

// wire is a client's TCP connection. Every write to it ends in time, those that TLS makes by
// itself included.
type wire struct {
	net.Conn
	written atomic.Int64 // when the deadline was last moved, ns since 1970
}

// Write sends within writeWait.
func (w *wire) Write(p []byte) (int, error) {
	now := time.Now()
	if last := w.written.Load(); now.UnixNano()-last >= int64(renewAfter) {
		w.written.Store(now.UnixNano())
		if err := w.SetWriteDeadline(now.Add(writeWait)); err != nil {
			return 0, err
		}
	}
	return w.Conn.Write(p)
}

// guardedStream is a client's connection: the wire, or TLS on it. A TLS handshake is part of the
// first Read, so that it holds up nobody else and has the deadline of the first message.
type guardedStream struct {
	net.Conn
	guard  *guard
	wire   *wire
	header uint64
	reader *bufio.Reader

	read        atomic.Int64 // when the deadline was last moved, ns since 1970
	closeOnce   sync.Once
	closeErr    error
	dismissOnce sync.Once
}

// stream guards a connection, with TLS on it if secure is given.
func (g *guard) stream(conn net.Conn, header uint64, secure *tls.Config) *guardedStream {
	c := &guardedStream{guard: g, wire: &wire{Conn: conn}, header: header}
	c.Conn = c.wire
	if secure != nil {
		c.Conn = tls.Server(c.wire, secure)
	}
	c.reader = bufio.NewReaderSize(c.Conn, streamBuffer)
	return c
}

// Read returns exactly one message. pion/turn's own framing adds the header's length in 16 bits, so
// that a length near 65535 becomes 0 and its loop spins for ever; with whole messages it has
// nothing to get wrong.
func (c *guardedStream) Read(p []byte) (int, error) {
	if err := c.renew(); err != nil {
		return 0, err
	}
	head, err := c.reader.Peek(channelHeader)
	if err != nil {
		if notTLS := (tls.RecordHeaderError{}); errors.As(err, &notTLS) {
			c.guard.refusedStreams.Add(1)
		}
		return 0, err
	}
	length, ok := frameLength(head)
	if !ok || length > len(p) {
		c.guard.refusedStreams.Add(1)
		return 0, errNotTURN
	}
	if _, err := io.ReadFull(c.reader, p[:length]); err != nil {
		return 0, err
	}
	c.guard.in.add(uint64(length) + c.header)
	return release(p, length), nil
}

// release makes pion/turn's framing give out a message of up to 8 bytes at once, which it would
// hold back until more arrives: a Binding indication, which asks for nothing, goes behind it.
func release(p []byte, length int) int {
	if length > 2*channelHeader || len(p) < length+stunHeader {
		return length
	}
	indication := [stunHeader]byte{0x00, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42}
	return length + copy(p[length:], indication[:])
}

// renew moves the read deadline: short until the first message, long afterwards.
func (c *guardedStream) renew() error {
	now, last := time.Now(), c.read.Load()
	if last == 0 {
		c.read.Store(1)
		return c.SetReadDeadline(now.Add(firstFrameWait))
	}
	if now.UnixNano()-last < int64(renewAfter) {
		return nil
	}
	c.read.Store(now.UnixNano())
	return c.SetReadDeadline(now.Add(idleWait))
}

// Write sends one message. A client that does not read loses its connection: half a message would
// garble everything behind it.
func (c *guardedStream) Write(p []byte) (int, error) {
	c.guard.sending(p, c.header)
	n, err := c.Conn.Write(p)
	if err != nil {
		c.guard.unsent(p, c.header)
		return n, errors.Join(err, c.shut())
	}
	return n, nil
}

// shut closes the connection itself; its read loop ends thereupon. TLS says no goodbye: messages
// have a length, so that none can be cut short unseen, and a client that does not read would have
// to be waited for.
func (c *guardedStream) shut() error {
	c.closeOnce.Do(func() { c.closeErr = unlessClosed(c.wire.Close()) })
	return c.closeErr
}

// Close is the last thing pion/turn does with a connection.
func (c *guardedStream) Close() error {
	err := c.shut()
	c.dismissOnce.Do(func() { c.guard.dismiss(c) })
	return err
}
