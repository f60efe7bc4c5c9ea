package network

import (
	"net"
	"net/netip"
	"time"
)

// After maxReadFaults errors of the kernel in a row a pump pauses after each.
const (
	maxReadFaults  = 16
	readFaultPause = 10 * time.Millisecond
)

// read is the one way in: every reading method goes through it.
func (c *socketUDP) read(b []byte) (int, netip.AddrPort, error) {
	for !c.pumped.Load() {
		c.direct.Add(1)
		if c.pumped.Load() {
			c.leave()
			break
		}
		n, addr, err := c.conn.ReadFromUDPAddrPort(b)
		pumped := c.pumped.Load()
		c.leave()
		switch {
		case isClosed(c.closed):
			return 0, netip.AddrPort{}, c.fault("read", net.ErrClosed)
		case !pumped && err != nil:
			return n, addr, err
		case c.blocked: // stopped before it reached the link
		case !pumped:
			c.down.count(1, c.wireSize(n, addr))
			return n, addr, nil
		case err == nil: // the link was set while the kernel was being read
			p := c.host.net.pool.get(n)
			copy(p.buf, b[:n])
			p.addr = addr
			c.arrive(p)
		}
	}
	p, err := c.mail.next(&c.readBy, c.closed)
	if err != nil {
		return 0, netip.AddrPort{}, c.fault("read", err)
	}
	n, addr := copy(b, p.buf), p.addr
	c.host.net.pool.put(p)
	return n, addr, nil
}

// leave ends a read in the kernel that is not the pump's.
func (c *socketUDP) leave() {
	if c.direct.Add(-1) == 0 && c.pumped.Load() {
		select {
		case c.idle <- struct{}{}:
		default:
		}
	}
}

// startPump puts the mailbox between the kernel and reads. Reads that wait in the kernel are
// woken and move to the mailbox.
func (c *socketUDP) startPump() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pumped.Load() || isClosed(c.closed) {
		return
	}
	c.readBy.set(c.readTime)
	c.pumped.Store(true)
	if err := c.conn.SetReadDeadline(past()); err != nil {
		c.mail.fail(err)
	}
	c.host.running.Go(c.pump)
}

// pump carries datagrams from the kernel to the link until the socket closes.
func (c *socketUDP) pump() {
	for c.direct.Load() > 0 {
		select {
		case <-c.idle:
		case <-c.closed:
			return
		}
	}
	c.mu.Lock()
	if !isClosed(c.closed) {
		if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
			c.mail.fail(err)
		}
	}
	c.mu.Unlock()
	var long []byte // once a datagram did not fit a small buffer
	for faults := 0; ; {
		p, err := c.fetch(&long)
		switch {
		case isClosed(c.closed):
			if p != nil {
				c.host.net.pool.put(p)
			}
			return
		case err != nil:
			c.mail.fail(err)
			if faults++; faults > maxReadFaults {
				pause(readFaultPause, nil, c.closed)
			}
		case p != nil:
			faults = 0
			c.arrive(p)
		}
	}
}

// fetch reads one datagram of the kernel. The first of a socket that is longer than a small
// buffer is lost, counted as an overflow, and has later ones read into a large one.
func (c *socketUDP) fetch(long *[]byte) (*datagram, error) {
	pool := c.host.net.pool
	if *long != nil {
		n, addr, err := c.conn.ReadFromUDPAddrPort(*long)
		if err != nil {
			return nil, err
		}
		p := pool.get(n)
		copy(p.buf, *long)
		p.addr = addr
		return p, nil
	}
	p := pool.get(smallDatagram)
	n, addr, err := c.conn.ReadFromUDPAddrPort(p.buf)
	if err != nil || n == smallDatagram {
		pool.put(p)
		if err == nil {
			*long = make([]byte, largeDatagram)
			c.host.net.overflows.Add(1)
		}
		return nil, err
	}
	p.buf, p.addr = p.buf[:n], addr
	return p, nil
}

// arrive offers a datagram of the kernel to the link.
func (c *socketUDP) arrive(p *datagram) {
	if c.blocked {
		c.host.net.pool.put(p)
		return
	}
	now := time.Now()
	f := c.down.offer(now, c.wireSize(len(p.buf), p.addr), p.buf, p.addr)
	if f.Copies() == 0 {
		c.host.net.pool.put(p)
		return
	}
	f.Flip(p.buf)
	if f.Copies() == 2 {
		c.host.net.later(c.host.net.copy(p), (*inbound)(c), f.Again)
	}
	if !f.At.After(now) {
		(*inbound)(c).take(p)
		return
	}
	p.account, p.offered = c.down, now
	c.host.net.later(p, (*inbound)(c), f.At)
}

// inbound receives what has crossed the down link.
type inbound socketUDP

func (in *inbound) take(p *datagram) {
	c := (*socketUDP)(in)
	c.down.count(1, c.wireSize(len(p.buf), p.addr))
	if c.mail.put(p) {
		return
	}
	if !isClosed(c.closed) {
		c.host.net.overflows.Add(1)
	}
	in.discard(p)
}

func (in *inbound) discard(p *datagram) { in.host.net.pool.put(p) }
