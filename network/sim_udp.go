package network

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
	"github.com/pion/transport/v4"
)

// maxPayload is the longest datagram that UDP over IPv4 carries.
const maxPayload = 65507

// simUDP is a UDP socket on the simulated network.
type simUDP struct {
	udpCalls
	origin  origin
	host    *simHost
	network string
	bound   netip.Addr // unset: any of the host's
	port    uint16
	remote  netip.AddrPort // of a connected socket
	writeBy atomic.Int64   // Unix ns; 0: never
	mail    mailbox
	readBy  deadline
	once    sync.Once
	closed  chan struct{}
}

var (
	_ transport.UDPConn = (*simUDP)(nil)
	_ BatchWriter       = (*simUDP)(nil)
)

// openUDP binds a socket.
func (h *simHost) openUDP(network string, u use, at, remote netip.AddrPort) (*simUDP, error) {
	fail := func(err error) (*simUDP, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.UDPAddrFromAddrPort(at), Err: err}
	}
	if !isUDP(network) {
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
	if u == toAny && ip.IsValid() {
		u = toAddress
	}
	port, err := free(h.datagrams, &h.nextUDP[u], at.Port())
	if err != nil {
		return fail(err)
	}
	c := &simUDP{
		host: h, network: network, bound: ip, port: port, remote: remote,
		mail: mailbox{ready: make(chan struct{}, 1)}, closed: make(chan struct{}),
	}
	c.raw = c
	h.datagrams[port] = c
	h.net.open.Add(1)
	return c, nil
}

func (c *simUDP) read(b []byte) (int, netip.AddrPort, error) {
	p, err := c.mail.next(&c.readBy, c.closed)
	if err != nil {
		return 0, netip.AddrPort{}, c.fault("read", err)
	}
	n, addr := copy(b, p.buf), p.addr
	c.host.net.pool.put(p)
	return n, addr, nil
}

func (c *simUDP) write(b []byte, addr netip.AddrPort) (int, error) {
	if isClosed(c.closed) {
		return 0, c.fault("write", net.ErrClosed)
	}
	now := time.Now()
	if by := c.writeBy.Load(); by != 0 && now.UnixNano() >= by {
		return 0, c.fault("write", errTimeout())
	}
	switch {
	case c.remote.IsValid() && addr.IsValid():
		return 0, c.fault("write", net.ErrWriteToConnected)
	case c.remote.IsValid():
		addr = c.remote
	case !addr.IsValid():
		return 0, c.fault("write", syscall.EDESTADDRREQ)
	}
	if addr.Addr().Is4In6() {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	from := c.bound
	if !from.IsValid() {
		from = c.host.own(addr.Addr())
	}
	switch {
	case !from.IsValid() || !sameFamily(from, addr.Addr()) || c.network == "udp4" && !addr.Addr().Is4():
		return 0, c.fault("write", syscall.ENETUNREACH)
	case len(b) > maxPayload:
		return 0, c.fault("write", syscall.EMSGSIZE)
	case addr.Port() == 0:
		return 0, c.fault("write", syscall.EINVAL)
	}
	p := c.host.net.pool.get(len(b))
	copy(p.buf, b)
	p.addr = netip.AddrPortFrom(from, c.port)
	p.dst, p.kind, p.protocol, p.sender, p.origin = addr, kindOf(b), nat.UDP, c.host, &c.origin
	p.to, p.due = (*departure)(c.host), now
	c.host.net.scheduler.add(p)
	return len(b), nil
}

// WriteBatch sends one by one: there is no system to be called.
func (c *simUDP) WriteBatch(packets []Packet) (int, error) {
	return c.writeEach(packets)
}

// takeDatagram puts a datagram into the socket that it is for. Where there is none, its sender is
// told, as ICMP does.
func (h *simHost) takeDatagram(p *datagram) {
	h.mu.Lock()
	c := h.datagrams[p.dst.Port()]
	h.mu.Unlock()
	switch {
	case c == nil || !serves(c.network, c.bound, p.dst.Addr()):
		h.unreachable(p)
		return
	case c.remote.IsValid() && c.remote != p.addr:
	case c.mail.put(p):
		return
	case !isClosed(c.closed):
		h.net.overflows.Add(1)
	}
	h.net.pool.put(p)
}

// unreachable answers a datagram that nobody listens for.
func (h *simHost) unreachable(p *datagram) {
	q := h.net.pool.get(0)
	q.addr, q.dst = p.dst, p.addr
	q.kind, q.protocol, q.sender, q.refusal = kindOther, nat.UDP, h, true
	q.due, q.to = p.due, (*departure)(h)
	h.net.pool.put(p)
	h.net.scheduler.push(q)
}

// takeRefusal tells a connected socket that its peer does not listen; others do not hear of it.
func (h *simHost) takeRefusal(p *datagram) {
	h.mu.Lock()
	c := h.datagrams[p.dst.Port()]
	h.mu.Unlock()
	if c != nil && c.remote == p.addr {
		c.mail.fail(syscall.ECONNREFUSED)
	}
	h.net.pool.put(p)
}

// LocalAddr is the address it is bound to.
func (c *simUDP) LocalAddr() net.Addr {
	ip := c.bound
	switch {
	case !ip.IsValid() && c.remote.IsValid():
		ip = c.host.own(c.remote.Addr())
	case !ip.IsValid():
		ip = unspecified(c.network)
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, c.port))
}

// RemoteAddr is nil for a socket that is not connected.
func (c *simUDP) RemoteAddr() net.Addr {
	if !c.remote.IsValid() {
		return nil
	}
	return net.UDPAddrFromAddrPort(c.remote)
}

// SetDeadline sets both deadlines.
func (c *simUDP) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline applies to waiting reads too.
func (c *simUDP) SetReadDeadline(t time.Time) error {
	if isClosed(c.closed) {
		return c.fault("set", net.ErrClosed)
	}
	c.readBy.set(t)
	return nil
}

// SetWriteDeadline has writes fail after t; none ever waits.
func (c *simUDP) SetWriteDeadline(t time.Time) error {
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

// SetReadBuffer has no effect: a socket holds 1024 datagrams.
func (c *simUDP) SetReadBuffer(int) error { return nil }

// SetWriteBuffer has no effect: what is written leaves at once.
func (c *simUDP) SetWriteBuffer(int) error { return nil }

// Close ends waiting calls with net.ErrClosed. What was written stays on its way.
func (c *simUDP) Close() error {
	err := c.fault("close", net.ErrClosed)
	c.once.Do(func() {
		err = nil
		close(c.closed)
		c.host.mu.Lock()
		delete(c.host.datagrams, c.port)
		c.host.mu.Unlock()
		c.host.net.open.Add(-1)
		c.readBy.stop()
		c.mail.close(c.host.net.pool)
	})
	return err
}

func (c *simUDP) fault(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
