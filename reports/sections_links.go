package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// linkKey tells links apart that were configured differently.
type linkKey struct {
	cell             int
	group, direction string
	loss, burst      float64
	delay            float64
	varies           bool
}

// linkSum is every link of a key.
type linkSum struct {
	links                            int
	offered, delivered, lost, queued uint64
	lossLow, lossTop                 float64
	p50Low, p50Top, p99Top           metrics.Value
}

// linkTable takes the links of a group together that were configured alike.
func linkTable(run *metrics.Run, cells []CellRow) *Table {
	sums := map[linkKey]*linkSum{}
	var keys []linkKey
	for i := range run.Cells {
		groups := peerGroups(&run.Cells[i])
		for _, l := range run.Cells[i].Links {
			k := linkKey{i, groupOf(l.Host, groups), clean(l.Direction), l.ConfiguredLoss, l.Burst, l.ConfiguredDelayMS, l.Varies}
			s := sums[k]
			if s == nil {
				s = &linkSum{lossLow: 2, p50Low: metrics.Missing(), p50Top: metrics.Missing(), p99Top: metrics.Missing()}
				sums[k] = s
				keys = append(keys, k)
			}
			s.add(l)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.SortStableFunc(keys, func(a, b linkKey) int {
		return cmp.Or(cmp.Compare(a.cell, b.cell), compareNatural(a.group, b.group), -cmp.Compare(a.direction, b.direction))
	})
	t := &Table{Columns: []Column{
		{"cell", false},
		{"links of", false},
		{"direction", false},
		{"links", true},
		{"offered", true},
		{"lost", true},
		{"queue full", true},
		{"loss configured", true},
		{"delivered", true},
		{"by link", true},
		{"burst", true},
		{"delay configured", true},
		{"seen p50", true},
		{"seen p99", true},
		{"remark", false},
	}}
	for _, k := range keys {
		t.Rows = append(t.Rows, linkFields(cells[k.cell].Name, k, sums[k]))
	}
	return dropEmpty(capped(t, maxLinkRows))
}

func (s *linkSum) add(l metrics.Link) {
	s.links++
	s.offered += l.Offered
	s.delivered += l.Delivered
	s.lost += l.Lost
	s.queued += l.QueuedOut
	if l.Offered > 0 {
		s.lossLow, s.lossTop = min(s.lossLow, l.DeliveredLoss), max(s.lossTop, l.DeliveredLoss)
	}
	if v := l.DelayMS.P50; v.Valid() {
		if !s.p50Low.Valid() || v < s.p50Low {
			s.p50Low = v
		}
		if !s.p50Top.Valid() || v > s.p50Top {
			s.p50Top = v
		}
	}
	if v := l.DelayMS.P99; v.Valid() && (!s.p99Top.Valid() || v > s.p99Top) {
		s.p99Top = v
	}
}

func linkFields(cell string, k linkKey, s *linkSum) []Field {
	delivered, spread := absent, absent
	if s.offered > 0 {
		delivered = inPercent(float64(s.lost) / float64(s.offered))
		if s.links > 1 {
			spread = percentRange(s.lossLow, s.lossTop)
		}
	}
	seen := inUnit(s.p50Low, "ms")
	if s.p50Top.Valid() && s.p50Top != s.p50Low {
		seen = number(float64(s.p50Low)) + " to " + inUnit(s.p50Top, "ms")
	}
	burst, remark := absent, absent
	if k.burst > 1 {
		burst = number(k.burst)
	}
	if k.varies {
		remark = "changed during the call"
	}
	return []Field{
		{Text: cell},
		{Text: k.group},
		{Text: k.direction},
		{Text: strconv.Itoa(s.links)},
		{Text: strconv.FormatUint(s.offered, 10)},
		{Text: strconv.FormatUint(s.lost, 10)},
		{Text: strconv.FormatUint(s.queued, 10)},
		{Text: inPercent(k.loss)},
		{Text: delivered},
		{Text: spread},
		{Text: burst},
		{Text: inTime(k.delay)},
		{Text: seen},
		{Text: inUnit(s.p99Top, "ms")},
		{Text: remark},
	}
}

func percentRange(low, top float64) string {
	return number(low*100) + " to " + inPercent(top)
}

func peerGroups(c *metrics.Cell) map[string]string {
	groups := make(map[string]string, len(c.PeersDetail))
	for i := range c.PeersDetail {
		groups[c.PeersDetail[i].Name] = c.PeersDetail[i].Group
	}
	return groups
}

// groupOf names the group of a host; hosts are named after their peers, <group>-<index>.
func groupOf(host string, groups map[string]string) string {
	if g := groups[host]; g != "" {
		return clean(g)
	}
	if i := strings.LastIndexByte(host, '-'); i > 0 && digits(host[i+1:]) == len(host)-i-1 && i+1 < len(host) {
		return clean(host[:i])
	}
	return clean(host)
}

// waitTable lists the ICE acceptance waits, cells with equal ones together.
func waitTable(run *metrics.Run, cells []CellRow) *Table {
	var waits []metrics.ICEWaits
	names := map[metrics.ICEWaits][]string{}
	for i := range run.Cells {
		w := run.Cells[i].ICEWaits
		if names[w] == nil {
			waits = append(waits, w)
		}
		names[w] = append(names[w], cells[i].Name)
	}
	if len(waits) == 0 {
		return nil
	}
	t := &Table{Columns: []Column{{"cells", false}, {"host", true}, {"srflx", true}, {"prflx", true}, {"relay", true}}}
	for _, w := range waits {
		of := "all"
		if len(waits) > 1 {
			of = strings.Join(names[w][:min(3, len(names[w]))], "; ")
			if n := len(names[w]) - 3; n > 0 {
				of += fmt.Sprintf(" and %d more", n)
			}
		}
		t.Rows = append(t.Rows, []Field{{Text: of}, {Text: inTime(w.Host)}, {Text: inTime(w.Srflx)}, {Text: inTime(w.Prflx)}, {Text: inTime(w.Relay)}})
	}
	return capped(t, maxLinkRows)
}
