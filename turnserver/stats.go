package turnserver

// Flow counts packets and bytes in one direction.
type Flow struct{ Packets, Bytes uint64 }

func (f *Flow) add(o Flow) {
	f.Packets += o.Packets
	f.Bytes += o.Bytes
}

// onWire adds the IP and UDP headers of the packets.
func (f Flow) onWire(header uint64) Flow { return Flow{f.Packets, f.Bytes + f.Packets*header} }

// Refused counts what the server did not do, by reason.
type Refused struct {
	Credentials uint64 // requests with an unknown user, a wrong password or an expired credential
	Quota       uint64 // allocations over a user's quota or the total
	Peers       uint64 // permissions and channels for a special-purpose address
	OwnSockets  uint64 // packets addressed to the server itself
	Unpermitted uint64 // packets from peers without a permission
	Answers     uint64 // unauthenticated answers over a source's rate
	Streams     uint64 // TCP and TLS connections over the bound, or not speaking TURN
}

// Stats is what a server did so far.
type Stats struct {
	Allocations      int    // now
	AllocationsTotal uint64 // ever
	Refused          Refused

	// ToPeers and ToClients count what was relayed: the payload, without any framing.
	ToPeers, ToClients Flow
	// ClientIn and ClientOut count the sockets clients use, RelayIn and RelayOut those peers see,
	// in bytes on the wire: IP and UDP or TCP headers included. A message over TCP or TLS counts
	// as one packet, the record that holds it included; handshakes do not count.
	ClientIn, ClientOut, RelayIn, RelayOut Flow
}

// WireBytes is everything the server sent and received, headers included.
func (s Stats) WireBytes() uint64 {
	return s.ClientIn.Bytes + s.ClientOut.Bytes + s.RelayIn.Bytes + s.RelayOut.Bytes
}

// Stats reads the counters. It may be called after Close.
func (s *Server) Stats() Stats {
	flows, g := s.relays.flows(), s.guard
	header := wireHeader(s.relays.bind, udpHeader)
	st := Stats{
		ToPeers: flows.out, ToClients: g.relayed.load(),
		ClientIn: g.in.load(), ClientOut: g.out.load(),
		RelayIn: flows.in.onWire(header), RelayOut: flows.out.onWire(header),
		Refused: Refused{
			Credentials: s.keys.refused.Load(),
			Peers:       s.peers.refused.Load(),
			OwnSockets:  flows.own,
			Answers:     g.limited.Load(),
			Streams:     g.refusedStreams.Load(),
		},
	}
	// Packets on their way through the server at this moment count as neither.
	st.Refused.Unpermitted = flows.in.Packets - min(flows.in.Packets, st.ToClients.Packets)
	s.quota.mu.Lock()
	defer s.quota.mu.Unlock()
	st.Allocations = s.quota.now - len(s.quota.reserved)
	st.AllocationsTotal = s.quota.made
	st.Refused.Quota = s.quota.refused
	return st
}
