package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/scenarios"
)

// progress shows how far a run has got: one line that is written over on a terminal, a plain
// line every few seconds and at each new cell elsewhere.
type progress struct {
	w     io.Writer
	width int // of the terminal; 0: none
	quiet bool

	mu    sync.Mutex // guards what follows
	drawn bool
	last  time.Time
	cell  int
	phase string
}

// plainEvery is how often a plain line is written.
const plainEvery = 5 * time.Second

func newProgress(env Env, quiet bool) *progress {
	return &progress{w: env.Stderr, width: env.TerminalWidth, quiet: quiet}
}

func (p *progress) update(s fleet.Status) {
	if p.quiet {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	line := progressLine(s)
	if p.width > 0 {
		if r := []rune(line); len(r) >= p.width {
			line = string(r[:p.width-1])
		}
		fmt.Fprintf(p.w, "\r\x1b[K%s", line)
		p.drawn = true
		return
	}
	now := time.Now()
	if s.Cell == p.cell && s.Phase == p.phase && now.Sub(p.last) < plainEvery {
		return
	}
	p.cell, p.phase, p.last = s.Cell, s.Phase, now
	fmt.Fprintln(p.w, line)
}

// packetCost is what a packet delivered in virtual time costs, all that WebRTC does with it included:
// calls of six and eight people took 15 to 22 µs on two cores.
const packetCost = 20 * time.Microsecond

// announced is how long a run in virtual time may take without being announced.
const announced = 10 * time.Second

// announce says beforehand how long a run in virtual time will probably take, if that is long. Each
// cell has a core; as many go on at once as there are cores.
func (p *progress) announce(plan scenarios.Plan, cores int) {
	if p.quiet || plan.Clock != "virtual" {
		return
	}
	packets, call := plan.VirtualCost()
	took := time.Duration(packets * float64(packetCost) / float64(max(1, min(cores, len(plan.Cells)))))
	if took > announced {
		fmt.Fprintf(p.w, "virtual time: %v of call, about %v of work, %.2g times as fast as real time\n",
			call.Round(time.Second), took.Round(time.Second), call.Seconds()/took.Seconds())
	}
}

// done leaves the terminal on a fresh line.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = false
	}
}

func progressLine(s fleet.Status) string {
	var b strings.Builder
	if s.Cells > 1 {
		fmt.Fprintf(&b, "[%d/%d] ", s.Cell, s.Cells)
	}
	fmt.Fprintf(&b, "%s  joined %d/%d  connected %d", s.Phase, s.Joined, s.Planned, s.Connected)
	if s.Failed > 0 {
		fmt.Fprintf(&b, "  failed %d", s.Failed)
	}
	fmt.Fprintf(&b, "  loss %.2f %%  cpu %.2f  left %s", 100*s.Loss, s.CPU, s.Left.Round(time.Second))
	if s.ID != "" {
		fmt.Fprintf(&b, "  %s", s.ID)
	}
	return b.String()
}
