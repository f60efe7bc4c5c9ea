package network

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
)

// socketBuffer is asked of the kernel in both directions; it may give less.
const socketBuffer = 1 << 20

// socketUDP is a UDP socket of the kernel behind its host's link.
//
// Where the link is perfect, calls go straight to the kernel. Where up is impaired, each packet
// is offered to the link and handed to the scheduler. Where down is impaired, a goroutine of the
// socket, the pump, reads the kernel at once, so that a packet's delay counts from its arrival
// and not from when the program reads; the scheduler puts it into the mailbox, which reads then
// take from. A socket that has a pump keeps it.
type socketUDP struct {
	udpCalls
	host      *socketHost
	up, down  *direction
	conn      *net.UDPConn
	connected bool
	blocked   bool // by the host's firewall
	v4        bool
	header    int // of a connected socket's packets
	remote    netip.AddrPort

	refs    atomic.Int32 // the program's, and one per packet under way upwards; the last closes conn
	writeBy atomic.Int64 // Unix ns; 0: never

	batchOnce sync.Once
	batcher   batcher

	pumped atomic.Bool
	direct atomic.Int32  // reads in the kernel that are not the pump's
	idle   chan struct{} // a token when the last of them has left
	mail   mailbox
	readBy deadline // of reads from the mailbox

	mu       sync.Mutex // guards what follows and the kernel's read deadline
	readTime time.Time
	closed   chan struct{}
}

var (
	_ transport.UDPConn = (*socketUDP)(nil)
	_ BatchWriter       = (*socketUDP)(nil)
)

// past is a deadline that is over.
func past() time.Time { return time.Unix(1, 0) }

func newSocketUDP(h *socketHost, conn *net.UDPConn) *socketUDP {
	// Best effort: a refusal leaves the kernel's default.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	c := &socketUDP{
		host: h, up: h.link.up, down: h.link.down, conn: conn, blocked: h.firewall.blocksUDP,
		idle: make(chan struct{}, 1), closed: make(chan struct{}),
		mail: mailbox{ready: make(chan struct{}, 1)},
	}
	c.raw = c
	c.refs.Store(1)
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		c.v4 = a.AddrPort().Addr().Is4()
	}
	if a, ok := conn.RemoteAddr().(*net.UDPAddr); ok && a != nil {
		c.connected, c.remote = true, a.AddrPort()
		c.header = udpHeader(c.remote.Addr())
	}
	return c
}

func udpHeader(a netip.Addr) int {
	if a.Is4() || a.Is4In6() {
		return udp4Header
	}
	return udp6Header
}

// wireSize is a packet's size on the wire.
func (c *socketUDP) wireSize(payload int, addr netip.AddrPort) int {
	if addr.IsValid() {
		return payload + udpHeader(addr.Addr())
	}
	return payload + c.header
}

// LocalAddr is the kernel's address of the socket.
func (c *socketUDP) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr is nil for a socket that is not connected.
func (c *socketUDP) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// SetReadBuffer sizes the kernel's buffer.
func (c *socketUDP) SetReadBuffer(bytes int) error { return c.conn.SetReadBuffer(bytes) }

// SetWriteBuffer sizes the kernel's buffer.
func (c *socketUDP) SetWriteBuffer(bytes int) error { return c.conn.SetWriteBuffer(bytes) }

// SetDeadline sets both deadlines.
func (c *socketUDP) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetWriteDeadline has writes fail after t. It never reaches the kernel, which would apply it to
// packets that the link still holds.
func (c *socketUDP) SetWriteDeadline(t time.Time) error {
	if isClosed(c.closed) {
		return c.fault("set", net.ErrClosed)
	}
	if t.IsZero() {
		c.writeBy.Store(0)
	} else {
		c.writeBy.Store(t.UnixNano())
	}
	return nil
}

// SetReadDeadline applies to waiting reads too.
func (c *socketUDP) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if isClosed(c.closed) {
		return c.fault("set", net.ErrClosed)
	}
	c.readTime = t
	if c.pumped.Load() {
		c.readBy.set(t)
		return nil
	}
	return c.conn.SetReadDeadline(t)
}

// Close ends waiting calls with net.ErrClosed. Packets that the link still holds leave when they
// are due, and the kernel's socket is closed after the last of them.
func (c *socketUDP) Close() error {
	c.mu.Lock()
	if isClosed(c.closed) {
		c.mu.Unlock()
		return c.fault("close", net.ErrClosed)
	}
	close(c.closed)
	err := c.conn.SetReadDeadline(past())
	c.mu.Unlock()
	c.readBy.stop()
	c.mail.close(c.host.net.pool)
	c.host.forget(c)
	if last := c.release(); last != nil {
		err = last
	}
	return err
}

// acquire keeps the kernel's socket open for one more packet.
func (c *socketUDP) acquire() bool {
	for {
		n := c.refs.Load()
		if n == 0 {
			return false
		}
		if c.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *socketUDP) release() error {
	if c.refs.Add(-1) == 0 {
		return c.conn.Close()
	}
	return nil
}

// fault dresses an error as package net does.
func (c *socketUDP) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
