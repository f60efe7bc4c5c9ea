package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxFaults bounds what one error lists.
const maxFaults = 100

// Fault is one thing wrong with a scenario, and where.
type Fault struct {
	File         string
	Line, Column int    // from 1, the column in characters; 0: not in the file
	Override     string // the flag that brought the value, "--set PATH=VALUE"; "": the file
	Message      string
	Text         string // the offending line, secrets masked
}

// ParseError lists every fault of a scenario, in the order of the file; faults of flags come
// first.
type ParseError struct {
	Faults  []Fault
	Omitted int // faults beyond those listed
}

// Error shows each fault with its place, the line and a caret under the column.
func (e *ParseError) Error() string {
	var b strings.Builder
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.String())
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.Omitted)
	}
	return b.String()
}

// String is the fault with its place; where it stands in the file, the line and a caret follow.
func (f Fault) String() string {
	switch {
	case f.Override != "":
		return f.Override + ": " + f.Message
	case f.Line == 0:
		return f.File + ": " + f.Message
	}
	head := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	if f.Text == "" {
		return head
	}
	line, caret := excerpt(f.Text, f.Column)
	return head + "\n    " + line + "\n    " + caret
}

// excerpt cuts a long line around the column and makes the line with the caret below it.
func excerpt(text string, column int) (line, caret string) {
	const before, width = 60, 100
	runes := []rune(text)
	at := min(max(column-1, 0), len(runes))
	if at > width-before/2 {
		cut := at - before
		runes, at = runes[cut:], before
	}
	if len(runes) > width {
		runes = runes[:width]
	}
	pad := make([]rune, at)
	for i := range pad {
		pad[i] = ' '
		if i < len(runes) && runes[i] == '\t' {
			pad[i] = '\t'
		}
	}
	return string(runes), string(pad) + "^"
}

// faults gathers what is wrong while a scenario is read.
type faults struct {
	file  string
	lines []string // of the file, secrets masked
	list  []Fault
	seen  map[Fault]bool
	cell  string // label of the cell under examination; "": the file as it stands
	cells map[Fault][]string
}

// at records a fault at a place. The same fault of several cells is kept once.
func (fs *faults) at(p place, format string, args ...any) {
	f := Fault{File: fs.file, Line: p.line, Column: p.column, Override: p.override, Message: fmt.Sprintf(format, args...)}
	if fs.seen == nil {
		fs.seen, fs.cells = map[Fault]bool{}, map[Fault][]string{}
	}
	if fs.cell != "" {
		fs.cells[f] = append(fs.cells[f], fs.cell)
	}
	if fs.seen[f] {
		return
	}
	fs.seen[f] = true
	fs.list = append(fs.list, f)
}

// err is what was found as a ParseError, nil if nothing. cells is how many were examined: a
// fault of every cell is one of the file, any other names its first cell.
func (fs *faults) err(cells int) error {
	if len(fs.list) == 0 {
		return nil
	}
	list := slices.Clone(fs.list)
	for i, f := range list {
		if in := fs.cells[f]; len(in) > 0 && len(in) < cells {
			list[i].Message += " (in cell " + in[0] + more(len(in)-1) + ")"
		}
		if f.Line > 0 && f.Line <= len(fs.lines) && f.Override == "" {
			list[i].Text = fs.lines[f.Line-1]
		}
	}
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	e := &ParseError{Faults: list}
	if len(list) > maxFaults {
		e.Faults, e.Omitted = list[:maxFaults], len(list)-maxFaults
	}
	return e
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// meant is the end of a message that proposes the nearest known word, or lists a few.
func meant(word string, known []string) string {
	best, distance := "", len(word)/3+2
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance = k, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) == 0 || len(known) > 12:
		return ""
	}
	return "; known are " + strings.Join(known, ", ")
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between
// two words. Words too long to be a near miss are simply far apart.
func editDistance(a, b string) int {
	if max(len(a), len(b)) > 64 || !utf8.ValidString(a) {
		return 64
	}
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(prev[j]+cost, prev[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(b)]
}
