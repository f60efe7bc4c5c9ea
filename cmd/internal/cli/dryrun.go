package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/peerfleet/peerfleet/scenarios"
)

// printPlan shows what a run would do and what it is predicted to cost.
func printPlan(w io.Writer, p scenarios.Plan) {
	fmt.Fprintf(w, "%s: seed %d, %s clock, %s network\n", p.Name, p.Seed, p.Clock, p.Network)
	if p.Target != "" {
		fmt.Fprintf(w, "target %s\n", p.Target)
	}
	var total time.Duration
	fmt.Fprintf(w, "%-52s %6s %8s %8s %10s %12s %8s %9s\n", "cell", "peers", "joins", "tracks", "packets/s", "bit/s", "sockets", "memory")
	for _, c := range p.Cells {
		total += c.MeasureFrom() + c.Duration
		e := c.Expected
		name := c.ID
		if name == "" {
			name = p.Name
		}
		if c.Repeat > 0 {
			name = fmt.Sprintf("%s (%d)", name, c.Repeat+1)
		}
		bits := float64(len(c.Peers))*e.PeerUpBPS + e.ServerOutBPS
		fmt.Fprintf(w, "%-52s %6d %8s %8d %10.0f %12s %8d %6d MB\n", name, len(c.Peers), lastJoin(c).Round(time.Millisecond),
			e.Streams, e.PacketsPerS, bitrate(bits), e.Sockets, e.MemoryBytes>>20)
	}
	fmt.Fprintf(w, "%d cells, about %s in all; %d thresholds\n", len(p.Cells), total.Round(time.Second), len(p.Thresholds))
}

// lastJoin is when the last peer of a cell is to join.
func lastJoin(c scenarios.Cell) time.Duration { return c.MeasureFrom() - c.Warmup }

// bitrate writes bits per second in the unit that keeps it short.
func bitrate(bps float64) string {
	switch {
	case bps >= 1e9:
		return fmt.Sprintf("%.2f Gbps", bps/1e9)
	case bps >= 1e6:
		return fmt.Sprintf("%.1f Mbps", bps/1e6)
	}
	return fmt.Sprintf("%.0f kbps", bps/1e3)
}
