// Package livepage is the page of a run in progress: what has been measured so far, second by
// second, as JSON and as charts. It knows nothing of how a run is carried out.
package livepage

import (
	"math"
	"slices"
	"sync"
	"time"
)

// maxPoints bounds what is kept of a cell: an hour by the second. The oldest goes first.
const maxPoints = 3600

// Counts are what a cell has counted from its beginning to a moment of its own time.
type Counts struct {
	At                                 time.Duration
	Phase                              string
	Planned, Joined, Connected, Failed int
	Left                               time.Duration // of the whole run
	CPU                                float64       // of the generator, in cores
	Lost, Expected                     uint64        // packets of media, after repair
	Up, Down, In, Out                  uint64        // bytes on the wire: of all peers, and of the server
	DelayP50MS, DelayP95MS             float64       // of media so far; NaN: not measured
}

// Point is what one second of a cell amounts to. What was not measured is nil.
type Point struct {
	T          float64  `json:"t"` // seconds from the beginning of the cell
	Connected  int      `json:"connected"`
	Failed     int      `json:"failed"`
	LossRatio  *float64 `json:"loss"`
	UpBPS      *float64 `json:"up"` // of the mean connected peer
	DownBPS    *float64 `json:"down"`
	InBPS      *float64 `json:"in"` // of the server
	OutBPS     *float64 `json:"out"`
	DelayP50MS *float64 `json:"p50"` // from the beginning to here
	DelayP95MS *float64 `json:"p95"`
	CPU        float64  `json:"cpu"`
}

// Feed keeps what the page shows. It is safe for concurrent use; the zero value is empty.
type Feed struct {
	mu     sync.Mutex // guards what follows
	title  string
	cells  []*cell
	latest *cell
}

type cell struct {
	id     string
	first  int // how many points came before those kept
	points []Point
	last   Counts
}

// Begin names the run that the next counts belong to, and forgets the one before.
func (f *Feed) Begin(title string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.title, f.cells, f.latest = title, nil, nil
}

// Add adds the counts of a cell, which its name identifies. Counts of one cell come in order.
func (f *Feed) Add(id string, c Counts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.cells, func(k *cell) bool { return k.id == id })
	if i < 0 {
		f.cells, i = append(f.cells, &cell{id: id}), len(f.cells)
	}
	k := f.cells[i]
	k.points = append(k.points, between(k.last, c))
	if len(k.points) > maxPoints {
		k.points, k.first = slices.Delete(k.points, 0, 1), k.first+1
	}
	k.last, f.latest = c, k
}

// between turns two counts into what lies between them.
func between(a, b Counts) Point {
	p := Point{
		T: b.At.Seconds(), Connected: b.Connected, Failed: b.Failed, CPU: b.CPU,
		DelayP50MS: measured(b.DelayP50MS), DelayP95MS: measured(b.DelayP95MS),
	}
	if b.Expected > a.Expected {
		p.LossRatio = measured((float64(b.Lost) - float64(a.Lost)) / float64(b.Expected-a.Expected))
	}
	seconds := (b.At - a.At).Seconds()
	if seconds <= 0 {
		return p
	}
	rate := func(from, to uint64, share int) *float64 {
		if to < from || share == 0 {
			return nil
		}
		return measured(float64(to-from) * 8 / seconds / float64(share))
	}
	p.UpBPS, p.DownBPS = rate(a.Up, b.Up, b.Connected), rate(a.Down, b.Down, b.Connected)
	p.InBPS, p.OutBPS = rate(a.In, b.In, 1), rate(a.Out, b.Out, 1)
	return p
}

func measured(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// state is what the page asks for: a cell from one of its points on.
type state struct {
	Title     string   `json:"title"`
	Cells     []string `json:"cells"`
	Cell      string   `json:"cell"`
	Phase     string   `json:"phase"`
	LeftS     float64  `json:"left_s"`
	Planned   int      `json:"planned"`
	Joined    int      `json:"joined"`
	Connected int      `json:"connected"`
	Failed    int      `json:"failed"`
	Next      int      `json:"next"` // the number of the point that comes next
	Points    []Point  `json:"points"`
}

// from is the state of a cell from its n-th point on; "" is the cell that was last heard of.
func (f *Feed) from(id string, n int) state {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := state{Title: f.title, Cells: make([]string, len(f.cells)), Points: []Point{}}
	k := f.latest
	for i, c := range f.cells {
		s.Cells[i] = c.id
		if id != "" && c.id == id {
			k = c
		}
	}
	if k == nil {
		return s
	}
	n = min(max(n-k.first, 0), len(k.points))
	s.Cell, s.Phase, s.LeftS = k.id, k.last.Phase, k.last.Left.Seconds()
	s.Planned, s.Joined, s.Connected, s.Failed = k.last.Planned, k.last.Joined, k.last.Connected, k.last.Failed
	s.Next, s.Points = k.first+len(k.points), slices.Clone(k.points[n:])
	return s
}
