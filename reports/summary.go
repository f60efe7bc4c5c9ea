package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/peerfleet/peerfleet/metrics"
)

// One screen of an ordinary terminal.
const (
	summaryWidth = 100
	summaryLines = 24
)

// Summary is the outcome on one screen, at most 24 lines of 100 characters, with a line break at
// the end. With colour it holds ANSI sequences, which take no room.
func Summary(d *Document, color bool) string {
	p := painter(color)
	lines := summaryHead(d, p)
	thresholds := summaryThresholds(d, p)
	peers := summaryPeers(d, p)
	audit := "audit  " + shorten(d.Audit, summaryWidth-7)
	if !strings.HasPrefix(d.Audit, "valid") && len(d.Cells) > 0 {
		audit = "audit  " + p(Bad, shorten(d.Audit, summaryWidth-7))
	}
	var cost []string
	if d.Cost != "" {
		cost = []string{"cost  " + shorten(d.Cost, summaryWidth-6)}
	}
	if d.TraceHash != "" {
		cost = append(cost, shorten("trace  "+d.TraceHash+" (the same in every run of the same packets)", summaryWidth))
	}
	room := summaryLines - len(lines) - len(peers) - len(cost) - 1 // the audit
	cells := summaryFigures(d, room, len(thresholds))
	room -= len(cells)
	if len(thresholds) > room {
		rest := len(thresholds) - room + 1
		thresholds = append(thresholds[:max(room-1, 0)], fmt.Sprintf("  … %d more in the report", rest))
	}
	lines = append(lines, thresholds...)
	lines = append(lines, peers...)
	lines = append(lines, cells...)
	lines = append(append(lines, cost...), audit)
	return strings.Join(lines, "\n") + "\n"
}

// summaryFigures leave thresholds a third of the room; matrices, which are read as a whole, leave
// them three lines.
func summaryFigures(d *Document, room, thresholds int) []string {
	if len(d.Pairs) > 0 {
		return summaryPairs(d, max(room-min(thresholds, 3), 5))
	}
	return summaryCells(d, max(room-min(thresholds, max(room/3, 4)), 5))
}

// painter wraps text in a state's colour, or leaves it alone.
func painter(color bool) func(State, string) string {
	return func(s State, text string) string {
		codes := map[State]string{Good: "1;32", Bad: "1;31", Note: "1;33"}
		if !color || codes[s] == "" {
			return text
		}
		return "\x1b[" + codes[s] + "m" + text + "\x1b[0m"
	}
}

func summaryHead(d *Document, p func(State, string) string) []string {
	word := strings.ToUpper(d.Verdict.Word)
	head := fmt.Sprintf("  exit %d  ", d.Verdict.ExitCode)
	name := shorten(d.Name, summaryWidth-len(word)-len(head)-utf8.RuneCountInString(after("  ", d.Speed)))
	lines := []string{p(stateOf(d.Verdict.Word), word) + head + name + after("  ", d.Speed)}
	for i, r := range d.Verdict.Reasons {
		if i == 3 {
			break
		}
		lines = append(lines, wrap(r, "  ", summaryWidth, 2)...)
	}
	var facts []string
	for _, f := range d.Facts {
		if f.Label != "started" {
			facts = append(facts, f.Label+" "+f.Text)
		}
	}
	return append(lines, shorten("  "+strings.Join(facts, " · "), summaryWidth))
}

// wrap breaks a text into at most so many indented lines; the last is cut.
func wrap(s, indent string, width, limit int) []string {
	var lines []string
	line := indent
	words := strings.Fields(s)
	for i, w := range words {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) > width {
			if len(lines) == limit-1 {
				return append(lines, shorten(line+" "+strings.Join(words[i:], " "), width))
			}
			lines = append(lines, line)
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += w
	}
	return append(lines, shorten(line, width))
}

func summaryThresholds(d *Document, p func(State, string) string) []string {
	if len(d.Thresholds) == 0 {
		return []string{"thresholds  none set"}
	}
	tally := map[string]int{}
	for _, t := range d.Thresholds {
		tally[t.Verdict]++
	}
	lines := []string{fmt.Sprintf("thresholds  %d failed, %d without data, %d passed", tally["fail"], tally["no data"], tally["pass"])}
	all := objectives(d.Thresholds)
	width := 0
	for _, o := range all {
		width = max(width, min(utf8.RuneCountInString(o.name()), 44))
	}
	for _, o := range all {
		word := map[string]string{"pass": "ok", "fail": "FAIL", "no data": "NONE"}[o.worst.Verdict]
		left := fmt.Sprintf("%-*s  %s", width, shorten(o.name(), 60), o.worst.Measured)
		if o.worst.Margin.Valid() {
			left += ", margin " + o.worst.MarginAs
		}
		if o.cells > 1 {
			if o.failed > 0 {
				left += fmt.Sprintf("; %d of %d cells failed, worst", o.failed, o.cells)
			} else {
				left += fmt.Sprintf("; worst of %d cells", o.cells)
			}
		}
		if o.worst.CellName != "" && len(d.Cells) > 1 && (o.cells == 1 || o.differ) {
			left += ": " + o.worst.CellName
		}
		lines = append(lines, "  "+p(stateOf(o.worst.Verdict), fmt.Sprintf("%-4s", word))+" "+shorten(left, summaryWidth-7))
	}
	return lines
}

// objective is one threshold over all cells.
type objective struct {
	worst         *Threshold
	cells, failed int
	differ        bool // not every cell has the same figure
}

func (o *objective) name() string { return clean(o.worst.Metric) + " " + clean(o.worst.Expr) }

// objectives takes equal thresholds of several cells together, in the order of the worst of each.
func objectives(ts []Threshold) []objective {
	var all []objective
	at := map[[2]string]int{}
	for i := range ts {
		t := &ts[i]
		k := [2]string{t.Metric, t.Expr}
		j, ok := at[k]
		if !ok {
			j = len(all)
			at[k] = j
			all = append(all, objective{worst: t})
		}
		o := &all[j]
		o.cells++
		if t.Verdict != "pass" {
			o.failed++
		}
		o.differ = o.differ || t.Measured != o.worst.Measured
		if t.Verdict == o.worst.Verdict && t.Margin < o.worst.Margin {
			o.worst = t
		}
	}
	return all
}

func summaryPeers(d *Document, p func(State, string) string) []string {
	c := d.Peers
	s := fmt.Sprintf("peers  %d planned, %d joined, %d connected, ", c.Planned, c.Joined, c.Connected)
	failed := fmt.Sprintf("%d failed", c.Failed)
	if c.Failed > 0 {
		failed = p(Bad, failed)
	}
	s += failed
	if c.Unfinished > 0 {
		s += fmt.Sprintf(", %d unfinished", c.Unfinished)
	}
	if kinds := failureKinds(c.Failures, 3); kinds != "" {
		s += ": " + shorten(kinds, 40)
	}
	return []string{s}
}

// summaryCells is a table of the key figures in at most so many lines.
func summaryCells(d *Document, room int) []string {
	if len(d.Cells) == 0 {
		return nil
	}
	repeats, server, turn := false, false, false
	var fastest float64
	for i := range d.Cells {
		c := &d.Cells[i]
		repeats = repeats || c.Repeat > 0
		server = server || c.ServerOut > 0
		turn = turn || c.relayed()
		for _, v := range []metrics.Value{c.Up, c.Down, c.ServerOut, c.TURN} {
			if v.Valid() {
				fastest = max(fastest, math.Abs(float64(v)))
			}
		}
	}
	unit, scale, decimals := "kbit/s", 1e-3, 0
	if fastest >= 2e6 {
		unit, scale, decimals = "Mbit/s", 1e-6, 2
	}
	title := fmt.Sprintf("cells  connect, delay: p50/p95 in ms (samples); up, down per peer and servers in %s; loss in %%", unit)
	header := []string{"topology", "N", "connect", "up", "down"}
	if server {
		header = append(header, "server out")
	}
	if turn {
		header = append(header, "TURN")
	}
	rows := [][]string{append(header, "delay", "loss", "fps")}
	for i := range d.Cells {
		c := &d.Cells[i]
		if !c.measured() {
			continue
		}
		top := c.Topology
		if c.Label != "" {
			top += " " + labelValues(c.Label)
		}
		if repeats {
			top += fmt.Sprintf(" #%d", c.Repeat+1)
		}
		row := []string{
			top, strconv.Itoa(c.Participants), pair(c.Connect50, c.Connect95, 0, c.Connects),
			fixed(c.Up, scale, decimals), fixed(c.Down, scale, decimals),
		}
		if server {
			row = append(row, carried(c.ServerOut, scale, decimals))
		}
		if turn {
			row = append(row, carried(c.TURN, scale, decimals))
		}
		rows = append(rows, append(row, pair(c.Delay50, c.Delay95, 1, c.Delays), fixed(c.Loss, 100, 2), fixed(c.FPS, 1, 1)))
	}
	if len(rows) == 1 {
		return nil
	}
	more := 0
	if len(rows)+1 > room {
		more = len(rows) + 1 - room + 1
		rows = rows[:max(room-2, 1)]
	}
	lines := append([]string{title}, columns(rows)...)
	if more > 0 {
		lines = append(lines, fmt.Sprintf("… %s in the report", count(more, "more cell")))
	}
	return lines
}

// measured tells whether there is any figure to show.
func (c *CellRow) measured() bool {
	return slices.ContainsFunc([]metrics.Value{c.Connect50, c.Up, c.Down, c.ServerOut, c.TURN, c.Delay50, c.Loss, c.FPS}, metrics.Value.Valid)
}

// carried is what a server carried; nothing is no figure beside those that carried something.
func carried(v metrics.Value, scale float64, decimals int) string {
	if v <= 0 {
		return absent
	}
	return fixed(v, scale, decimals)
}

// pair is two percentiles in ms and how many samples they are of.
func pair(p50, p95 metrics.Value, decimals int, n uint64) string {
	if !p50.Valid() && !p95.Valid() {
		return absent
	}
	return fmt.Sprintf("%s/%s (%d)", fixed(p50, 1, decimals), fixed(p95, 1, decimals), n)
}

// labelValues leaves only the values of a label such as "link=home, loss=2%".
func labelValues(label string) string {
	parts := strings.Split(label, ", ")
	for i, p := range parts {
		parts[i] = p[strings.IndexByte(p, '=')+1:]
	}
	return strings.Join(parts, " ")
}

// columns lines text up, the first column to the left, the rest to the right.
func columns(rows [][]string) []string {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, f := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(f))
		}
	}
	total := 2 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	widths[0] = max(min(widths[0], widths[0]-total+summaryWidth), 8)
	lines := make([]string, len(rows))
	for i, r := range rows {
		var b strings.Builder
		r[0] = shorten(r[0], widths[0])
		for j, f := range r {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(f))
			switch {
			case j == 0:
				b.WriteString(f + pad)
			default:
				b.WriteString("  " + pad + f)
			}
		}
		lines[i] = strings.TrimRight(b.String(), " ")
	}
	return lines
}
