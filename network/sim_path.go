package network

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

// mtu is the largest packet of the simulated internet, headers included.
const mtu = 1500

// transit is what the simulated network has to know of a datagram or a segment under way; the
// datagram's addr is where it comes from as the place it has got to sees it.
type transit struct {
	dst      netip.AddrPort
	kind     impair.Kind
	protocol nat.Protocol
	sender   *simHost // whose program sent it
	origin   *origin  // through which socket; nil for what a host answers by itself
	arriving *simHost // whose program is handed it; nil before
	counted  bool     // as media traffic
	refusal  bool     // an ICMP message: nobody listens where dst had sent to
	segment
}

// segment is the head of a stream's segment.
type segment struct {
	from                   *simStream // the end that sent it; nil for a reset
	sequence, acknowledged uint32
	flags                  capture.Flags
}

// origin is a socket or stream as a source of packets. Its port does not tell it from others, since
// which of several goroutines gets the first free port at one instant is chance. The scheduler's
// goroutine ranks it when it first sends, by what it sends.
type origin struct{ rank int }

// rankOrigins ranks the sources that send for the first time.
func rankOrigins(sent []*datagram) {
	var first []*datagram
	for _, p := range sent {
		if p.origin.rank == 0 && !slices.ContainsFunc(first, func(q *datagram) bool { return q.origin == p.origin }) {
			first = append(first, p)
		}
	}
	slices.SortStableFunc(first, func(a, b *datagram) int {
		return cmp.Or(a.dst.Compare(b.dst), cmp.Compare(a.kind, b.kind), bytes.Compare(a.head(), b.head()), cmp.Compare(len(a.buf), len(b.buf)), a.addr.Compare(b.addr))
	})
	for _, p := range first {
		p.sender.ranked++
		p.origin.rank = p.sender.ranked
	}
}

// head is what of a packet is the same each time: of STUN the type and the length.
func (p *datagram) head() []byte { return p.buf[:min(len(p.buf), 4)] }

// canonical orders what was sent at one instant: by host, by socket, then by what it is, as STUN
// before DTLS before RTCP before RTP. Within that the order of sending stands.
func canonical(a, b *datagram) int {
	if c := cmp.Or(
		cmp.Compare(a.sender.index, b.sender.index), cmp.Compare(a.origin.rank, b.origin.rank),
		a.dst.Compare(b.dst), cmp.Compare(a.kind, b.kind),
	); c != 0 {
		return c
	}
	switch {
	case a.kind == kindSTUN:
		return cmp.Compare(stunTurn(a.buf), stunTurn(b.buf))
	case a.kind == kindRTCP && len(a.buf) > 1 && len(b.buf) > 1:
		return cmp.Or(cmp.Compare(a.buf[1], b.buf[1]), cmp.Compare(len(a.buf), len(b.buf)))
	case a.kind >= kindRTP:
		return cmp.Compare(rtpTimestamp(a.buf), rtpTimestamp(b.buf))
	}
	return 0
}

// rtpTimestamp puts repairs in order: a request for those of several streams reaches as many goroutines.
func rtpTimestamp(b []byte) uint32 {
	b = relayed(b)
	if len(b) < 12 {
		return 0
	}
	return binary.BigEndian.Uint32(b[4:])
}

// The places that a packet passes are receivers of the scheduler, which alone calls them. The time
// of what they do is the packet's own, so that on the wall clock the goroutine's lateness does not
// add up along the way.
type (
	departure simHost // the sender's network card: the link upwards begins here
	border    simHost // the end of the link upwards: firewall and NATs
	doorstep  simHost // the end of the link downwards: the receiver's sockets
)

func (d *departure) discard(p *datagram) { d.net.pool.put(p) }
func (b *border) discard(p *datagram)    { b.net.pool.put(p) }
func (d *doorstep) discard(p *datagram)  { d.net.pool.put(p) }

// take sends a packet up its host's link.
func (d *departure) take(p *datagram) {
	h := (*simHost)(d)
	up := h.link.up
	if p.protocol == nat.TCP {
		at, ok := up.segmentOf(p.due, len(p.buf)+tcpHeader, p.dst)
		if !ok {
			p.due = later(at, p.due.Add(time.Microsecond))
			h.net.scheduler.push(p)
			return
		}
		if p.counted {
			up.count(1, len(p.buf)+tcpHeader)
		}
		h.see(p, capture.Sent, capture.Delivered)
		h.net.pass(p, at, (*border)(h))
		return
	}
	packets, size := wire(p)
	if !p.refusal {
		up.count(packets, size)
	}
	h.net.cross(p, up, size, p.dst, h, capture.Sent, (*border)(h))
}

// take lets a packet out through the firewall and the NATs, and on to the receiver's link.
func (b *border) take(p *datagram) {
	h := (*simHost)(b)
	p.account = nil
	if !h.lets(p) {
		h.net.refuse(p)
		return
	}
	to, ok := h.net.route(h, p)
	if !ok {
		h.net.sightings.note(p, h, nil, capture.Unreachable)
		h.net.pool.put(p)
		return
	}
	if !to.admits(p) {
		h.net.turnAway(p)
		return
	}
	if p.protocol == nat.TCP {
		(*threshold)(to).take(p)
		return
	}
	p.arriving = to
	_, size := wire(p)
	h.net.cross(p, to.link.down, size, p.addr, nil, capture.Received, (*doorstep)(to))
}

// threshold is where a segment begins its way down, and comes again while there is no room.
type threshold simHost

func (t *threshold) discard(p *datagram) { t.net.pool.put(p) }

func (t *threshold) take(p *datagram) {
	h := (*simHost)(t)
	at, ok := h.link.down.segmentOf(p.due, len(p.buf)+tcpHeader, p.addr)
	if !ok {
		p.due, p.to = later(at, p.due.Add(time.Microsecond)), t
		h.net.scheduler.push(p)
		return
	}
	p.arriving = h
	h.net.pass(p, at, (*doorstep)(h))
}

// take hands a packet to the program.
func (d *doorstep) take(p *datagram) {
	h := (*simHost)(d)
	p.account = nil
	h.see(p, capture.Received, capture.Delivered)
	switch {
	case p.protocol == nat.TCP:
		if p.counted {
			h.link.down.count(1, len(p.buf)+tcpHeader)
		}
		h.takeSegment(p)
	case p.refusal:
		h.takeRefusal(p)
	default:
		h.link.down.count(wire(p))
		h.takeDatagram(p)
	}
}

// cross takes a datagram through one direction of a link.
func (s *Simulated) cross(p *datagram, d *direction, size int, far netip.AddrPort, by *simHost, way capture.Direction, next receiver) {
	now := p.due
	if !d.impaired.Load() {
		if by != nil {
			by.see(p, way, capture.Delivered)
		}
		s.pass(p, now, next)
		return
	}
	f := d.offer(now, size, p.buf, far)
	if by != nil {
		by.see(p, way, fateOf(f.Drop))
	}
	if f.Copies() == 0 {
		s.sightings.note(p, by, nil, fateOf(f.Drop))
		s.pool.put(p)
		return
	}
	f.Flip(p.buf)
	if f.Copies() == 2 {
		q := s.pool.get(len(p.buf))
		copy(q.buf, p.buf)
		q.addr, q.transit = p.addr, p.transit
		s.pass(q, f.Again, next)
	}
	if f.At.After(now) {
		p.account, p.offered = d, now
	}
	s.pass(p, f.At, next)
}

// pass has a packet be at the next place at a time. The scheduler's goroutine calls it, so what is
// there at once is taken at once, except by a program: programs get theirs one by one.
func (s *Simulated) pass(p *datagram, at time.Time, next receiver) {
	now := p.due
	p.due, p.to = at, next
	if p.arriving == nil && !at.After(now) {
		next.take(p)
		return
	}
	s.scheduler.push(p)
}

func fateOf(d impair.Drop) capture.Fate {
	switch {
	case d == impair.Delivered:
		return capture.Delivered
	case d.Queued():
		return capture.QueueFull
	}
	return capture.Lost
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// wire is how many packets a datagram is sent in, and their size with all headers. What is longer than
// the MTU goes in fragments of a multiple of 8 bytes (RFC 791, RFC 8200 section 4.5).
func wire(p *datagram) (packets, size int) {
	ip, room := 20, (mtu-20)&^7
	if !p.dst.Addr().Is4() {
		ip, room = 40, (mtu-48)&^7
	}
	n := len(p.buf) + 8
	if ip+n <= mtu {
		return 1, ip + n
	}
	if ip == 40 {
		ip = 48 // with the fragment header
	}
	packets = (n + room - 1) / room
	return packets, n + packets*ip
}
