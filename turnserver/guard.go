package turnserver

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4"
)

// guard stands between clients and pion/turn: every byte of theirs passes it, both ways. It
// counts, holds back unauthenticated answers, keeps streams in bounds, and is where requests are
// looked at before pion/turn sees them.
type guard struct {
	log     *slog.Logger
	answers *limiter
	running *sync.WaitGroup // holds one for the read loop of packets and for every listener

	in, out, relayed        counter
	limited, refusedStreams atomic.Uint64

	maxStreams  int
	streamLoops sync.WaitGroup // holds one for the read loop of every stream
	mu          sync.Mutex     // guards what follows
	accepted    map[*guardedStream]struct{}
	closed      bool
}

func newGuard(cfg Config, seed uint64, running *sync.WaitGroup) *guard {
	return &guard{
		log: cfg.Logger, answers: newLimiter(cfg.AnswerRate, seed), running: running,
		maxStreams: 2*cfg.TotalQuota + 64, accepted: map[*guardedStream]struct{}{},
	}
}

// counter counts a flow while others read it.
type counter struct{ packets, bytes atomic.Uint64 }

func (c *counter) add(bytes uint64) {
	c.packets.Add(1)
	c.bytes.Add(bytes)
}

// remove takes back a packet that could not be sent.
func (c *counter) remove(bytes uint64) {
	c.packets.Add(^uint64(0))
	c.bytes.Add(-bytes)
}

func (c *counter) load() Flow { return Flow{c.packets.Load(), c.bytes.Load()} }

// Bytes of transport headers. TCP segments of a busy connection carry timestamps (RFC 7323), TLS
// records their type and a tag (RFC 8446 section 5.2).
const (
	udpHeader = 8
	tcpHeader = 20 + 12
	tlsHeader = tcpHeader + 5 + 1 + 16
)

// wireHeader is the bytes in front of a payload on the wire.
func wireHeader(ip netip.Addr, transportHeader uint64) uint64 {
	if ip.Unmap().Is4() {
		return 20 + transportHeader
	}
	return 40 + transportHeader
}

// sending counts one message to a client, before it is sent: whoever has received it finds it
// counted.
func (g *guard) sending(p []byte, header uint64) {
	g.out.add(uint64(len(p)) + header)
	if n, ok := relayedPayload(p); ok {
		g.relayed.add(uint64(n))
	}
}

// unsent takes back what sending counted.
func (g *guard) unsent(p []byte, header uint64) {
	g.out.remove(uint64(len(p)) + header)
	if n, ok := relayedPayload(p); ok {
		g.relayed.remove(uint64(n))
	}
}

// packets guards the UDP socket that all clients share.
func (g *guard) packets(c transport.UDPConn) net.PacketConn {
	g.running.Add(1)
	return &guardedPackets{UDPConn: c, guard: g, header: wireHeader(addrPort(c.LocalAddr()).Addr(), udpHeader)}
}

// guardedPackets is the UDP side of the guard.
type guardedPackets struct {
	transport.UDPConn
	guard  *guard
	header uint64
	left   sync.Once
	shut   sync.Once
	err    error
}

// ReadFrom hands a client's message to pion/turn, whose read loop ends at the first error.
func (c *guardedPackets) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := readPacket(c.UDPConn, p)
	if err != nil {
		c.left.Do(c.guard.running.Done)
		return n, from, err
	}
	c.guard.in.add(uint64(n) + c.header)
	return n, from, nil
}

// WriteTo sends a message of pion/turn to a client. An answer over the source's rate is dropped
// as if the network had lost it: a forged source must not receive more than it could ask for
// itself.
func (c *guardedPackets) WriteTo(p []byte, to net.Addr) (int, error) {
	if unsignedError(p) && !c.guard.answers.take(time.Now(), addrPort(to)) {
		c.guard.limited.Add(1)
		return len(p), nil
	}
	c.guard.sending(p, c.header)
	n, err := c.UDPConn.WriteTo(p, to)
	if err != nil {
		c.guard.unsent(p, c.header)
	}
	return n, err
}

// Close closes the socket. It is idempotent.
func (c *guardedPackets) Close() error {
	c.shut.Do(func() { c.err = unlessClosed(c.UDPConn.Close()) })
	return c.err
}
