package sfu

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/transport/v4"
)

// batchSize is the most packets that leave in one call.
const batchSize = 64

// maxDatagram is the largest packet that is collected; larger ones leave at once.
const maxDatagram = 1500

// socket is the SFU's one UDP socket. While somebody holds it, RTP packets are collected, and
// they leave together when a holder releases it; everything else, and RTP that nobody holds,
// leaves at once. Batches leave in the order in which they were collected, so that a stream's
// packets are never reordered here. A write error of a collected packet is not known to its
// writer; ICE notices dead paths by its own means.
type socket struct {
	transport.UDPConn
	batcher network.BatchWriter // nil: the host cannot send batches
	quick   addrPortConn        // nil: the host's addresses cost an allocation

	mu      sync.Mutex // guards what follows
	holders int
	open    *batch
	spare   []*batch
	tickets uint64

	turn    sync.Mutex // guards what follows; never taken while mu is held
	moved   *sync.Cond // signalled when serving has changed
	serving uint64

	closed           atomic.Bool
	abandoned        chan struct{} // the reader has seen the end
	abandon          sync.Once
	batches, batched atomic.Uint64
}

// addrPortConn is what ICE takes to read and write without allocating addresses.
type addrPortConn interface {
	ReadFromAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error)
}

// batch is a list of packets with buffers of its own.
type batch struct {
	packets []network.Packet // the first n are in use
	n       int
	buffers [][maxDatagram]byte
	addrs   []net.UDPAddr
	ticket  uint64
}

func newBatch() *batch {
	b := &batch{
		packets: make([]network.Packet, batchSize), buffers: make([][maxDatagram]byte, batchSize),
		addrs: make([]net.UDPAddr, batchSize),
	}
	for i := range b.packets {
		b.packets[i].Addr = &b.addrs[i]
	}
	return b
}

func newSocket(c transport.UDPConn) *socket {
	s := &socket{UDPConn: c, open: newBatch(), abandoned: make(chan struct{})}
	s.batcher, _ = c.(network.BatchWriter) // optional, like the next
	s.quick, _ = c.(addrPortConn)
	s.moved = sync.NewCond(&s.turn)
	return s
}

// WriteTo collects a packet if it is RTP and somebody holds the socket, and sends it otherwise.
func (s *socket) WriteTo(p []byte, addr net.Addr) (int, error) {
	to, ok := addr.(*net.UDPAddr)
	if !ok || !s.collect(p, to.AddrPort()) {
		return s.UDPConn.WriteTo(p, addr)
	}
	return len(p), nil
}

// WriteToAddrPort is WriteTo for an address that costs no allocation.
func (s *socket) WriteToAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	if s.collect(p, addr) {
		return len(p), nil
	}
	if s.quick != nil {
		return s.quick.WriteToAddrPort(p, addr)
	}
	return s.UDPConn.WriteTo(p, net.UDPAddrFromAddrPort(addr))
}

// isRTP tells RTP from STUN, DTLS and RTCP (RFC 7983, RFC 5761 section 4).
func isRTP(p []byte) bool {
	return len(p) >= 12 && p[0]>>6 == 2 && (p[1] < 192 || p[1] > 223)
}

func (s *socket) collect(p []byte, to netip.AddrPort) bool {
	if !isRTP(p) || len(p) > maxDatagram {
		return false
	}
	s.mu.Lock()
	if s.holders == 0 {
		s.mu.Unlock()
		return false
	}
	b := s.open
	i := b.n
	b.n++
	b.packets[i].Data = b.buffers[i][:copy(b.buffers[i][:], p)]
	setAddr(&b.addrs[i], to)
	var full *batch
	if b.n == batchSize {
		full = s.takeLocked()
	}
	s.mu.Unlock()
	s.send(full)
	return true
}

// hold begins a fan-out.
func (s *socket) hold() {
	s.mu.Lock()
	s.holders++
	s.mu.Unlock()
}

// release ends a fan-out: what has been collected leaves, whoever wrote it.
func (s *socket) release() {
	s.mu.Lock()
	s.holders--
	b := s.takeLocked()
	s.mu.Unlock()
	s.send(b)
}

// takeLocked takes what has been collected, with the number of its turn; nil if that is nothing.
func (s *socket) takeLocked() *batch {
	b := s.open
	if b.n == 0 {
		return nil
	}
	b.ticket = s.tickets
	s.tickets++
	if n := len(s.spare); n > 0 {
		s.open, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		s.open = newBatch()
	}
	return b
}

// send sends a batch when its turn has come.
func (s *socket) send(b *batch) {
	if b == nil {
		return
	}
	s.turn.Lock()
	for s.serving != b.ticket {
		s.moved.Wait()
	}
	s.turn.Unlock()
	s.sendAll(b.packets[:b.n])
	s.batches.Add(1)
	s.batched.Add(uint64(b.n))
	b.n = 0
	s.turn.Lock()
	s.serving++
	s.moved.Broadcast()
	s.turn.Unlock()

	s.mu.Lock()
	s.spare = append(s.spare, b)
	s.mu.Unlock()
}

func (s *socket) sendAll(packets []network.Packet) {
	if s.batcher != nil {
		for len(packets) > 0 {
			n, err := s.batcher.WriteBatch(packets)
			if err == nil || n >= len(packets) {
				return
			}
			packets = packets[n+1:] // one refused packet keeps no other back
		}
		return
	}
	for _, p := range packets {
		_, _ = s.UDPConn.WriteTo(p.Data, p.Addr) // as if lost on the way
	}
}

// setAddr fills an address whose buffer is reused.
func setAddr(a *net.UDPAddr, to netip.AddrPort) {
	ip := to.Addr().Unmap()
	if ip.Is4() {
		raw := ip.As4()
		a.IP = append(a.IP[:0], raw[:]...)
	} else {
		raw := ip.As16()
		a.IP = append(a.IP[:0], raw[:]...)
	}
	a.Port, a.Zone = int(to.Port()), ip.Zone()
}

// ReadFrom reads the next datagram.
func (s *socket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, addr, err := s.UDPConn.ReadFrom(p)
	s.noteRead()
	return n, addr, err
}

// ReadFromAddrPort reads the next datagram without allocating its sender's address.
func (s *socket) ReadFromAddrPort(p []byte) (int, netip.AddrPort, error) {
	defer s.noteRead()
	if s.quick != nil {
		return s.quick.ReadFromAddrPort(p)
	}
	n, addr, err := s.UDPConn.ReadFrom(p)
	if from, ok := addr.(*net.UDPAddr); ok {
		return n, from.AddrPort(), err
	}
	return n, netip.AddrPort{}, err
}

func (s *socket) noteRead() {
	if s.closed.Load() {
		s.abandon.Do(func() { close(s.abandoned) })
	}
}

// Close closes the socket; a read that waits returns.
func (s *socket) Close() error {
	s.closed.Store(true)
	return s.UDPConn.Close()
}

// wait waits, after Close, until the reader has noticed it.
func (s *socket) wait() {
	bound := time.NewTimer(time.Second)
	defer bound.Stop()
	select {
	case <-s.abandoned:
	case <-bound.C: // the reader gave up on its own just before
	}
}
