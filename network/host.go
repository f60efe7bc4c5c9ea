package network

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pion/transport/v4"
)

// dialTimeout bounds dialling without a context.
const dialTimeout = 30 * time.Second

// socketHost is a host on real sockets.
type socketHost struct {
	net      *Sockets
	name     string
	link     *accessLink
	firewall firewall
	running  sync.WaitGroup // pumps and stream carriers
	done     chan struct{}

	mu     sync.Mutex // guards what follows
	opened map[opened]struct{}
	closed bool
}

// opened is anything a host has to close.
type opened interface{ Close() error }

var _ Host = (*socketHost)(nil)

func newSocketHost(s *Sockets, spec HostSpec) *socketHost {
	h := &socketHost{
		net: s, name: spec.Name, firewall: newFirewall(spec.Firewall), done: make(chan struct{}), opened: map[opened]struct{}{},
	}
	h.link = newAccessLink(spec, h.startPumps)
	return h
}

// Link is the host's access link.
func (h *socketHost) Link() Link { return h.link }

// Close closes every socket and waits for the goroutines that served them, at most the time that
// streams are given to send what was written to them. Datagrams that the link still holds leave
// when they are due.
func (h *socketHost) Close() error {
	h.mu.Lock()
	if !h.closed {
		h.closed = true
		close(h.done)
	}
	left := make([]opened, 0, len(h.opened))
	for o := range h.opened {
		left = append(left, o)
	}
	h.mu.Unlock()
	var errs []error
	for _, o := range left {
		if err := o.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	h.running.Wait()
	h.net.forget(h)
	return errors.Join(errs...)
}

// remember takes on what the host has to close; false means that the host is closed.
func (h *socketHost) remember(o opened) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.opened[o] = struct{}{}
	h.net.open.Add(1)
	return true
}

func (h *socketHost) forget(o opened) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.opened[o]; ok {
		delete(h.opened, o)
		h.net.open.Add(-1)
	}
}

// startPumps has every UDP socket pass the down link, which has become impaired.
func (h *socketHost) startPumps() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for o := range h.opened {
		if c, ok := o.(*socketUDP); ok {
			c.startPump()
		}
	}
}

// adoptUDP puts a socket of the kernel behind the link.
func (h *socketHost) adoptUDP(conn *net.UDPConn) (*socketUDP, error) {
	c := newSocketUDP(h, conn)
	if !h.remember(c) {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	if h.link.down.impaired.Load() { // after remember: a Set in between finds the socket
		c.startPump()
	}
	return c, nil
}

// DialContext opens a signaling stream: see the Host interface. Connecting takes the link's
// round trip. Only TCP networks are known.
func (h *socketHost) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	s, err := h.dial(ctx, &net.Dialer{}, network, addr, false)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Listen accepts signaling streams, which pass this host's link and do not count as traffic.
func (h *socketHost) Listen(network, addr string) (net.Listener, error) {
	l, err := h.listen(context.Background(), &net.ListenConfig{}, network, addr, false)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (h *socketHost) listen(ctx context.Context, c *net.ListenConfig, network, addr string, counted bool) (*streamListener, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	addr, err := h.bindString(network, addr)
	if err != nil {
		return nil, err
	}
	l, err := c.Listen(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	s := &streamListener{host: h, tcp: l.(*net.TCPListener), counted: counted}
	if !h.remember(s) {
		return nil, errors.Join(net.ErrClosed, l.Close())
	}
	return s, nil
}

// streamListener accepts streams behind its host's link.
type streamListener struct {
	host    *socketHost
	tcp     *net.TCPListener
	counted bool
}

var _ transport.TCPListener = (*streamListener)(nil)

// Accept waits for the next stream.
func (l *streamListener) Accept() (net.Conn, error) {
	s, err := l.accept()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// AcceptTCP is Accept with the stream's own type.
func (l *streamListener) AcceptTCP() (transport.TCPConn, error) {
	s, err := l.accept()
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (l *streamListener) accept() (*stream, error) {
	for {
		conn, err := l.tcp.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if !l.host.firewall.onlyTLS {
			return newStream(l.host, conn, l.counted)
		}
		if err := turnAway(conn); err != nil {
			l.host.net.log.Debug("turning a stream away", "host", l.host.name, "error", err)
		}
	}
}

// Addr is where it listens.
func (l *streamListener) Addr() net.Addr { return l.tcp.Addr() }

// SetDeadline applies to Accept.
func (l *streamListener) SetDeadline(t time.Time) error { return l.tcp.SetDeadline(t) }

// Close ends Accept; streams stay open.
func (l *streamListener) Close() error {
	l.host.forget(l)
	return l.tcp.Close()
}
