package network

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/pion/transport/v4"
)

// Close ends waiting calls with net.ErrClosed. What was written still arrives.
func (c *simStream) Close() error {
	err := c.fault("close", net.ErrClosed)
	c.once.Do(func() {
		err = nil
		c.finish()
		if c.leavesUnread() { // whoever waits to write more has to know
			c.emit(nil, c.next, capture.RST)
		}
		close(c.closed)
		c.readBy.stop()
		c.writeBy.stop()
		c.forget()
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, p := range c.arrived {
			c.host.net.pool.put(p)
		}
		c.arrived = nil
	})
	return err
}

// leavesUnread tells whether the far end has written what nobody will read.
func (c *simStream) leavesUnread() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.arrived)+len(c.early) > 0
}

// finish sends the end of the stream behind what was written, once.
func (c *simStream) finish() {
	c.mu.Lock()
	if c.finished || c.broken != nil {
		c.mu.Unlock()
		return
	}
	c.finished = true
	sequence := c.next
	c.next++
	c.mu.Unlock()
	c.emit(nil, sequence, capture.FIN)
}

// forget takes the stream off its host; what comes for it later is answered with a reset.
func (c *simStream) forget() {
	h := c.host
	k := streamKey{c.local.Port(), c.remote}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.streams[k] == c {
		delete(h.streams, k)
		h.net.open.Add(-1)
	}
}

// CloseWrite has the peer read the end of the stream after what was written.
func (c *simStream) CloseWrite() error {
	c.finish()
	return nil
}

// CloseRead has nothing more read here.
func (c *simStream) CloseRead() error {
	c.mu.Lock()
	if c.end == nil {
		c.end = io.EOF
	}
	c.mu.Unlock()
	signal(c.ready)
	return nil
}

// ReadFrom implements io.ReaderFrom by Write.
func (c *simStream) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// LocalAddr is this end's address as it sees it itself.
func (c *simStream) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.local) }

// RemoteAddr is the far end's address as this end sees it.
func (c *simStream) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// SetDeadline sets both deadlines.
func (c *simStream) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline applies to waiting reads too.
func (c *simStream) SetReadDeadline(t time.Time) error { return c.setDeadline(&c.readBy, t) }

// SetWriteDeadline applies to waiting writes too.
func (c *simStream) SetWriteDeadline(t time.Time) error { return c.setDeadline(&c.writeBy, t) }

func (c *simStream) setDeadline(d *deadline, t time.Time) error {
	if isClosed(c.closed) {
		return c.fault("set", net.ErrClosed)
	}
	d.set(t)
	return nil
}

// SetLinger and what follows have no effect: there is no kernel.
func (c *simStream) SetLinger(int) error { return nil }

// SetKeepAlive has no effect.
func (c *simStream) SetKeepAlive(bool) error { return nil }

// SetKeepAlivePeriod has no effect.
func (c *simStream) SetKeepAlivePeriod(time.Duration) error { return nil }

// SetNoDelay has no effect: segments leave at once.
func (c *simStream) SetNoDelay(bool) error { return nil }

// SetReadBuffer has no effect.
func (c *simStream) SetReadBuffer(int) error { return nil }

// SetWriteBuffer has no effect.
func (c *simStream) SetWriteBuffer(int) error { return nil }

func (c *simStream) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// simListener accepts streams.
type simListener struct {
	host    *simHost
	network string
	bound   netip.Addr // unset: any of the host's
	port    uint16
	counted bool
	by      deadline
	once    sync.Once
	closed  chan struct{}
	ready   chan struct{} // holds a token after a change

	mu      sync.Mutex // guards what follows
	waiting []*simStream
}

var _ transport.TCPListener = (*simListener)(nil)

// backlog is how many streams wait to be accepted.
const backlog = 4096

func (h *simHost) listenStream(network string, at netip.AddrPort, counted bool) (*simListener, error) {
	fail := func(err error) (*simListener, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(at), Err: err}
	}
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	ip, err := h.bindable(network, at.Addr())
	if err != nil {
		return fail(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fail(net.ErrClosed)
	}
	port, err := free(h.listeners, &h.nextTCP, at.Port())
	if err != nil {
		return fail(err)
	}
	l := &simListener{
		host: h, network: network, bound: ip, port: port, counted: counted,
		closed: make(chan struct{}), ready: make(chan struct{}, 1),
	}
	h.listeners[port] = l
	h.net.open.Add(1)
	return l, nil
}

// take opens this end of a stream whose far end has dialled.
func (l *simListener) take(p *datagram) {
	h := l.host
	if !serves(l.network, l.bound, p.dst.Addr()) {
		h.reset(p)
		return
	}
	c := newSimStream(h, p.dst, p.addr, l.counted)
	c.answered = true
	close(c.opened)
	c.far = p.from
	h.mu.Lock() // before Accept may return it
	h.streams[streamKey{c.local.Port(), c.remote}] = c
	h.mu.Unlock()
	h.net.open.Add(1)
	l.mu.Lock()
	full := len(l.waiting) >= backlog || isClosed(l.closed)
	if !full {
		l.waiting = append(l.waiting, c)
	}
	l.mu.Unlock()
	if full {
		c.forget()
		h.reset(p)
		return
	}
	q := h.net.pool.get(0)
	q.addr, q.dst = c.local, c.remote
	q.kind, q.protocol, q.sender = kindStream, p.protocol, h
	q.from, q.acknowledged, q.flags = c, 1, capture.SYN|capture.ACK
	q.due, q.to = p.due, (*departure)(h)
	h.net.scheduler.push(q)
	signal(l.ready)
}

// Accept waits for the next stream.
func (l *simListener) Accept() (net.Conn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptTCP is Accept with the stream's own type.
func (l *simListener) AcceptTCP() (transport.TCPConn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (l *simListener) accept() (*simStream, error) {
	for {
		late := l.by.done()
		switch {
		case isClosed(l.closed):
			return nil, l.fault("accept", net.ErrClosed)
		case isClosed(late):
			return nil, l.fault("accept", errTimeout())
		}
		l.mu.Lock()
		if n := len(l.waiting); n > 0 {
			c := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.mu.Unlock()
			if n > 1 {
				signal(l.ready)
			}
			return c, nil
		}
		l.mu.Unlock()
		wait(l.ready, late, l.closed)
	}
}

// Addr is where it listens.
func (l *simListener) Addr() net.Addr {
	ip := l.bound
	if !ip.IsValid() {
		ip = unspecified(l.network)
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, l.port))
}

// SetDeadline applies to Accept.
func (l *simListener) SetDeadline(t time.Time) error {
	if isClosed(l.closed) {
		return l.fault("set", net.ErrClosed)
	}
	l.by.set(t)
	return nil
}

// Close ends Accept and resets streams that nobody has accepted; others stay open.
func (l *simListener) Close() error {
	err := l.fault("close", net.ErrClosed)
	l.once.Do(func() {
		err = nil
		close(l.closed)
		l.host.mu.Lock()
		delete(l.host.listeners, l.port)
		l.host.mu.Unlock()
		l.host.net.open.Add(-1)
		l.by.stop()
		l.mu.Lock()
		waiting := l.waiting
		l.waiting = nil
		l.mu.Unlock()
		for _, c := range waiting {
			if e := c.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
				err = e
			}
		}
	})
	return err
}

func (l *simListener) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.Addr(), Err: err}
}
