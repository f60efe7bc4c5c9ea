// Package sfu is media forwarding between the members of a room: each publishes over one
// connection and receives everybody else over another. It knows no signaling.
package sfu

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// Config is what an SFU is given. Only Host is required.
type Config struct {
	Host network.Host
	// ListenAddr is the IPv4 address and UDP port that carry everything; an unspecified address
	// stands for all of the host's. Empty: a free port on the host's loopback address or, if it
	// has none, on its first address.
	ListenAddr string
	// PublicIPs replace the host's own addresses in candidates, for a server behind a 1:1 NAT.
	PublicIPs []string
	// Certificate identifies the SFU in DTLS. nil: a new one.
	Certificate *webrtc.Certificate
	// DisconnectedTimeout and FailedTimeout are how long a connection may be silent before ICE
	// calls it disconnected, and after that before it is given up. Default 5 s and 20 s.
	DisconnectedTimeout, FailedTimeout time.Duration
	// AnswerTimeout is how long a viewer may leave an offer unanswered. Default 10 s.
	AnswerTimeout time.Duration
	ICEGap        time.Duration // see rtpstream.NewCandidates
	Logger        *slog.Logger  // nil: discard
}

func (c Config) withDefaults() Config {
	if c.DisconnectedTimeout <= 0 {
		c.DisconnectedTimeout = 5 * time.Second
	}
	if c.FailedTimeout <= 0 {
		c.FailedTimeout = 20 * time.Second
	}
	if c.AnswerTimeout <= 0 {
		c.AnswerTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// closePause keeps a connection's closing apart from what made it close. pion's data-channel
// transport holds a lock while it waits for its last packet to leave, which stops virtual time if
// the far end's last packet comes at that very instant.
const closePause = 3*time.Millisecond + 137*time.Microsecond

// socketBuffer is the kernel's buffer for each direction of the media socket, in bytes.
const socketBuffer = 4 << 20

// Reasons why a publication or a viewing is refused or ends by itself.
var (
	ErrClosed         = errors.New("the conference is closed")
	ErrStreamTaken    = errors.New("a stream of that name is being published")
	ErrUnanswered     = errors.New("offer was not answered in time")
	ErrConnectionLost = errors.New("media connection failed")
)

// SFU forwards media between the members of rooms, all of it over one UDP port. It implements
// signaling.Conference and is safe for concurrent use.
type SFU struct {
	c           Config
	certificate webrtc.Certificate
	socket      *socket
	mux         *ice.UDPMuxDefault
	api         *webrtc.API

	mu      sync.Mutex // guards what follows
	rooms   map[string]*room
	members map[io.Closer]struct{}
	closed  bool
	retired Stats // what streams that have ended had counted

	keyframeRequests atomic.Uint64
	relayed, dropped atomic.Uint64
}

var _ signaling.Conference = (*SFU)(nil)

// New opens the SFU's socket on the host. Close releases it.
func New(c Config) (*SFU, error) {
	if c.Host == nil {
		return nil, errors.New("sfu: no host given")
	}
	c = c.withDefaults()
	s := &SFU{c: c, rooms: map[string]*room{}, members: map[io.Closer]struct{}{}}
	if err := s.identify(); err != nil {
		return nil, err
	}
	addr, err := listenAddr(c)
	if err != nil {
		return nil, err
	}
	conn, err := c.Host.ListenUDP("udp4", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for media on %s: %w", addr, err)
	}
	// As much as the kernel allows: a fan-out to hundreds of viewers is one burst.
	for _, grow := range []func(int) error{conn.SetReadBuffer, conn.SetWriteBuffer} {
		if err := grow(socketBuffer); err != nil {
			c.Logger.Debug("socket buffer not set", "error", err)
		}
	}
	s.socket = newSocket(conn)
	s.mux = ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: s.socket, Net: c.Host, Logger: silent().NewLogger("ice")})
	if s.api, err = s.newAPI(); err != nil {
		return nil, errors.Join(err, s.mux.Close())
	}
	return s, nil
}

func (s *SFU) identify() error {
	if s.c.Certificate != nil {
		s.certificate = *s.c.Certificate
		return nil
	}
	key, certificate, err := identity.DTLS()
	if err != nil {
		return err
	}
	s.certificate = webrtc.CertificateFromX509(key, certificate)
	return nil
}

// listenAddr is the configured address, or one of the host's.
func listenAddr(c Config) (*net.UDPAddr, error) {
	if c.ListenAddr != "" {
		addr, err := c.Host.ResolveUDPAddr("udp", c.ListenAddr)
		if err != nil {
			return nil, fmt.Errorf("media address %q: %w", c.ListenAddr, err)
		}
		if addr.IP == nil {
			addr.IP = net.IPv4zero
		}
		if addr.IP.To4() == nil {
			return nil, fmt.Errorf("media address %q: only IPv4 is supported", c.ListenAddr)
		}
		return addr, nil
	}
	interfaces, err := c.Host.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the host's interfaces: %w", err)
	}
	var first net.IP
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // an interface that went away
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			if !ok || n.IP.To4() == nil {
				continue
			}
			if n.IP.IsLoopback() {
				return &net.UDPAddr{IP: n.IP.To4()}, nil
			}
			if first == nil {
				first = n.IP.To4()
			}
		}
	}
	if first == nil {
		return nil, errors.New("the host has no IPv4 address to listen on")
	}
	return &net.UDPAddr{IP: first}, nil
}

// Addr is the UDP address that carries the media.
func (s *SFU) Addr() *net.UDPAddr {
	addr, _ := s.socket.LocalAddr().(*net.UDPAddr) // what ListenUDP made
	return addr
}

// Publish implements signaling.Conference.
func (s *SFU) Publish(p signaling.Publication) (signaling.Ingress, error) {
	in, err := newIngress(s, p)
	if err != nil {
		return nil, fmt.Errorf("publish %q into room %q: %w", p.Stream, p.Room, err)
	}
	return in, nil
}

// Play implements signaling.Conference.
func (s *SFU) Play(v signaling.Viewing) (signaling.Egress, error) {
	e, err := newEgress(s, v)
	if err != nil {
		return nil, fmt.Errorf("play room %q to %q: %w", v.Room, v.Viewer, err)
	}
	return e, nil
}

// enter registers a member and returns its room, which exists until leave.
func (s *SFU) enter(name string, member io.Closer) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	r := s.rooms[name]
	if r == nil {
		r = newRoom(name)
		s.rooms[name] = r
	}
	r.members++
	s.members[member] = struct{}{}
	return r, nil
}

func (s *SFU) leave(r *room, member io.Closer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.members[member]; !ok {
		return
	}
	delete(s.members, member)
	if in, ok := member.(*ingress); ok {
		in.mu.Lock()
		addStats(&s.retired, in.sources)
		in.mu.Unlock()
	}
	if r.members--; r.members == 0 {
		delete(s.rooms, r.name)
	}
}

// Close implements signaling.Conference. It is idempotent.
func (s *SFU) Close() error {
	s.mu.Lock()
	s.closed = true
	members := make([]io.Closer, 0, len(s.members))
	for m := range s.members {
		members = append(members, m)
	}
	s.mu.Unlock()
	errs := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() { errs[i] = m.Close() })
	}
	wg.Wait()
	errs = append(errs, s.mux.Close())
	s.socket.wait()
	return errors.Join(errs...)
}
