package turnserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/transport/v4"
)

// relays opens the relayed addresses of allocations on the host, and keeps account of them.
type relays struct {
	host     network.Host
	bind     netip.Addr
	public   netip.Addr
	sockets  sockets
	min, max uint16

	mu     sync.Mutex // guards what follows
	next   uint16     // port tried first
	live   map[*relay]struct{}
	past   relayFlows // of relays that are closed
	closed bool
}

// relayFlows counts what crossed relayed addresses.
type relayFlows struct {
	out, in Flow // payload, to and from peers
	own     uint64
}

func newRelays(cfg Config, listen netip.Addr, s sockets) *relays {
	r := &relays{
		host: cfg.Host, public: cfg.RelayIP.Unmap(), sockets: s,
		min: cfg.RelayMinPort, max: cfg.RelayMaxPort, live: map[*relay]struct{}{},
	}
	r.bind = bindAddr(listen.Unmap(), r.public)
	if r.min > 0 {
		// Not at the bottom of the range: the first ports of a run would be known to everybody.
		span := uint64(r.max-r.min) + 1
		r.next = r.min + uint16(newKeyring(cfg).seed()%span)
	}
	return r
}

// bindAddr is where relays are bound: where the server listens, if that has the family of the
// address that is handed out.
func bindAddr(listen, public netip.Addr) netip.Addr {
	switch {
	case listen.Is4() == public.Is4():
		return listen
	case listen.IsUnspecified() && public.Is4():
		return netip.IPv4Unspecified()
	case listen.IsUnspecified():
		return netip.IPv6Unspecified()
	default:
		return public
	}
}

// Validate is part of pion/turn's RelayAddressGenerator; newRelays leaves nothing to complain of.
func (r *relays) Validate() error { return nil }

// AllocatePacketConn opens a relayed address. It is called once for each allocation; port is 0
// unless the client asked for an even one. The network's name is ignored, since pion/turn always
// says "udp4".
func (r *relays) AllocatePacketConn(_ string, port int) (net.PacketConn, net.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, nil, net.ErrClosed
	}
	conn, err := r.open(port)
	if err != nil {
		return nil, nil, fmt.Errorf("open relayed address: %w", err)
	}
	c := &relay{UDPConn: conn, owner: r}
	r.live[c] = struct{}{}
	at := netip.AddrPortFrom(r.public, addrPort(conn.LocalAddr()).Port())
	return c, net.UDPAddrFromAddrPort(at), nil
}

// AllocateConn refuses: relays over TCP (RFC 6062) are off.
func (r *relays) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errors.ErrUnsupported
}

func (r *relays) open(port int) (transport.UDPConn, error) {
	if port != 0 || r.min == 0 {
		return r.listen(uint16(port))
	}
	var last error
	for range int(r.max-r.min) + 1 {
		p := r.next
		if r.next++; p == r.max {
			r.next = r.min
		}
		conn, err := r.listen(p)
		if err == nil {
			return conn, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free port in %d-%d: %w", r.min, r.max, last)
}

func (r *relays) listen(port uint16) (transport.UDPConn, error) {
	at := net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.bind, port))
	return r.host.ListenUDP("udp"+family(r.bind), at)
}

// forget takes a closed relay off the list and keeps its counts.
func (r *relays) forget(c *relay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, c)
	c.addTo(&r.past)
}

// flows sums up all relays, closed ones included.
func (r *relays) flows() relayFlows {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.past
	for c := range r.live {
		c.addTo(&sum)
	}
	return sum
}

// refuse opens no further relays.
func (r *relays) refuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// close ends every relay.
func (r *relays) close() error {
	r.mu.Lock()
	open := make([]*relay, 0, len(r.live))
	for c := range r.live {
		open = append(open, c)
	}
	r.mu.Unlock()
	var errs []error
	for _, c := range open {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// relay is the relayed address of one allocation.
type relay struct {
	transport.UDPConn
	owner     *relays
	closeOnce sync.Once
	closeErr  error

	out, in counter
	own     atomic.Uint64
}

// WriteTo sends to a peer. What is addressed to the server itself is dropped: a permission holds
// an address without a port, so only here can a relay on the same address be told from it.
func (c *relay) WriteTo(p []byte, to net.Addr) (int, error) {
	if udp, ok := to.(*net.UDPAddr); ok && c.owner.sockets.own(addrPort(udp), c.owner.public) {
		c.own.Add(1)
		return len(p), nil
	}
	// Counted first: whoever has received the packet finds it counted.
	c.out.add(uint64(len(p)))
	n, err := c.UDPConn.WriteTo(p, to)
	if err != nil {
		c.out.remove(uint64(len(p)))
	}
	return n, err
}

// ReadFrom receives from peers, permitted or not; pion/turn ends the allocation at its first
// error.
func (c *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := readPacket(c.UDPConn, p)
	if err == nil {
		c.in.add(uint64(n))
	}
	return n, from, err
}

// Close is idempotent: a second error would keep pion/turn from closing the other allocations.
func (c *relay) Close() error {
	c.closeOnce.Do(func() {
		c.closeErr = unlessClosed(c.UDPConn.Close())
		c.owner.forget(c)
	})
	return c.closeErr
}

func (c *relay) addTo(f *relayFlows) {
	f.out.add(c.out.load())
	f.in.add(c.in.load())
	f.own += c.own.Load()
}

// unlessClosed passes over the error of closing a socket that the host has closed already.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// readRetries bounds how many errors in a row a socket may have before it is given up.
const readRetries = 16

// readPacket reads a packet and passes over errors that say something about an earlier packet
// (an ICMP answer) and not about the socket.
func readPacket(c net.PacketConn, p []byte) (n int, from net.Addr, err error) {
	for range readRetries {
		n, from, err = c.ReadFrom(p)
		var timeout net.Error
		if err == nil || errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout() {
			return n, from, err
		}
	}
	return n, from, err
}
