package bots

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/stun/v3"
)

// An ICE agent of pion's asks its TURN server for a permission to send to a peer and does nothing
// else until the server has answered: it holds back every other check and answers none, for a round
// trip for each address of the peer. Browsers ask and go on (RFC 8656 section 9 does not have them
// wait). The connections in this file make the agent go on, too: they grant a new permission
// themselves as soon as the request has been sent. A request that gets lost is made good by the
// binding of a channel, which follows it, is repeated, and installs a permission as well (section
// 12). Permissions that are asked for again, to keep them, are left to the server.

// turnNet is a host whose sockets towards TURN servers do not wait for permissions. An agent opens
// them, and nothing else, by ListenPacket.
type turnNet struct{ network.Host }

// ListenPacket opens a socket towards a TURN server.
func (n turnNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := n.Host.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &turnPacketConn{PacketConn: c}, nil
}

// turnPacketConn carries TURN in datagrams. Read deadlines are its own.
type turnPacketConn struct {
	net.PacketConn
	grants grants
}

func (c *turnPacketConn) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := c.PacketConn.WriteTo(b, to)
	if err == nil {
		c.grants.sent(b, to, c.PacketConn)
	}
	return n, err
}

func (c *turnPacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		if n, from := c.grants.take(b, c.PacketConn); n > 0 {
			return n, from, nil
		}
		n, from, err := c.PacketConn.ReadFrom(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return n, from, err
	}
}

// turnStreamConn carries TURN over TCP or TLS. Read deadlines are its own, and what is written is
// one message at a time.
type turnStreamConn struct {
	net.Conn
	grants grants
	frames turnFrames // of what was read; the reader's own
}

func (c *turnStreamConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil {
		c.grants.sent(b, c.RemoteAddr(), c.Conn)
	}
	return n, err
}

func (c *turnStreamConn) Read(b []byte) (int, error) {
	for {
		if c.frames.between() {
			if n, _ := c.grants.take(b, c.Conn); n > 0 {
				return n, nil
			}
		}
		n, err := c.Conn.Read(b)
		c.frames.advance(b[:n])
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			// In the middle of a frame the grant waits for the rest of it.
			if err := c.SetReadDeadline(time.Time{}); err != nil {
				return 0, err
			}
			continue
		}
		return n, err
	}
}

// grants are answers to requests for permissions that were given before the server's. It is safe
// for one reader and any number of writers.
type grants struct {
	mu      sync.Mutex
	asked   map[netip.Addr]bool
	answers []grant // not yet read
}

type grant struct {
	message [stunHeader]byte
	from    net.Addr
}

// deadlines is what makes a reader look for a grant.
type deadlines interface{ SetReadDeadline(t time.Time) error }

const (
	stunHeader          = 20 // bytes, RFC 8489 section 5
	createPermission    = 0x0008
	permissionGranted   = 0x0108
	channelDataHeader   = 4
	stunLengthOffset    = 2
	channelDataMultiple = 4 // bytes that channel data on a stream are padded to, RFC 8656 section 12.5
)

// sent looks at a message that went to the server, and grants what it asks for if that is a
// permission for an address that none was asked for before.
func (g *grants) sent(b []byte, server net.Addr, reader deadlines) {
	if len(b) < stunHeader || binary.BigEndian.Uint16(b) != createPermission {
		return
	}
	m := &stun.Message{Raw: b}
	var peer stun.XORMappedAddress
	if m.Decode() != nil || peer.GetFromAs(m, stun.AttrXORPeerAddress) != nil {
		return
	}
	addr, ok := netip.AddrFromSlice(peer.IP)
	if !ok {
		return
	}
	answer := grant{from: server}
	copy(answer.message[:], b[:stunHeader]) // the cookie and the transaction are the request's
	binary.BigEndian.PutUint16(answer.message[:], permissionGranted)
	binary.BigEndian.PutUint16(answer.message[stunLengthOffset:], 0)

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asked[addr.Unmap()] {
		return
	}
	if g.asked == nil {
		g.asked = map[netip.Addr]bool{}
	}
	g.asked[addr.Unmap()] = true
	g.answers = append(g.answers, answer)
	_ = reader.SetReadDeadline(time.Unix(1, 0)) // a closed connection has no reader to wake
}

// take returns a grant for the reader, with n 0 if there is none.
func (g *grants) take(b []byte, reader deadlines) (n int, from net.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.answers) == 0 {
		return 0, nil
	}
	first := g.answers[0]
	g.answers = g.answers[1:]
	if len(g.answers) == 0 {
		_ = reader.SetReadDeadline(time.Time{}) // the next read tells what is wrong with it
	}
	return copy(b, first.message[:]), first.from
}

// turnFrames follows the frames of a stream from a TURN server (RFC 8656 section 12.5).
type turnFrames struct {
	left   int // bytes of the frame that are still to come, once its header is known
	header []byte
}

// between tells whether the next byte is a frame's first.
func (f *turnFrames) between() bool { return f.left == 0 && len(f.header) == 0 }

func (f *turnFrames) advance(b []byte) {
	for len(b) > 0 {
		if f.left > 0 {
			n := min(f.left, len(b))
			f.left -= n
			b = b[n:]
			continue
		}
		n := min(channelDataHeader-len(f.header), len(b))
		f.header = append(f.header, b[:n]...)
		b = b[n:]
		if len(f.header) < channelDataHeader {
			return
		}
		length := int(binary.BigEndian.Uint16(f.header[stunLengthOffset:]))
		if f.header[0]>>6 == 0 { // a STUN message
			f.left = stunHeader - channelDataHeader + length
		} else {
			f.left = (length + channelDataMultiple - 1) / channelDataMultiple * channelDataMultiple
		}
		f.header = f.header[:0]
	}
}
