package fleet

import (
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/capture"
)

// The bounds of a trace: connecting takes some hundred packets, and what is not kept by then is the
// call itself. A ladder of more steps is not read.
const (
	tracedPackets = 20_000
	tracedBytes   = 32 << 20
	tracedSteps   = 80
)

// recorder keeps what a host's tap is shown. The network's goroutine writes, the cell's end reads.
type recorder struct {
	mu        sync.Mutex // guards what follows
	packets   []capture.Packet
	bytes     int
	truncated bool
}

func (r *recorder) see(p capture.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.packets) == tracedPackets || r.bytes+len(p.Payload) > tracedBytes {
		r.truncated = true
		return
	}
	p.Payload = append([]byte(nil), p.Payload...)
	r.bytes += len(p.Payload)
	r.packets = append(r.packets, p)
}

// trace is the peer's connecting, step by step from its intended start, and the packets themselves.
func (r *recorder) trace(peer string, start time.Time) (*metrics.Trace, []capture.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	steps, cut := capture.Timeline(r.packets, start, tracedSteps)
	t := &metrics.Trace{Peer: peer, Truncated: cut || r.truncated, Steps: make([]metrics.TraceStep, 0, len(steps))}
	for _, s := range steps {
		step := metrics.TraceStep{
			TMS: msOf(s.T), UntilMS: msOf(s.Until), Layer: s.Layer, Direction: s.Direction.String(),
			What: s.What, Remote: s.Remote, Bytes: s.Bytes, Count: s.Count,
		}
		if s.Fate != capture.Delivered {
			step.Fate = s.Fate.String()
		}
		t.Steps = append(t.Steps, step)
	}
	return t, r.packets
}
