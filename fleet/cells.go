package fleet

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/clock"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/scenarios"
)

// carryOutCells conducts every cell of the plan and adds what it gave to the run. Cells on the
// wall clock take turns, since they share the machine they measure. Those in virtual time have a
// time and a network of their own each, and as many go on at once as there are cores.
func carryOutCells(ctx context.Context, plan scenarios.Plan, c Config, run *metrics.Run) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	board := newBoard(plan, c)
	defer board.close()
	lanes := 1
	if plan.Clock == "virtual" {
		lanes = max(1, min(runtime.GOMAXPROCS(0), len(plan.Cells)))
	}
	outcomes := make([]*outcome, len(plan.Cells))
	var next atomic.Int64
	var last atomic.Int64 // no cell behind this one is wanted
	last.Store(int64(len(plan.Cells)))
	var wg sync.WaitGroup
	for range lanes {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(plan.Cells) || int64(i) > last.Load() || ctx.Err() != nil {
					return
				}
				out := onClock(ctx, plan, i, c, board)
				outcomes[i] = &out
				if out.err != nil || out.aborted {
					for l := last.Load(); int64(i) < l && !last.CompareAndSwap(l, int64(i)); l = last.Load() {
					}
				}
			}
		})
	}
	wg.Wait()
	traces := fnv.New64a()
	for i, out := range outcomes {
		if out == nil {
			break
		}
		if c.Captured != nil && out.cell.Trace != nil {
			c.Captured(i, out.packets)
		}
		if out.cell.TraceHash != "" {
			traces.Write([]byte(out.cell.TraceHash))
			run.TraceHash = fmt.Sprintf("%016x", traces.Sum64())
		}
		run.SimulatedS += out.length.Seconds()
		run.Cells = append(run.Cells, out.cell)
		run.Thresholds = append(run.Thresholds, out.thresholds...)
		run.Audit.Findings = append(run.Audit.Findings, out.findings...)
		if out.err != nil || out.aborted {
			return out.err
		}
	}
	return nil
}

// onClock conducts one cell on the plan's clock.
func onClock(ctx context.Context, plan scenarios.Plan, i int, c Config, board *board) outcome {
	var out outcome
	if plan.Clock != "virtual" {
		out.err = clock.Wall(ctx, func(ctx context.Context) error {
			out = conduct(ctx, plan, i, c, board)
			return out.err
		})
		return out
	}
	cell := plan.Cells[i]
	limit := 2 * (cell.MeasureFrom() + cell.Duration + cell.JoinTimeout + time.Minute)
	var err error
	for range attempts {
		got := make(chan outcome, 1) // of this attempt; one that stood still never gives any
		err = clock.Virtual(ctx, clock.Options{Limit: limit}, func(ctx context.Context) error {
			got <- conduct(ctx, plan, i, c, board)
			return nil
		})
		select {
		case out = <-got:
		default:
		}
		if !errors.Is(err, clock.ErrStuck) || ctx.Err() != nil {
			break
		}
		c.Logger.Warn("virtual time stood still; conducting the cell again", "cell", cell.ID, "error", err)
	}
	if err != nil {
		if out.cell.Metrics == nil {
			out = outcome{cell: emptyCell(cell)}
		}
		out.err = errors.Join(out.err, fmt.Errorf("cell %q: %w", cell.ID, err))
	}
	return out
}

// attempts is how often a cell is conducted whose time has stood still: a lock inside the WebRTC
// stack that is held over a wait can stop it, depending on how the machine runs goroutines. The
// cell begins anew, with nothing of the attempt before.
const attempts = 3

// board shows how far the cells have got: conductors write on it, in whichever time, and one
// goroutine reads it out once a second of real time.
type board struct {
	show  func(Status)
	cells []atomic.Pointer[Status]
	plan  scenarios.Plan
	stop  chan struct{}
	done  sync.WaitGroup
}

func newBoard(plan scenarios.Plan, c Config) *board {
	b := &board{show: c.Progress, cells: make([]atomic.Pointer[Status], len(plan.Cells)), plan: plan, stop: make(chan struct{})}
	if b.show == nil {
		return b
	}
	b.done.Go(func() {
		t := time.NewTicker(time.Second)
		defer t.Stop()
		var shown Status
		for {
			select {
			case <-b.stop:
				b.read(&shown) // a run of less than a second has something to show, too
				return
			case <-t.C:
				b.read(&shown)
			}
		}
	})
	return b
}

// read shows how far the cells have got, if that is not what was shown last.
func (b *board) read(shown *Status) {
	if s, ok := b.status(); ok && s != *shown {
		b.show(s)
		*shown = s
	}
}

// status is the latest cell that is under way; what is left counts all of them.
func (b *board) status() (Status, bool) {
	var latest *Status
	var left time.Duration
	for i := range b.cells {
		s := b.cells[i].Load()
		if s == nil {
			left += b.plan.Cells[i].MeasureFrom() + b.plan.Cells[i].Duration
			continue
		}
		left += s.Left
		latest = s
	}
	if latest == nil {
		return Status{}, false
	}
	s := *latest
	s.Left = left
	return s, true
}

func (b *board) put(i int, s Status) { b.cells[i].Store(&s) }

func (b *board) close() {
	close(b.stop)
	b.done.Wait()
}
