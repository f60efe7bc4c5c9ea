package network

import (
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/nat"
)

// lets asks the sender's firewall.
func (h *simHost) lets(p *datagram) bool {
	f := h.firewall
	if p.refusal || f == nat.Open {
		return true
	}
	if p.protocol == nat.TCP && p.flags&(capture.SYN|capture.RST) == 0 {
		return !f.Inspects() || h.speaksTLS(p)
	}
	return f.Permits(p.protocol, p.dst)
}

// admits asks the receiver's firewall: it lets in what answers to what it let out, and streams from
// outside unless it lets out nothing but TLS, as on sockets.
func (h *simHost) admits(p *datagram) bool {
	f := h.firewall
	switch {
	case f == nat.Open:
		return true
	case p.protocol == nat.UDP:
		return f.Permits(nat.UDP, p.dst)
	}
	opens := p.flags&capture.SYN != 0 && p.flags&capture.ACK == 0
	return !opens || !f.Inspects()
}

// refuse ends a packet at its sender's firewall: datagrams vanish, streams are reset at both ends,
// so that whoever dials knows at once.
func (s *Simulated) refuse(p *datagram) {
	h := p.sender
	h.noteBlocked(p)
	if p.protocol == nat.TCP && p.flags&capture.SYN == 0 && p.flags&capture.RST == 0 {
		q := s.pool.get(0)
		q.addr, q.dst, q.due = p.addr, p.dst, p.due
		q.kind, q.protocol, q.sender, q.flags = kindStream, nat.TCP, h, capture.RST
		if to, ok := s.route(h, q); ok {
			(*threshold)(to).take(q)
		} else {
			s.pool.put(q)
		}
	}
	s.turnAway(p)
}

// turnAway ends a packet at a firewall: a stream's sender is answered with a reset.
func (s *Simulated) turnAway(p *datagram) {
	h := p.sender
	if p.protocol != nat.TCP || p.flags&capture.RST != 0 || p.from == nil {
		s.pool.put(p)
		return
	}
	// As the sender knows the two ends, whatever NATs have made of them on the way here.
	p.addr, p.dst = p.from.remote, p.from.local
	p.acknowledged, p.sequence, p.flags = p.sequence+uint32(len(p.buf))+1, 0, capture.RST|capture.ACK
	p.buf, p.counted = p.buf[:0], false
	(*threshold)(h).take(p)
}

// speaksTLS lets a segment pass unless it shows that its stream is not TLS.
func (h *simHost) speaksTLS(p *datagram) bool {
	c := p.from
	if len(p.buf) == 0 || c == nil {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.passed {
		return true
	}
	is, known := nat.TLS(c.first)
	c.passed = is
	return is || !known
}
