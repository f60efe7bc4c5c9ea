package capture

import (
	"net/netip"
	"time"
)

// Step is one packet or stream message that means something, or a row of equal ones.
type Step struct {
	T     time.Duration // since the start
	Until time.Duration // of the last of a row; 0 of a single one
	// Layer is signaling, stun, turn, dtls, media or stream; What is as [Name] has it.
	Layer, What string
	Remote      string // address and port of the far end
	Direction   Direction
	Fate        Fate
	Bytes       int // of the first one: a datagram's payload, a message's length on its stream
	Count       int // from 1
}

// Timeline tells the steps that the packets of one host went through, times from start. Packets
// are in order of time. Streams are put together: a message stands where its last segment was
// seen, a segment that was stopped or sent again stands for itself. Equal steps with a remote
// between which nothing else passed with that remote make one row. RTP, RTCP, SCTP, pings and pongs
// join the first of their kind, whatever lies between: what a call repeats for as long as it lasts
// makes one row for each payload type, direction and remote. With a limit above 0 no more steps
// than that are returned: if there are more, every step of STUN and TURN joins the first of its
// kind, so that checks without end do not hide what came of them; if that is not enough, the
// earliest are returned, and truncated tells that there were others.
func Timeline(packets []Packet, start time.Time, limit int) (steps []Step, truncated bool) {
	t := timeline{last: map[netip.AddrPort]int{}, first: map[Step]int{}}
	for i := range packets {
		t.add(&packets[i], packets[i].At.Sub(start))
	}
	if limit > 0 && len(t.steps) > limit {
		t.steps = coarse(t.steps)
	}
	if limit > 0 && len(t.steps) > limit {
		return t.steps[:limit:limit], true
	}
	return t.steps, false
}

// coarse takes all equal steps of STUN and TURN together, whatever lies between.
func coarse(steps []Step) []Step {
	var kept []Step
	first := map[Step]int{}
	for _, s := range steps {
		i, again := first[s.kind()]
		if !again || s.Layer != layerSTUN && s.Layer != layerTURN {
			first[s.kind()] = len(kept)
			kept = append(kept, s)
			continue
		}
		kept[i].Count += s.Count
		kept[i].Until = max(kept[i].Until, s.T, s.Until)
	}
	return kept
}

type timeline struct {
	steps   []Step
	last    map[netip.AddrPort]int // by remote: the latest step
	first   map[Step]int           // the first of its kind, by all but times, bytes and count
	streams connections
}

func (t *timeline) add(p *Packet, at time.Duration) {
	if p.Protocol == TCP {
		for _, m := range t.streams.add(p) {
			t.note(p, at, m)
		}
		return
	}
	if n, ok := datagram(p.Payload); ok {
		t.note(p, at, message{n, len(p.Payload)})
	}
}

// note enters a step, or counts it for one that is there.
func (t *timeline) note(p *Packet, at time.Duration, m message) {
	remote := p.Destination
	if p.Direction == Received {
		remote = p.Source
	}
	kind := Step{Layer: m.layer, What: m.what, Remote: remote.String(), Direction: p.Direction, Fate: p.Fate}
	seen, again := t.first[kind]
	if last, ok := t.last[remote]; !again || !m.repeats {
		seen, again = last, ok && t.steps[last].kind() == kind
	}
	if again {
		t.steps[seen].Count++
		t.steps[seen].Until = at
		return
	}
	if _, ok := t.first[kind]; !ok {
		t.first[kind] = len(t.steps)
	}
	t.last[remote] = len(t.steps)
	kind.T, kind.Bytes, kind.Count = at, m.bytes, 1
	t.steps = append(t.steps, kind)
}

// kind is the step without what tells it from others of its kind.
func (s *Step) kind() Step {
	return Step{Layer: s.Layer, What: s.What, Remote: s.Remote, Direction: s.Direction, Fate: s.Fate}
}
