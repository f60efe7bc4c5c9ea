// Package reports turns the document of a run into what people and CI jobs read: a summary, a web
// page, Markdown, JUnit, CSV and plots. Everything is a pure function of [metrics.Run]; it does not
// know how a run was made.
package reports

import "github.com/peerfleet/peerfleet/metrics"

// Document is the one model behind every renderer: the verdict and its reasons first, then what
// supports them. It shares no memory with the run it was built from that a caller may change.
type Document struct {
	Name        string
	Description string
	Verdict     Verdict
	Speed       string // how the run's time compares to real time; empty on the wall clock
	Facts       []Fact // one line about the run: clock, network, seed, length
	Thresholds  []Threshold
	Peers       metrics.PeerCounts // over all cells
	Cells       []CellRow
	Audit       string // one line
	Cost        string // one line: what a peer costs this machine; empty if that was not measured
	TraceHash   string // equal in runs that were alike to the last packet; empty on the wall clock
	Pairs       []PairMatrix
	Advice      []string // what the figures say about mesh and conference
	Sections    []Section
}

// Verdict is the outcome in a word and why.
type Verdict struct {
	Word     string // pass, fail, invalid, error, interrupted
	ExitCode int
	Reasons  []string // never empty; everything that holds, the one that decided first
}

// Fact is a labelled value.
type Fact struct{ Label, Text string }

// Threshold is one objective in one cell with its distance to the limit.
type Threshold struct {
	metrics.ThresholdResult
	CellName string
	Measured string        // with its unit
	LimitAs  string        // with its unit
	Margin   metrics.Value // in the unit; positive: room left, negative: how far it was crossed
	MarginAs string
}

// CellRow is one cell's key figures; missing ones were not measured. Times are in ms, rates in
// bit/s, ratios 0 to 1. Percentiles are the nearest rank, however few samples there are.
type CellRow struct {
	Index        int    // in the run
	Name         string // unique in the run
	Label        string // what tells it from cells of equal topology and size; may be empty
	Topology     string
	Participants int
	Repeat       int
	Peers        metrics.PeerCounts
	Connect50    metrics.Value
	Connect95    metrics.Value
	Connects     uint64        // joins behind the two
	Up           metrics.Value // mean per peer
	Down         metrics.Value
	ServerIn     metrics.Value
	ServerOut    metrics.Value
	TURN         metrics.Value
	Delay50      metrics.Value
	Delay95      metrics.Value
	Delays       uint64 // frames and packets behind the two
	Loss         metrics.Value
	LossWire     metrics.Value
	FPS          metrics.Value
	FreezeRatio  metrics.Value
	Expected     metrics.Expected
	Churn        bool // peers came or went during the call, which the closed form knows nothing of
}

// Section is a titled part of the long reports.
type Section struct {
	ID    string // of the anchor
	Title string
	Text  []string
	Table *Table
	Pre   string // preformatted, shown after the table
}

// Table is a table with the same cells in every format.
type Table struct {
	Columns []Column // the first heads its row
	Rows    [][]Field
	More    int // rows left out; all of them are in run.json
}

// Column heads a table column.
type Column struct {
	Title  string
	Number bool // aligned right
}

// Field is one cell of a table.
type Field struct {
	Text  string
	State State
}

// State colours a field.
type State string

// The states of a field.
const (
	Plain State = ""
	Good  State = "good"
	Bad   State = "bad"
	Note  State = "note"
)
