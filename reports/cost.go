package reports

import (
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// costLine says what a peer costs this machine in the cell with the most peers, where what the
// process needs for itself weighs least. Virtual time tells nothing of it.
func costLine(run *metrics.Run) string {
	if virtual(run) {
		return ""
	}
	var most *metrics.Cell
	for i := range run.Cells {
		if c := &run.Cells[i]; c.Peers.Joined > 0 && (most == nil || c.Peers.Joined > most.Peers.Joined) {
			most = c
		}
	}
	if most == nil {
		return ""
	}
	a := &most.Audit
	var parts, per []string
	if a.CPUPerPacketUS > 0 {
		parts = append(parts, number(a.CPUPerPacketUS)+" µs CPU per packet")
	}
	if a.MemoryBytes > 0 {
		per = append(per, inBytes(perPeer(float64(a.MemoryBytes), most)))
	}
	if a.Sockets > 0 {
		per = append(per, number(perPeer(float64(a.Sockets), most))+" sockets")
	}
	if len(per) > 0 {
		parts = append(parts, strings.Join(per, " and ")+" per peer")
	}
	if len(parts) == 0 {
		return ""
	}
	of := count(most.Peers.Joined, "peer")
	if tops := topologies(most); len(tops) > 0 {
		of = strings.Join(tops, "+") + ", " + of
	}
	return strings.Join(parts, ", ") + " (" + of + ")"
}

// perPeer shares out what a cell needed.
func perPeer(all float64, c *metrics.Cell) float64 { return all / float64(max(c.Peers.Joined, 1)) }

// costTable is what every cell needed of this machine.
func costTable(run *metrics.Run, cells []CellRow) *Table {
	t := &Table{Columns: []Column{
		{"cell", false},
		{"peers", true},
		{"CPU (cores)", true},
		{"CPU per packet", true},
		{"memory", true},
		{"memory per peer", true},
		{"sockets", true},
		{"sockets per peer", true},
		{"media packets received", true},
	}}
	worth := false
	for i := range run.Cells {
		c, a := &run.Cells[i], &run.Cells[i].Audit
		worth = worth || a.CPU > 0 || a.MemoryBytes > 0 || a.Sockets > 0
		t.Rows = append(t.Rows, []Field{
			{Text: cells[i].Name},
			{Text: strconv.Itoa(c.Peers.Joined)},
			{Text: positive(a.CPU, func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) })},
			{Text: positive(a.CPUPerPacketUS, func(f float64) string { return number(f) + " µs" })},
			{Text: positive(float64(a.MemoryBytes), inBytes)},
			{Text: positive(perPeer(float64(a.MemoryBytes), c), inBytes)},
			{Text: positive(float64(a.Sockets), number)},
			{Text: positive(perPeer(float64(a.Sockets), c), number)},
			{Text: positive(float64(a.PacketsReceived), number)},
		})
	}
	if !worth || virtual(run) {
		return nil
	}
	return dropEmpty(capped(t, maxThresholdRows))
}

func costNotes(d *Document) []string {
	if d.Cost == "" {
		return nil
	}
	return []string{
		sentence(d.Cost),
		"All of it is for peers and embedded servers together. Memory is the whole process at its largest so far, what it needs with no peer at all and what earlier cells left behind included, so a small call overstates the share of a peer.",
	}
}
