package rtpstream

import (
	"time"

	"github.com/pion/rtcp"
)

// reportState is what reception reports are made from (RFC 3550 appendix A.3).
type reportState struct {
	base             uint64 // first extended sequence number since the source started
	received         uint64 // before base
	priorExpected    uint64
	priorReceived    uint64
	senderReport     uint32
	senderReportedAt time.Time
}

func (s *reportState) begin(seq uint64, c Counters) {
	s.base = seq
	s.received = arrived(c)
	s.priorExpected, s.priorReceived = 0, 0
}

// arrived counts every packet that came, as RFC 3550 does: duplicates make up for losses.
func arrived(c Counters) uint64 { return c.Received + c.Duplicates + c.Late }

// PushSR takes note of a sender report: its NTP time and when it arrived.
func (r *Receiver) PushSR(ntp uint64, arrival time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.senderReport, r.report.senderReportedAt = Middle(ntp), arrival
}

// Report is the reception report for now (RFC 3550 section 6.4.1). Its fraction lost counts from
// the Report before.
func (r *Receiver) Report(now time.Time) rtcp.ReceptionReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.report
	out := rtcp.ReceptionReport{SSRC: r.ssrc, LastSenderReport: s.senderReport, Jitter: uint32(r.jitter.value)}
	if !s.senderReportedAt.IsZero() {
		out.Delay = uint32(ntpSpan(max(now.Sub(s.senderReportedAt), 0)) >> 16)
	}
	if !r.started {
		return out
	}
	expected, received := r.max-s.base+1, arrived(r.all)-s.received
	out.LastSequenceNumber = uint32(r.max)
	out.TotalLost = uint32(clamp24(int64(expected)-int64(received))) & 0xffffff
	interval := int64(expected - s.priorExpected)
	lost := interval - int64(received-s.priorReceived)
	if interval > 0 && lost > 0 {
		out.FractionLost = uint8(min(lost<<8/interval, 255))
	}
	s.priorExpected, s.priorReceived = expected, received
	return out
}

func clamp24(v int64) int64 { return min(max(v, -1<<23), 1<<23-1) }

// Feedback appends the generic NACK that is due now, if any (RFC 4585 section 6.2.1), and gives
// up what has been missing for too long. What it appends is valid until the next call.
func (r *Receiver) Feedback(now time.Time, buf []rtcp.Packet) []rtcp.Packet {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asking = r.asking[:0]
	kept := r.missing.gaps[:0]
	for _, g := range r.missing.gaps {
		if now.Sub(g.noticed) >= r.c.GiveUp || r.max-g.seq >= seenSize {
			r.abandon(g)
			continue
		}
		if !r.c.NoRepair && g.asks < r.c.Attempts && !now.Before(g.due) {
			r.ask(&g, now)
		}
		kept = append(kept, g)
	}
	r.missing.gaps = kept
	if len(r.asking) == 0 {
		return buf
	}
	r.all.NACKs++
	if r.measured.open && r.measured.last == 0 {
		r.measured.c.NACKs++
	}
	r.nack.SenderSSRC, r.nack.MediaSSRC = r.c.SenderSSRC, r.ssrc
	r.nack.Nacks = appendPairs(r.nack.Nacks[:0], r.asking)
	return append(buf, &r.nack)
}

// ask puts a gap on the list of this round. Each time it waits twice as long for the next, so
// that a path longer than the interval is not flooded.
func (r *Receiver) ask(g *gap, now time.Time) {
	first := g.asks == 0
	r.add(g.seq, func(c *Counters) {
		c.NACKedSeqs++
		if first {
			c.WireLost++
		}
	})
	g.due = now.Add(max(r.c.Interval, r.repair+r.repair/4) << g.asks)
	if first {
		g.asked = now
	}
	g.asks++
	r.asking = append(r.asking, uint16(g.seq))
}

// appendPairs packs ascending sequence numbers into pairs of a number and a mask of the 16 after.
func appendPairs(pairs []rtcp.NackPair, seqs []uint16) []rtcp.NackPair {
	for _, seq := range seqs {
		if n := len(pairs); n > 0 {
			if d := seq - pairs[n-1].PacketID; d >= 1 && d <= 16 {
				pairs[n-1].LostPackets |= 1 << (d - 1)
				continue
			}
		}
		pairs = append(pairs, rtcp.NackPair{PacketID: seq})
	}
	return pairs
}
