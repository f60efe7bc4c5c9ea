package metrics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// splitSelector cuts `name{…}` in two.
func splitSelector(metric string) (name, selector string, err error) {
	metric = strings.TrimSpace(metric)
	name, rest, braced := strings.Cut(metric, "{")
	name = strings.TrimSpace(name)
	switch {
	case name == "":
		return "", "", fmt.Errorf("%q names no metric", metric)
	case !braced && strings.Contains(name, "}"):
		return name, "", fmt.Errorf("%q: } without {", metric)
	case !braced:
		return name, "", nil
	case !strings.HasSuffix(rest, "}"):
		return name, "", fmt.Errorf("%q: the selector does not end with }", metric)
	}
	return name, rest[:len(rest)-1], nil
}

func tagNames() []string {
	return []string{"group", "room", "peer", "topology", "kind", "path", "direction", "candidate", "cell"}
}

// field returns where the value of a named tag is kept, nil for an unknown name.
func (t *Tags) field(name string) *string {
	switch name {
	case "group":
		return &t.Group
	case "room":
		return &t.Room
	case "peer":
		return &t.Peer
	case "topology":
		return &t.Topology
	case "kind":
		return &t.Kind
	case "path":
		return &t.Path
	case "direction":
		return &t.Direction
	case "candidate":
		return &t.Candidate
	case "cell":
		return &t.Cell
	}
	return nil
}

// parseSelector reads `tag=value,…`. A value may stand in double quotes. A cell's name has
// commas and equals signs of its own: what follows `cell=` and begins with no tag belongs to it.
func parseSelector(s string) (Tags, error) {
	var t Tags
	if strings.TrimSpace(s) == "" {
		return t, nil
	}
	var errs []error
	last := ""
	for _, part := range splitParts(s) {
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if last == "cell" && t.field(name) == nil && nearest(name, tagNames()) == "" && part != "" {
			t.Cell += "," + strings.TrimSpace(part)
			continue
		}
		last = name
		f := t.field(name)
		switch {
		case strings.TrimSpace(part) == "":
			errs = append(errs, fmt.Errorf("selector {%s}: empty between commas", s))
		case !ok:
			errs = append(errs, fmt.Errorf("selector {%s}: %q is not tag=value", s, strings.TrimSpace(part)))
		case f == nil:
			errs = append(errs, fmt.Errorf("unknown tag %q%s: one of %s is needed",
				name, didYouMean(name, tagNames()), strings.Join(tagNames(), " ")))
		case *f != "":
			errs = append(errs, fmt.Errorf("tag %q stands twice in {%s}", name, s))
		default:
			*f = unquote(value)
			if *f == "" {
				errs = append(errs, fmt.Errorf("tag %q has no value in {%s}", name, s))
			}
		}
	}
	return t, errors.Join(errs...)
}

// splitParts splits at commas outside double quotes.
func splitParts(s string) []string {
	var parts []string
	quoted, from := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// AppliesTo tells whether the threshold is judged in the cell with this ID: without a cell in the
// selector in all of them, else where the ID, or each of the selector's key=value parts, is the
// same.
func (t Threshold) AppliesTo(cell string) bool {
	want := t.Selector.Cell
	if want == "" || want == cell {
		return true
	}
	have := strings.Split(cell, ",")
	for part := range strings.SplitSeq(want, ",") {
		if !slices.Contains(have, part) {
			return false
		}
	}
	return true
}

// matches tells whether the key's tags have every value the selector names, the cell aside.
func (t *Threshold) matches(k Key) bool {
	s, g := &t.Selector, &k.Tags
	same := func(want, got string) bool { return want == "" || want == got }
	return k.Name == t.Name && same(s.Group, g.Group) && same(s.Room, g.Room) && same(s.Peer, g.Peer) &&
		same(s.Topology, g.Topology) && same(s.Kind, g.Kind) && same(s.Path, g.Path) &&
		same(s.Direction, g.Direction) && same(s.Candidate, g.Candidate)
}
