package scenarios

import (
	"math"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/metrics"
)

// What a packet of media weighs beyond its payload, in bytes: IPv4 and UDP, RTP, the header
// extension that carries the capture time, and the SRTP tag (AES-GCM).
const (
	packetOverhead = 28 + 12 + 12 + 16
	audioPerS      = 50   // one packet every 20 ms
	videoPayload   = 1200 // bytes of a frame in one packet at most
	talking        = 0.43 // share of the time in which somebody with DTX speaks
	silencePerS    = 2.5  // packets of DTX in silence
	connectionMB   = 0.45 // memory of a connection with both its ends
)

// flow is a stream of packets on the wire.
type flow struct {
	bps, packets float64 // per second
	tracks       int
}

func (f flow) plus(o flow) flow {
	return flow{f.bps + o.bps, f.packets + o.packets, f.tracks + o.tracks}
}

func (f flow) times(n float64) flow {
	return flow{f.bps * n, f.packets * n, int(math.Round(float64(f.tracks) * n))}
}

func (f flow) minus(o flow) flow { return f.plus(o.times(-1)) }

// wire is what a stream costs on the wire.
func wire(s media.Stream) flow {
	var f flow
	if a := s.Audio; a != nil {
		pps := float64(audioPerS)
		if a.DTX {
			pps = talking*audioPerS + (1-talking)*silencePerS
		}
		f = f.plus(flow{pps * (float64(a.BitrateBPS)/audioPerS + packetOverhead*8), pps, 1})
	}
	if v := s.Video; v != nil {
		frame := float64(v.BitrateBPS) / 8 / v.FPS
		pps := v.FPS * max(1, math.Ceil(frame/videoPayload))
		f = f.plus(flow{float64(v.BitrateBPS) + pps*packetOverhead*8, pps, 1})
	}
	return f
}

// topologyLoad is what the closed form of a topology says about one room.
type topologyLoad struct {
	up, down            []flow // per member
	serverIn, serverOut flow
	connections         int
}

// loadOf computes the load of a room from what each member publishes and whether it receives. A
// mesh (and p2p, a mesh of two) sends to every receiver, a conference once to the server.
func loadOf(topology string, publishes []flow, receives []bool) topologyLoad {
	l := topologyLoad{up: make([]flow, len(publishes)), down: make([]flow, len(publishes))}
	var all flow
	receivers := 0
	for i, f := range publishes {
		all = all.plus(f)
		if receives[i] {
			receivers++
		}
	}
	for i, f := range publishes {
		if receives[i] {
			l.down[i] = all.minus(f)
		}
		if topology == "conference" {
			l.up[i] = f
			l.serverIn, l.serverOut = l.serverIn.plus(f), l.serverOut.plus(l.down[i])
			continue
		}
		others := receivers
		if receives[i] {
			others--
		}
		l.up[i] = f.times(float64(others))
	}
	if n := len(publishes); topology != "conference" {
		l.connections = n * (n - 1) / 2
	}
	return l
}

// expected is the closed form of the whole cell, of what is published at the join: actions,
// losses, data channels, RTCP and STUN are left out, and so are the legs of a relay.
func (m *model) expected(peers []Peer) metrics.Expected {
	var e metrics.Expected
	type room struct {
		topology  string
		publishes []flow
		receives  []bool
	}
	rooms := map[string]*room{}
	var names []string
	publishers, connections := 0, 0
	for i := range peers {
		p := &peers[i]
		r := rooms[p.Room]
		if r == nil {
			r = &room{topology: p.Topology}
			rooms[p.Room] = r
			names = append(names, p.Room)
		}
		var f flow
		for _, s := range p.Publish {
			f = f.plus(wire(s.Stream))
		}
		if len(p.Publish) > 0 {
			publishers++
			e.StreamBPS += f.bps
		}
		r.publishes, r.receives = append(r.publishes, f), append(r.receives, p.Receive)
		if p.Topology == "conference" {
			connections += len(p.Publish)
			if p.Receive {
				connections++
			}
		}
	}
	if publishers > 0 {
		e.StreamBPS /= float64(publishers)
	}
	for _, name := range names {
		r := rooms[name]
		l := loadOf(r.topology, r.publishes, r.receives)
		e.Participants = max(e.Participants, len(r.publishes))
		connections += l.connections
		e.ServerInBPS += l.serverIn.bps
		e.ServerOutBPS += l.serverOut.bps
		e.PacketsPerS += l.serverOut.packets
		for i := range l.up {
			e.PeerUpBPS += l.up[i].bps
			e.PeerDownBPS += l.down[i].bps
			e.PacketsPerS += l.up[i].packets
			e.Streams += l.down[i].tracks
		}
	}
	if n := float64(len(peers)); n > 0 {
		e.PeerUpBPS, e.PeerDownBPS = e.PeerUpBPS/n, e.PeerDownBPS/n
	}
	e.Sockets = m.sockets(peers, heldEnds(connections, peers))
	e.MemoryBytes = int64(float64(connections) * connectionMB * 1e6)
	return e
}

// heldEnds is how many ends of connections the peers hold: both of a direct one, one of a
// connection to the server.
func heldEnds(connections int, peers []Peer) int {
	server := 0
	for i := range peers {
		if p := &peers[i]; p.Topology == "conference" {
			server += len(p.Publish)
			if p.Receive {
				server++
			}
		}
	}
	return 2*(connections-server) + server
}

// sockets estimates file descriptors: signaling at both ends, the server's media port, and for
// each end of a connection one socket of its own and, with TURN, the legs to it and the relay.
func (m *model) sockets(peers []Peer, ends int) int {
	relay := 0
	for i := range peers {
		if peers[i].RelayOnly {
			relay++
		}
	}
	perEnd := 1.0 - float64(relay)/float64(max(len(peers), 1))
	for _, t := range m.server.TURN.Transports {
		perEnd += 2
		if t != "udp" {
			perEnd++ // the server's accepted end
		}
	}
	perEnd += 2 * float64(len(m.server.TURN.URLs))
	return 2*len(peers) + 1 + int(math.Ceil(perEnd*float64(ends)))
}
