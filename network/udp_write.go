package network

import (
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// write is the one way out: every writing method goes through it. The zero address is that of a
// connected socket's peer.
func (c *socketUDP) write(b []byte, addr netip.AddrPort) (int, error) {
	if err := c.writable(); err != nil {
		return 0, err
	}
	if c.v4 && addr.Addr().Is4In6() {
		addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	}
	if c.blocked && addr.IsValid() != c.connected {
		c.up.count(1, c.wireSize(len(b), addr))
		return len(b), nil
	}
	if !c.up.impaired.Load() || !c.deliverable(b, addr) {
		n, err := c.kernel(b, addr)
		if err == nil {
			c.up.count(1, c.wireSize(len(b), addr))
		}
		return n, err
	}
	c.up.count(1, c.wireSize(len(b), addr))
	return c.depart(b, addr)
}

// writable is the error of a write to a closed socket or after the deadline.
func (c *socketUDP) writable() error {
	if isClosed(c.closed) {
		return c.fault("write", net.ErrClosed)
	}
	if by := c.writeBy.Load(); by != 0 && time.Now().UnixNano() >= by {
		return c.fault("write", errTimeout())
	}
	return nil
}

// deliverable is false for what the kernel refuses; it is asked at once, for its error.
func (c *socketUDP) deliverable(b []byte, addr netip.AddrPort) bool {
	return addr.IsValid() != c.connected && len(b) < largeDatagram-udp4Header && (!c.v4 || c.connected || addr.Addr().Is4())
}

func (c *socketUDP) kernel(b []byte, addr netip.AddrPort) (int, error) {
	if addr.IsValid() {
		return c.conn.WriteToUDPAddrPort(b, addr)
	}
	return c.conn.Write(b)
}

// depart offers a packet to the link.
func (c *socketUDP) depart(b []byte, addr netip.AddrPort) (int, error) {
	now := time.Now()
	f := c.up.offer(now, c.wireSize(len(b), addr), b, addr)
	if f.Copies() == 0 {
		return len(b), nil
	}
	if f.Copies() == 1 && !f.Corrupt && !f.At.After(now) {
		n, err := c.kernel(b, addr)
		if err != nil {
			c.up.refuse()
		}
		return n, err
	}
	s := c.host.net
	p := s.pool.get(len(b))
	copy(p.buf, b)
	p.addr = addr
	f.Flip(p.buf)
	if f.Copies() == 2 && c.acquire() {
		s.later(s.copy(p), (*outbound)(c), f.Again)
	}
	if !c.acquire() { // closed meanwhile
		s.pool.put(p)
		if f.At.After(now) {
			c.up.discard()
		} else {
			c.up.refuse()
		}
		return len(b), nil
	}
	p.account, p.offered = c.up, now
	if !f.At.After(now) {
		(*outbound)(c).take(p)
		return len(b), nil
	}
	s.later(p, (*outbound)(c), f.At)
	return len(b), nil
}

// outbound receives what has crossed the up link.
type outbound socketUDP

func (out *outbound) take(p *datagram) {
	if _, err := (*socketUDP)(out).kernel(p.buf, p.addr); err != nil {
		if p.account != nil {
			p.account.refuse()
		}
		out.host.net.log.Debug("packet refused by the kernel", "host", out.host.name, "error", err)
	}
	out.discard(p)
}

func (out *outbound) discard(p *datagram) {
	out.host.net.pool.put(p)
	if err := (*socketUDP)(out).release(); err != nil {
		out.host.net.log.Debug("closing a socket", "host", out.host.name, "error", err)
	}
}

// batch is what one call of the kernel for many packets needs.
type batch struct {
	messages []ipv4.Message
	buffers  [][]byte
}

// WriteBatch sends in one call of the kernel where it can (Linux, perfect up link, no firewall), one
// by one otherwise. It stops at the first error.
func (c *socketUDP) WriteBatch(packets []Packet) (int, error) {
	if err := c.writable(); err != nil {
		return 0, err
	}
	if runtime.GOOS == "linux" && len(packets) > 1 && !c.up.impaired.Load() && !c.blocked {
		return c.kernelBatch(packets)
	}
	return c.writeEach(packets)
}

func (c *socketUDP) kernelBatch(packets []Packet) (sent int, err error) {
	b, _ := c.host.net.batches.Get().(*batch)
	if b == nil {
		b = &batch{}
	}
	if n := len(packets); len(b.messages) < n {
		b.messages, b.buffers = make([]ipv4.Message, n), make([][]byte, n)
	}
	for i := range packets {
		b.buffers[i] = packets[i].Data
		b.messages[i].Buffers, b.messages[i].Addr = b.buffers[i:i+1:i+1], packets[i].Addr
	}
	for sent < len(packets) && err == nil {
		var n int
		n, err = c.sendmmsg(b.messages[sent:len(packets)])
		sent += max(n, 0)
	}
	size := 0
	for i := range packets {
		if i < sent {
			size += len(packets[i].Data) + c.headerTo(packets[i].Addr)
		}
		b.buffers[i], b.messages[i].Addr = nil, nil
	}
	c.up.count(sent, size)
	c.host.net.batches.Put(b)
	return sent, err
}

// batcher is what golang.org/x/net offers for either family.
type batcher interface {
	WriteBatch(messages []ipv4.Message, flags int) (int, error)
}

func (c *socketUDP) sendmmsg(messages []ipv4.Message) (int, error) {
	c.batchOnce.Do(func() {
		if c.v4 {
			c.batcher = ipv4.NewPacketConn(c.conn)
		} else {
			c.batcher = ipv6.NewPacketConn(c.conn)
		}
	})
	return c.batcher.WriteBatch(messages, 0)
}

func (c *socketUDP) headerTo(addr net.Addr) int {
	if udp, ok := addr.(*net.UDPAddr); ok && udp.IP.To4() == nil {
		return udp6Header
	}
	if addr == nil {
		return c.header
	}
	return udp4Header
}
