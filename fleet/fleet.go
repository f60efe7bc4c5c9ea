// Package fleet carries out a Plan: it builds the lab, paces arrivals and actions, supervises the
// bots, gathers their recordings, and audits the generator itself. It knows no file formats and
// renders nothing.
package fleet

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/scenarios"
)

// Config shapes how a plan is carried out. The zero value works.
type Config struct {
	Tool     metrics.Tool
	Logger   *slog.Logger // nil: discard
	Progress func(Status) // called about once a second of real time from one goroutine; nil: no progress
	// Live gets the figures of a cell so far, once a second of the cell's own time; the set is the
	// callee's. Cells that go on at once call it at once. nil: nothing is figured out meanwhile.
	Live func(*metrics.Set, CellProgress)

	// TargetToken, where set, mints what peers show to a server of the user's on entering a room; it
	// is called from many goroutines.
	TargetToken func(room string) string

	// Trace names a peer whose connecting is told packet by packet, in Cell.Trace; only on a
	// simulated network. "": nobody's. Captured is handed its packets, cell by cell in the order of
	// the plan, when all are over; they are the caller's then. Nil: they are not wanted.
	Trace    string
	Captured func(cell int, packets []capture.Packet)

	onLab func(*lab) // tests break what a lab is made of
}

// Status is how far a run has got.
type Status struct {
	Cell, Cells                int // from 1
	ID, Phase                  string
	Planned, Joined, Connected int
	Failed                     int
	Loss                       float64       // of packets after repair, so far, 0 to 1
	CPU                        float64       // of this process over the last second, in cores
	Left                       time.Duration // planned, of the whole run
}

// CellProgress is how far a cell has got, and what has been counted from its beginning on.
type CellProgress struct {
	Status
	At             time.Duration // since the beginning of the cell, by its own clock
	Lost, Expected uint64        // packets of media, after repair
	Up, Down       uint64        // bytes on the wire that all peers have sent and received
	In, Out        uint64        // the same of the embedded server; 0 without one
}

// Run carries out the plan, cell by cell, and returns the document of what was measured, its
// verdict included. When ctx ends it stops gracefully and returns what it has. The plan is not
// changed.
func Run(ctx context.Context, plan scenarios.Plan, c Config) *metrics.Run {
	if c.Logger == nil {
		c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	started := time.Now()
	run := &metrics.Run{
		Schema: metrics.Schema, Tool: c.Tool, Host: hostInfo(), Started: started.UTC().Truncate(time.Second),
		Scenario: metrics.ScenarioInfo{
			Name: plan.Name, Description: plan.Description, SHA256: plan.SHA256, Seed: plan.Seed,
			Clock: plan.Clock, Network: plan.Network, Target: plan.Target, Source: plan.Source,
		},
		Audit: metrics.RunAudit{Valid: true, Findings: []metrics.Finding{}},
		Cells: []metrics.Cell{}, Thresholds: []metrics.ThresholdResult{},
	}
	fault := carryOutCells(ctx, plan, c, run)
	run.Audit.Valid = len(run.Audit.Findings) == 0
	run.ElapsedS = time.Since(started).Seconds()
	judge(run, ctx.Err() != nil, fault)
	return run
}
