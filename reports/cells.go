package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// cellRows sums up every cell, in the run's order.
func cellRows(run *metrics.Run) []CellRow {
	lasts := pathsByLast(run)
	hidden := impliedPaths(lasts)
	repeats := slices.ContainsFunc(run.Cells, func(c metrics.Cell) bool { return c.Repeat > 0 })
	rows := make([]CellRow, len(run.Cells))
	for i := range run.Cells {
		rows[i] = cellRow(i, &run.Cells[i], lasts, hidden, repeats)
	}
	return rows
}

func cellRow(i int, c *metrics.Cell, lasts map[string][]string, hidden map[string]bool, repeats bool) CellRow {
	m := c.Metrics
	connect, delay := collect(m, "connect.total", nil), collect(m, "media.delay", nil)
	mean := func(name string, match func(metrics.Tags) bool) metrics.Value {
		d := collect(m, name, match)
		return d.mean()
	}
	return CellRow{
		Index: i, Name: cellName(c, lasts, repeats), Label: cellLabel(c, lasts, hidden), Repeat: c.Repeat,
		Topology: strings.Join(topologies(c), "+"), Participants: participants(c),
		Peers:     copied(c.Peers),
		Connect50: connect.quantile(0.5), Connect95: connect.quantile(0.95), Connects: connect.count,
		Up: mean("bandwidth.peer.up", nil), Down: mean("bandwidth.peer.down", nil),
		ServerIn: total(m, "bandwidth.server.in"), ServerOut: total(m, "bandwidth.server.out"),
		TURN:    total(m, "bandwidth.turn"),
		Delay50: delay.quantile(0.5), Delay95: delay.quantile(0.95), Delays: delay.count,
		Loss: mean("media.loss", nil), LossWire: mean("media.loss_wire", nil),
		FPS: mean("media.fps", nil), FreezeRatio: mean("media.freeze_ratio", nil),
		Expected: c.Expected, Churn: churned(c),
	}
}

// relayShare is how much of a peer's upload TURN must carry to be worth telling: allocating and
// keeping up an allocation that is not used takes less.
const relayShare = 0.05

// relayed tells whether media went through TURN.
func (c *CellRow) relayed() bool { return c.TURN > 0 && !(float64(c.TURN) < relayShare*float64(c.Up)) }

// churned tells whether a peer went and came again, was cut off or left well before the end.
func churned(c *metrics.Cell) bool {
	end := cellEnd(c)
	return slices.ContainsFunc(c.Events, func(e metrics.Event) bool {
		switch e.What {
		case "rejoin", "drop":
			return true
		case "leave", "left":
			return e.TS < end-2
		}
		return false
	})
}

// cellEnd is when the last figure or event of a cell was recorded, in s.
func cellEnd(c *metrics.Cell) float64 {
	var end float64
	for _, e := range c.Events {
		end = max(end, e.TS)
	}
	for _, s := range c.Series {
		end = max(end, s.StepS*float64(len(s.Values)))
	}
	return end
}

// total adds what several servers of a cell carried; it is missing when none was measured.
func total(entries []metrics.Entry, name string) metrics.Value {
	d := collect(entries, name, nil)
	if d.count == 0 {
		return metrics.Missing()
	}
	return metrics.Value(d.sum)
}

// topologies are those of the cell's peers, in name order.
func topologies(c *metrics.Cell) []string {
	seen := map[string]bool{}
	for i := range c.Metrics {
		seen[c.Metrics[i].Tags.Topology] = true
	}
	for i := range c.PeersDetail {
		seen[c.PeersDetail[i].Topology] = true
	}
	delete(seen, "")
	if len(seen) == 0 {
		for _, path := range sortedKeys(c.Vary) {
			if strings.HasSuffix(path, ".topology") {
				seen[varied(c.Vary[path])] = true
			}
		}
	}
	names := sortedKeys(seen)
	for i := range names {
		names[i] = clean(names[i])
	}
	return names
}

func participants(c *metrics.Cell) int {
	if c.Expected.Participants > 0 {
		return c.Expected.Participants
	}
	return c.Peers.Planned
}

// pathsByLast are the varied paths of a run by their last word.
func pathsByLast(run *metrics.Run) map[string][]string {
	found := map[string][]string{}
	for i := range run.Cells {
		for path := range run.Cells[i].Vary {
			last := lastWord(path)
			if !slices.Contains(found[last], path) {
				found[last] = append(found[last], path)
			}
		}
	}
	return found
}

func lastWord(path string) string { return path[strings.LastIndexByte(path, '.')+1:] }

// impliedPaths are those that topology and number of participants already tell.
func impliedPaths(lasts map[string][]string) map[string]bool {
	hidden := map[string]bool{}
	for _, last := range []string{"topology", "count"} {
		if len(lasts[last]) == 1 {
			hidden[lasts[last][0]] = true
		}
	}
	return hidden
}

// cellLabel is what varies besides topology and size.
func cellLabel(c *metrics.Cell, lasts map[string][]string, hidden map[string]bool) string {
	var parts []string
	for _, path := range sortedKeys(c.Vary) {
		if !hidden[path] {
			parts = append(parts, shortPath(path, lasts)+"="+varied(c.Vary[path]))
		}
	}
	return strings.Join(parts, ", ")
}

// cellName names a cell in tables and plots.
func cellName(c *metrics.Cell, lasts map[string][]string, repeats bool) string {
	parts := make([]string, 0, len(c.Vary)+1)
	for _, path := range sortedKeys(c.Vary) {
		parts = append(parts, shortPath(path, lasts)+"="+varied(c.Vary[path]))
	}
	name := strings.Join(parts, ", ")
	if name == "" {
		name = cmp.Or(clean(c.ID), "the call")
	}
	if repeats {
		name += fmt.Sprintf(" (repeat %d)", c.Repeat+1)
	}
	return name
}

// shortPath is a path's last word where no other path ends in it.
func shortPath(path string, lasts map[string][]string) string {
	if last := lastWord(path); len(lasts[last]) == 1 {
		return clean(last)
	}
	return clean(strings.TrimPrefix(path, "peers."))
}
