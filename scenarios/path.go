package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// assign is a copy of n with the value at a path replaced; n itself stays as it is. The path
// must lead to something the file's language knows; what the user names must exist in n.
func assign(n *node, s *spec, steps []string, v *node) (*node, error) {
	if len(steps) == 0 {
		return v, nil
	}
	if n == nil || n.shape == nullShape {
		n = &node{place: v.place, shape: mapShape}
	}
	if s.kind == object && s.short != "" && n.shape == textShape {
		n = n.under(s.short)
	}
	switch {
	case s.kind == list && n.shape == listShape:
		return assignItem(n, s, steps, v)
	case s.kind != object && s.kind != named:
		return nil, fmt.Errorf("nothing stands below it, so %q leads nowhere", short(steps[0]))
	case n.shape != mapShape:
		return nil, errors.New("what stands there is no mapping")
	}
	sub := s.item
	switch {
	case s.kind == object:
		if sub = s.find(steps[0]); sub == nil {
			return nil, fmt.Errorf("unknown key %q%s", short(steps[0]), meant(steps[0], s.names()))
		}
	case s.pattern != identifierPattern: // keys with dots: metrics and paths
		steps = []string{strings.Join(steps, ".")}
	case n.get(steps[0]) == nil && len(steps) > 1:
		known := make([]string, len(n.entries))
		for i := range n.entries {
			known[i] = n.entries[i].key
		}
		return nil, fmt.Errorf("the file defines no %q there%s", short(steps[0]), meant(steps[0], known))
	}
	child, err := assign(n.get(steps[0]), sub, steps[1:], v)
	if err != nil {
		return nil, err
	}
	return n.with(steps[0], child), nil
}

func assignItem(n *node, s *spec, steps []string, v *node) (*node, error) {
	i, err := strconv.Atoi(steps[0])
	if err != nil || i < 0 || i >= len(n.items) {
		return nil, fmt.Errorf("%q is no index into its list of %d", short(steps[0]), len(n.items))
	}
	child, err := assign(n.items[i], s.item, steps[1:], v)
	if err != nil {
		return nil, err
	}
	c := *n
	c.items = append([]*node(nil), n.items...)
	c.items[i] = child
	return &c, nil
}

// within tells whether path a leads to b or to something that contains b.
func within(a, b string) bool { return a == b || strings.HasPrefix(b, a+".") }

// Override replaces one value of the file, as by --set PATH=VALUE.
type Override struct {
	Path  string // keys joined by dots: peers.people.count
	Value string // YAML
}

// change is a value that replaces one of the file, with the name of the flag that brought it.
type change struct {
	path, value, flag string
}

// changes are the overrides of the options, in the order in which they apply.
func (o Options) changes() []change {
	var list []change
	for _, s := range o.Set {
		shown := s.Value
		if within("server.turn.password", s.Path) || within("server.turn.secret", s.Path) ||
			within(s.Path, "server.turn.password") || within(s.Path, "server.turn.secret") {
			shown = "***"
		}
		list = append(list, change{s.Path, s.Value, "--set " + s.Path + "=" + shown})
	}
	for _, f := range []struct{ path, value string }{
		{"seed", o.Seed}, {"clock", o.Clock}, {"network", o.Network}, {"duration", o.Duration}, {"repeat", o.Repeat},
	} {
		if f.value != "" {
			list = append(list, change{f.path, f.value, "--" + f.path + " " + f.value})
		}
	}
	return list
}

// override applies the changes to the document. A path that the file varies becomes an axis of
// that one value, so that what the user sets is what runs.
func override(root *node, list []change, fs *faults) *node {
	for _, c := range list {
		p := place{override: c.flag}
		sub := &faults{}
		v := &node{place: p}
		if c.value != "" {
			v = readYAML(c.value, sub)
		}
		if v == nil {
			fs.at(p, "%s", sub.list[0].Message)
			continue
		}
		v = v.movedTo(p)
		steps := strings.Split(c.path, ".")
		if vary := root.get("vary"); vary != nil && vary.shape == mapShape && vary.get(c.path) != nil {
			v = &node{place: p, shape: listShape, items: []*node{v}}
			steps = []string{"vary", c.path}
		}
		changed, err := assign(root, language(), steps, v)
		if err != nil {
			fs.at(p, "%s", err)
			continue
		}
		root = changed
	}
	return root
}

// movedTo is a copy whose every part has the same place.
func (n *node) movedTo(p place) *node {
	c := *n
	c.place = p
	c.entries, c.items = nil, nil
	for _, e := range n.entries {
		c.entries = append(c.entries, entry{e.key, p, e.value.movedTo(p)})
	}
	for _, v := range n.items {
		c.items = append(c.items, v.movedTo(p))
	}
	return &c
}
