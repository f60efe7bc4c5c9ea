package network

import (
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/impair"
)

// Headers on the wire.
const (
	udp4Header  = 28
	udp6Header  = 48
	tcpHeader   = 40
	segmentSize = 1460 // payload of a stream's segment
)

// direction is one direction of a host's link in use. A direction that has never been impaired
// keeps no account and takes no lock: only the traffic counters move.
type direction struct {
	packets, bytes atomic.Uint64
	impaired       atomic.Bool // once true it stays so, that order is kept after a Set

	mu                sync.Mutex // guards what follows
	link              *impair.Link
	offered           uint64
	delivered, lost   uint64
	queuedOut         uint64
	discarded         uint64
	delayed, lateness metrics.Hist
}

func newDirection(p impair.Profile, seed uint64) *direction {
	d := &direction{link: impair.NewLink(p, seed), delayed: *metrics.NewHist(), lateness: *metrics.NewHist()}
	d.impaired.Store(!p.Perfect())
	return d
}

// set replaces the profile and reports whether the direction has become impaired by it.
func (d *direction) set(p impair.Profile) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.link.Set(p)
	return !p.Perfect() && !d.impaired.Swap(true)
}

func (d *direction) start(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.link.Start(t)
}

// count adds to the traffic.
func (d *direction) count(packets, bytes int) {
	d.packets.Add(uint64(packets))
	d.bytes.Add(uint64(bytes))
}

// countStream adds n bytes of a stream in full segments.
func (d *direction) countStream(n int) {
	if n > 0 {
		segments := (n + segmentSize - 1) / segmentSize
		d.count(segments, n+segments*tcpHeader)
	}
}

// offer decides the fate of a packet to or from far that enters now. One that is handed on at once
// is accounted for, others when they are.
func (d *direction) offer(now time.Time, size int, payload []byte, far netip.AddrPort) impair.Fate {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.link.OfferFlow(impair.Flow{Kind: kindOf(payload), Far: far}, now, size)
	d.offered++
	switch {
	case f.Drop.Queued():
		d.queuedOut++
	case f.Drop != impair.Delivered:
		d.lost++
	case !f.At.After(now):
		d.delivered++
		d.delayed.Record(0)
		d.lateness.Record(0)
	}
	return f
}

// handedOn accounts for a packet that was offered, due and handed on at these times.
func (d *direction) handedOn(offered, due, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered++
	d.delayed.Record(now.Sub(offered).Microseconds())
	d.lateness.Record(now.Sub(due).Microseconds())
}

// discard accounts for a packet that was offered and is given up before it was handed on.
func (d *direction) discard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.discarded++
}

// refuse corrects the account of a packet that was to be handed on and could not be.
func (d *direction) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered--
	d.discarded++
}

// segment asks the link when a segment of a stream arrives.
func (d *direction) segment(now time.Time, size int) (at time.Time, ok bool) {
	return d.segmentOf(now, size, netip.AddrPort{})
}

// segmentOf is segment for a stream to or from far.
func (d *direction) segmentOf(now time.Time, size int, far netip.AddrPort) (at time.Time, ok bool) {
	if !d.impaired.Load() {
		return now, true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link.StreamFlow(impair.Flow{Kind: kindStream, Far: far}, now, size)
}

func (d *direction) report() LinkReport {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := LinkReport{
		Offered: d.offered, Delivered: d.delivered, Lost: d.lost, QueuedOut: d.queuedOut, Discarded: d.discarded,
		Delay: metrics.NewHist(), Lateness: metrics.NewHist(),
	}
	r.Delay.Merge(&d.delayed)
	r.Lateness.Merge(&d.lateness)
	return r
}

// accessLink is a host's Link over its two directions.
type accessLink struct {
	up, down *direction
	impaired func() // called when the down direction has become impaired
}

// newAccessLink gives the directions seeds of their own; equal specs have equal links on every
// network.
func newAccessLink(spec HostSpec, impaired func()) *accessLink {
	return &accessLink{
		up:       newDirection(spec.Up, bits.RotateLeft64(spec.Seed, 1)^0x75702d6c696e6b00),
		down:     newDirection(spec.Down, bits.RotateLeft64(spec.Seed, 1)^0x646f776e2d6c6e6b),
		impaired: impaired,
	}
}

func (l *accessLink) Set(up, down impair.Profile) {
	l.up.set(up)
	if l.down.set(down) {
		l.impaired()
	}
}

func (l *accessLink) Start(start time.Time) {
	l.up.start(start)
	l.down.start(start)
}

func (l *accessLink) Traffic() Traffic {
	return Traffic{
		UpPackets: l.up.packets.Load(), UpBytes: l.up.bytes.Load(),
		DownPackets: l.down.packets.Load(), DownBytes: l.down.bytes.Load(),
	}
}

func (l *accessLink) Report() (up, down LinkReport) { return l.up.report(), l.down.report() }
