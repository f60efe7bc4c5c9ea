package bots

import (
	"encoding/binary"
	"time"

	"github.com/pion/webrtc/v4"
)

// A data-channel message of the load is a fixed header, padded to the planned size. A ping is
// answered by the peer it names (any peer on a direct channel), so that a message to a whole
// room has one echo.
const (
	dataMagic  = 0x50464443 // "PFDC"
	dataHeader = 26
	dataPing   = 1
	dataPong   = 2
	dataAnyone = ^uint32(0)
	dataBuffer = 1 << 20 // bytes queued on a channel before messages are dropped
)

type dataMessage struct {
	kind         uint8
	from, target uint32
	seq          uint32
	sent         time.Time
}

func (m dataMessage) append(b []byte, size int) []byte {
	b = binary.BigEndian.AppendUint32(b, dataMagic)
	b = append(b, 1, m.kind)
	b = binary.BigEndian.AppendUint32(b, m.from)
	b = binary.BigEndian.AppendUint32(b, m.target)
	b = binary.BigEndian.AppendUint32(b, m.seq)
	b = binary.BigEndian.AppendUint64(b, uint64(m.sent.UnixNano()))
	for len(b) < size {
		b = append(b, 0)
	}
	return b
}

func parseData(b []byte) (dataMessage, bool) {
	if len(b) < dataHeader || binary.BigEndian.Uint32(b) != dataMagic || b[4] != 1 {
		return dataMessage{}, false
	}
	return dataMessage{
		kind: b[5], from: binary.BigEndian.Uint32(b[6:]), target: binary.BigEndian.Uint32(b[10:]),
		seq: binary.BigEndian.Uint32(b[14:]), sent: time.Unix(0, int64(binary.BigEndian.Uint64(b[18:]))),
	}, true
}

func (c *connection) onDataChannel(d *webrtc.DataChannel) { c.useChannel(d) }

func (c *connection) useChannel(d *webrtc.DataChannel) {
	c.mu.Lock()
	c.channel = d
	c.mu.Unlock()
	d.OnOpen(func() { c.s.channelOpen(time.Now()) })
	d.OnMessage(func(m webrtc.DataChannelMessage) { c.onData(d, m.Data, c.s.b.now()) })
}

// channelOpen notes when the stay's first data channel opens: often after the join is complete.
func (s *stay) channelOpen(now time.Time) {
	s.mu.Lock()
	first := !s.dataOpen
	s.dataOpen = true
	s.mu.Unlock()
	if first {
		s.b.tally.dataChannel(s.since(now))
	}
}

func (c *connection) onData(d *webrtc.DataChannel, b []byte, now time.Time) {
	m, ok := parseData(b)
	me := uint32(c.s.b.c.Peer.Index)
	if !ok || m.from == me {
		return
	}
	switch m.kind {
	case dataPing:
		c.s.b.tally.dataArrived(m.from, m.seq)
		if m.target == me || m.target == dataAnyone {
			m.kind, m.from, m.target = dataPong, me, m.from
			c.s.send(d, m.append(nil, dataHeader))
		}
	case dataPong:
		if m.target == me {
			c.s.b.tally.dataRTT(now.Sub(m.sent))
		}
	}
}

// send answers on the channel a conference publishes on, else on the one it came by.
func (s *stay) send(came *webrtc.DataChannel, b []byte) {
	d := came
	if channels := s.sendChannels(); len(channels) > 0 && s.b.c.Peer.Topology == "conference" {
		d = channels[0]
	}
	sendBounded(d, b)
}

// sendBounded drops a message when too much is queued already: a receiver counts it as lost.
func sendBounded(d *webrtc.DataChannel, b []byte) {
	if d.ReadyState() == webrtc.DataChannelStateOpen && d.BufferedAmount() <= dataBuffer {
		_ = d.Send(b) // as for a full queue
	}
}

// sendChannels are the open channels a message to the room goes out on: every peer's in a mesh,
// one towards a conference.
func (s *stay) sendChannels() []*webrtc.DataChannel {
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	var out []*webrtc.DataChannel
	for _, c := range conns {
		c.mu.Lock()
		d := c.channel
		c.mu.Unlock()
		if d == nil || c.isClosed() || d.ReadyState() != webrtc.DataChannelStateOpen {
			continue
		}
		out = append(out, d)
		if s.b.c.Peer.Topology == "conference" {
			break
		}
	}
	return out
}

// sendData sends the planned messages on their grid of times.
func (s *stay) sendData() {
	load, others := s.b.c.Peer.Data, s.b.c.DataPeers
	every := time.Duration(float64(time.Second) / load.Rate)
	buf := make([]byte, 0, max(load.Size, dataHeader))
	m := dataMessage{kind: dataPing, from: uint32(s.b.c.Peer.Index), target: dataAnyone}
	due := time.Now().Add(every)
	t := time.NewTimer(every)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
			m.sent = s.b.now()
			if s.b.c.Peer.Topology == "conference" && len(others) > 0 {
				m.target = others[int(m.seq)%len(others)]
			}
			channels := s.sendChannels()
			for _, d := range channels {
				sendBounded(d, m.append(buf[:0], load.Size))
			}
			if len(channels) > 0 {
				m.seq++ // of a message that was dropped, too: it shows as a gap
			}
		}
		due = due.Add(every)
		t.Reset(time.Until(due))
	}
}
