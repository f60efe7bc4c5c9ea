package sfu

import "github.com/peerfleet/peerfleet/rtpstream"

// Stats counts over the SFU's whole life, streams that have ended included; Rooms, Publishers
// and Viewers are those of the moment.
type Stats struct {
	Rooms, Publishers, Viewers int
	Received, Repaired, Lost   uint64 // packets from publishers
	Forwarded, ForwardedBytes  uint64 // packets to viewers, without retransmissions
	Retransmitted              uint64
	NACKs, PLIs                uint64 // from viewers, as RTCP packets; PLIs include FIRs
	KeyframeRequests           uint64 // to publishers
	RelayedMessages            uint64 // data-channel messages, once per viewer reached
	DroppedMessages            uint64 // for viewers that had no room for them
	Batches, BatchedPackets    uint64 // writes of collected packets
}

// Stats is the account so far.
func (s *SFU) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.retired
	out.Rooms = len(s.rooms)
	for m := range s.members {
		switch m := m.(type) {
		case *ingress:
			out.Publishers++
			m.mu.Lock()
			addStats(&out, m.sources)
			m.mu.Unlock()
		case *egress:
			out.Viewers++
		}
	}
	out.KeyframeRequests = s.keyframeRequests.Load()
	out.RelayedMessages, out.DroppedMessages = s.relayed.Load(), s.dropped.Load()
	out.Batches, out.BatchedPackets = s.socket.batches.Load(), s.socket.batched.Load()
	return out
}

// addStats adds what sources count.
func addStats(to *Stats, sources []*source) {
	for _, s := range sources {
		t := s.track.Stats()
		to.Forwarded += t.Packets
		to.ForwardedBytes += t.Bytes
		to.Retransmitted += t.Retransmitted
		to.NACKs += t.NACKs
		to.PLIs += t.PLIs + t.FIRs
		if r := s.receiver.Load(); r != nil {
			addReceived(to, r.Stats())
		}
	}
}

func addReceived(to *Stats, c rtpstream.Counters) {
	to.Received += c.Received
	to.Lost += c.Lost
	to.Repaired += c.Repaired
}
