package network

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/nat"
	"github.com/pion/transport/v4"
)

// simStream is one end of a stream on the simulated network: TCP as far as a program can tell it
// from afar. Connecting takes a round trip, bytes travel in segments that arrive in order, a loss
// costs a retransmission's time (impair.Link.Stream), and a writer waits while a window's worth is
// under way or unread. There is no congestion control, and acknowledgements cost nothing.
type simStream struct {
	origin        origin
	host          *simHost
	local, remote netip.AddrPort // as this end sees them
	counted       bool

	readBy, writeBy deadline
	ready, room     chan struct{} // hold a token after a change
	opened          chan struct{} // closed once the far end has answered
	once            sync.Once
	closed          chan struct{}
	writing         sync.Mutex // held by Write

	mu       sync.Mutex // guards what follows
	refused  error      // why the far end did not open; set before opened is closed
	answered bool
	far      *simStream // once known: who reads what is written here
	next     uint32     // sequence number of the next byte written
	finished bool       // the end has been written
	underWay int        // bytes written that the far program has not read
	broken   error      // of writes, once the far end is gone
	expected uint32     // sequence number of the next byte to arrive
	early    map[uint32]*datagram
	arrived  []*datagram // in order
	offset   int         // into the first of them
	end      error       // what follows the last of them; nil: not known yet
	first    []byte      // of what was written, for a firewall that looks at it
	passed   bool        // the firewall has seen enough
}

var _ transport.TCPConn = (*simStream)(nil)

func newSimStream(h *simHost, local, remote netip.AddrPort, counted bool) *simStream {
	return &simStream{
		host: h, local: local, remote: remote, counted: counted,
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1), opened: make(chan struct{}), closed: make(chan struct{}),
		next: 1, expected: 1, early: map[uint32]*datagram{},
	}
}

// dialStream connects to an address.
func (h *simHost) dialStream(ctx context.Context, network string, laddr, to netip.AddrPort, counted bool) (*simStream, error) {
	fail := func(err error) (*simStream, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	from := h.own(to.Addr())
	if !from.IsValid() {
		return fail(syscall.ENETUNREACH)
	}
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return fail(net.ErrClosed)
	}
	port, err := h.freeStreamPort(laddr.Port(), to)
	if err != nil {
		h.mu.Unlock()
		return fail(err)
	}
	c := newSimStream(h, netip.AddrPortFrom(from, port), to, counted)
	h.streams[streamKey{port, to}] = c
	h.mu.Unlock()
	h.net.open.Add(1)
	c.emit(nil, 0, capture.SYN)

	limit := time.NewTimer(dialTimeout)
	defer limit.Stop()
	select {
	case <-c.opened:
		c.mu.Lock()
		err = c.refused
		c.mu.Unlock()
	case <-ctx.Done():
		if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
			err = os.ErrDeadlineExceeded
		}
	case <-limit.C:
		err = syscall.ETIMEDOUT
	case <-h.done:
		err = net.ErrClosed
	case <-c.closed:
		err = net.ErrClosed
	}
	if err != nil {
		c.forget()
		return fail(err)
	}
	return c, nil
}

// freeStreamPort finds a local port for a stream to an address. The caller holds the lock.
func (h *simHost) freeStreamPort(want uint16, to netip.AddrPort) (uint16, error) {
	if want != 0 {
		if h.streams[streamKey{want, to}] != nil {
			return 0, syscall.EADDRINUSE
		}
		return want, nil
	}
	taken := make(map[uint16]struct{}, len(h.streams)+len(h.listeners))
	for k := range h.streams {
		taken[k.port] = struct{}{}
	}
	for port := range h.listeners {
		taken[port] = struct{}{}
	}
	return free(taken, &h.nextTCP, 0)
}

// emit sends a segment.
func (c *simStream) emit(b []byte, sequence uint32, flags capture.Flags) {
	p := c.host.net.pool.get(len(b))
	copy(p.buf, b)
	p.addr, p.dst = c.local, c.remote
	p.kind, p.protocol, p.sender, p.origin = kindStream, nat.TCP, c.host, &c.origin
	p.counted = c.counted && len(b) > 0
	p.from, p.sequence, p.flags = c, sequence, flags
	if flags != capture.SYN {
		c.mu.Lock()
		p.acknowledged = c.expected
		c.mu.Unlock()
		p.flags |= capture.ACK
	}
	p.to, p.due = (*departure)(c.host), time.Now()
	c.host.net.scheduler.add(p)
}

// takeSegment hands a segment to the stream or listener that it is for.
func (h *simHost) takeSegment(p *datagram) {
	h.mu.Lock()
	c := h.streams[streamKey{p.dst.Port(), p.addr}]
	l := h.listeners[p.dst.Port()]
	h.mu.Unlock()
	switch {
	case c != nil:
		c.take(p)
		return
	case p.flags&capture.SYN != 0 && p.flags&capture.ACK == 0 && l != nil:
		l.take(p)
	case p.flags&(capture.RST|capture.FIN) == 0:
		h.reset(p)
	}
	h.net.pool.put(p)
}

// reset answers a segment that nobody waits for.
func (h *simHost) reset(p *datagram) {
	q := h.net.pool.get(0)
	q.addr, q.dst = p.dst, p.addr
	q.kind, q.protocol, q.sender = kindStream, nat.TCP, h
	q.flags, q.acknowledged = capture.RST|capture.ACK, p.sequence+uint32(len(p.buf))+1
	q.due, q.to = p.due, (*departure)(h)
	h.net.scheduler.push(q)
}

// take takes a segment over.
func (c *simStream) take(p *datagram) {
	switch {
	case p.flags&capture.RST != 0:
		c.answer(syscall.ECONNREFUSED)
		c.fail(syscall.ECONNRESET)
	case p.flags&capture.SYN != 0:
		c.mu.Lock()
		c.far = p.from
		c.mu.Unlock()
		c.answer(nil)
	default:
		if c.keep(p) {
			signal(c.ready)
			return
		}
	}
	c.host.net.pool.put(p)
}

// answer ends dialling.
func (c *simStream) answer(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.answered {
		c.answered, c.refused = true, err
		close(c.opened)
	}
}

// keep puts a segment in its place; false: it has been seen already.
func (c *simStream) keep(p *datagram) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isClosed(c.closed) || p.sequence < c.expected || c.early[p.sequence] != nil {
		return false
	}
	c.early[p.sequence] = p
	for {
		q := c.early[c.expected]
		if q == nil {
			return true
		}
		delete(c.early, c.expected)
		c.expected += uint32(len(q.buf))
		if q.flags&capture.FIN != 0 {
			c.expected++
			if c.end == nil {
				c.end = io.EOF
			}
			c.host.net.pool.put(q)
			continue
		}
		c.arrived = append(c.arrived, q)
	}
}

// fail has every call after what has arrived return err.
func (c *simStream) fail(err error) {
	c.mu.Lock()
	if c.end == nil {
		c.end = err
	}
	if c.broken == nil {
		c.broken = err
	}
	c.mu.Unlock()
	signal(c.ready)
	signal(c.room)
}

// Read takes bytes that have arrived.
func (c *simStream) Read(b []byte) (int, error) {
	for {
		late := c.readBy.done()
		switch {
		case isClosed(c.closed):
			return 0, c.fault("read", net.ErrClosed)
		case isClosed(late):
			return 0, c.fault("read", errTimeout())
		case len(b) == 0:
			return 0, nil
		}
		n, end := c.fill(b)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(end, io.EOF):
			return 0, io.EOF
		case end != nil:
			return 0, c.fault("read", end)
		}
		wait(c.ready, late, c.closed)
	}
}

// fill copies what has arrived and gives the room back to the writer.
func (c *simStream) fill(b []byte) (n int, end error) {
	c.mu.Lock()
	for len(c.arrived) > 0 && n < len(b) {
		p := c.arrived[0]
		k := copy(b[n:], p.buf[c.offset:])
		n, c.offset = n+k, c.offset+k
		if c.offset == len(p.buf) {
			c.host.net.pool.put(p)
			c.arrived[0] = nil
			c.arrived, c.offset = c.arrived[1:], 0
		}
	}
	if len(c.arrived) > 0 {
		signal(c.ready) // for another reader
	} else {
		end = c.end
	}
	far := c.far
	c.mu.Unlock()
	if far != nil && n > 0 {
		far.mu.Lock()
		far.underWay -= n
		far.mu.Unlock()
		signal(far.room)
	}
	return n, end
}

// Write sends bytes on their way; it waits while the window is full.
func (c *simStream) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for n := 0; ; {
		late := c.writeBy.done()
		switch {
		case isClosed(c.closed):
			return n, c.fault("write", net.ErrClosed)
		case isClosed(late):
			return n, c.fault("write", errTimeout())
		case n == len(b):
			return n, nil
		}
		size := min(len(b)-n, segmentSize)
		sequence, ok, err := c.reserve(b[n : n+size])
		if err != nil {
			return n, c.fault("write", err)
		}
		if !ok {
			wait(c.room, late, c.closed)
			continue
		}
		flags := capture.Flags(0)
		if n+size == len(b) {
			flags = capture.PSH
		}
		c.emit(b[n:n+size], sequence, flags)
		n += size
	}
}

// reserve gives bytes their place in the stream; false: the window is full.
func (c *simStream) reserve(b []byte) (sequence uint32, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.broken != nil:
		return 0, false, c.broken
	case c.finished:
		return 0, false, syscall.EPIPE
	case c.underWay >= window:
		return 0, false, nil
	}
	sequence = c.next
	c.next += uint32(len(b))
	c.underWay += len(b)
	if c.host.firewall.Inspects() && !c.passed && len(c.first) < 16 {
		c.first = append(c.first, b[:min(len(b), 16)]...)
	}
	return sequence, true, nil
}
