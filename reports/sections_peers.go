package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// peerTable lists peers over all cells: those that failed first, then by the worst loss.
func peerTable(run *metrics.Run, cells []CellRow) *Table {
	type row struct {
		cell int
		peer *metrics.PeerDetail
		sum  trackSummary
	}
	var rows []row
	for i := range run.Cells {
		for j := range run.Cells[i].PeersDetail {
			p := &run.Cells[i].PeersDetail[j]
			rows = append(rows, row{i, p, summarise(p.Tracks)})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(stateRank(a.peer.State), stateRank(b.peer.State)),
			cmp.Compare(known(b.sum.loss), known(a.sum.loss)),
			cmp.Compare(b.sum.freezes, a.sum.freezes),
			cmp.Compare(known(b.sum.delay95), known(a.sum.delay95)))
	})
	t := &Table{Columns: []Column{
		{"peer", false},
		{"cell", false},
		{"state", false},
		{"candidate", false},
		{"connect", true},
		{"upload", true},
		{"download", true},
		{"tracks", true},
		{"worst loss", true},
		{"before repair", true},
		{"worst delay p95", true},
		{"lowest fps", true},
		{"freezes", true},
		{"NACK", true},
		{"PLI", true},
	}}
	for _, r := range rows[:min(len(rows), maxPeerRows)] {
		t.Rows = append(t.Rows, peerFields(r.peer, cells[r.cell].Name, r.sum))
	}
	t.More = len(rows) - len(t.Rows)
	return dropEmpty(t)
}

func peerFields(p *metrics.PeerDetail, cell string, s trackSummary) []Field {
	state := Field{Text: clean(p.State), State: stateOf(p.State)}
	if p.Failure != "" {
		state.Text += ": " + clean(p.Failure)
	}
	if p.Detail != "" {
		state.Text += " (" + shorten(clean(p.Detail), 120) + ")"
	}
	connect := absent
	if v, ok := p.Connect["total"]; ok {
		connect = inTime(v)
	} else if v, ok := p.Connect["connect.total"]; ok {
		connect = inTime(v)
	}
	return []Field{
		{Text: clean(p.Name)},
		{Text: cell},
		state,
		{Text: cmp.Or(clean(p.Candidate), absent)},
		{Text: connect},
		{Text: positive(p.UpBPS, inRate)},
		{Text: positive(p.DownBPS, inRate)},
		{Text: strconv.Itoa(len(p.Tracks))},
		{Text: percent(s.loss)},
		{Text: percent(s.lossWire)},
		{Text: inUnit(s.delay95, "ms")},
		{Text: fixed(s.fps, 1, 1)},
		{Text: strconv.Itoa(s.freezes)},
		{Text: strconv.Itoa(s.nack)},
		{Text: strconv.Itoa(s.pli)},
	}
}

func stateRank(state string) int {
	if i := slices.Index([]string{"failed", "unfinished"}, state); i >= 0 {
		return i
	}
	return 2
}

// known orders missing values last.
func known(v metrics.Value) float64 {
	if !v.Valid() {
		return -1
	}
	return float64(v)
}

// trackSummary is the worst of a peer's received tracks, and the sums of its repairs.
type trackSummary struct {
	loss, lossWire, delay95, fps metrics.Value
	freezes, nack, pli           int
}

func summarise(tracks []metrics.TrackDetail) trackSummary {
	s := trackSummary{metrics.Missing(), metrics.Missing(), metrics.Missing(), metrics.Missing(), 0, 0, 0}
	worst := func(into *metrics.Value, v metrics.Value, higher bool) {
		if v.Valid() && (!into.Valid() || higher == (v > *into)) {
			*into = v
		}
	}
	for _, t := range tracks {
		worst(&s.loss, metrics.Value(t.Loss), true)
		worst(&s.lossWire, metrics.Value(t.LossWire), true)
		worst(&s.delay95, t.DelayP95MS, true)
		if t.Kind == "video" {
			worst(&s.fps, t.FPS, false)
		}
		s.freezes += t.FreezeCount
		s.nack += t.NACK
		s.pli += t.PLI
	}
	return s
}

// eventTable lists what happened, joins and leaves of a group within a second taken together.
func eventTable(run *metrics.Run, cells []CellRow) *Table {
	t := &Table{Columns: []Column{{"cell", false}, {"from start", true}, {"what", false}, {"peers", false}, {"detail", false}}}
	for i := range run.Cells {
		for _, m := range happenings(run.Cells[i].Events) {
			if len(t.Rows) >= maxEventRows {
				t.More++
				continue
			}
			t.Rows = append(t.Rows, []Field{
				{Text: cells[i].Name},
				{Text: fmt.Sprintf("%.1f s", m.at)},
				{Text: m.what},
				{Text: m.who()},
				{Text: cmp.Or(m.detail, absent)},
			})
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return dropEmpty(t)
}

// happening is the same thing happening to one or several peers at about the same time.
type happening struct {
	at     float64 // s
	what   string
	detail string
	peers  []string
}

func (h happening) who() string {
	if len(h.peers) > 4 {
		return fmt.Sprintf("%s, %s and %d more", h.peers[0], h.peers[1], len(h.peers)-2)
	}
	return strings.Join(h.peers, ", ")
}

// happenings merges equal events that follow each other within a second.
func happenings(events []metrics.Event) []happening {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b metrics.Event) int { return cmp.Compare(a.TS, b.TS) })
	var hs []happening
	last := map[[2]string]int{} // of what and detail, the index in hs
	until := map[[2]string]float64{}
	for _, e := range sorted {
		k := [2]string{e.What, e.Detail}
		i, ok := last[k]
		if !ok || e.TS-until[k] > 1 {
			i = len(hs)
			hs = append(hs, happening{at: e.TS, what: clean(e.What), detail: shorten(clean(e.Detail), 160)})
			last[k] = i
		}
		until[k] = e.TS
		if e.Peer != "" {
			hs[i].peers = append(hs[i].peers, clean(e.Peer))
		}
	}
	return hs
}
