package scenarios

import "strings"

// place is where a value was written: in the file, or by a flag.
type place struct {
	line, column int
	override     string
}

// shape is the form of a node.
type shape uint8

const (
	nullShape shape = iota
	boolShape
	intShape
	floatShape
	textShape
	mapShape
	listShape
)

func (s shape) String() string {
	return [...]string{"nothing", "true or false", "a whole number", "a number", "text", "a mapping", "a list"}[s]
}

// node is a YAML value reduced to what a scenario needs: aliases resolved, merge keys applied.
// Nodes are never changed once read; set makes copies.
type node struct {
	place
	shape   shape
	text    string  // of a scalar, unquoted
	quoted  bool    // a scalar in quotes, or in block style
	entries []entry // of a mapping, in the order of the file
	items   []*node // of a list
}

// entry is a key of a mapping and its value.
type entry struct {
	key   string
	at    place
	value *node
}

// under is a mapping whose only value is the node.
func (n *node) under(key string) *node {
	return &node{place: n.place, shape: mapShape, entries: []entry{{key, n.place, n}}}
}

// get is the value of a key, nil if there is none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].value
		}
	}
	return nil
}

// with is a copy of a mapping in which key has another value; a new key comes last.
func (n *node) with(key string, v *node) *node {
	c := *n
	c.entries = append([]entry(nil), n.entries...)
	for i := range c.entries {
		if c.entries[i].key == key {
			c.entries[i].value = v
			return &c
		}
	}
	c.entries = append(c.entries, entry{key, v.place, v})
	return &c
}

// count is how many nodes there are, this one included.
func (n *node) count() int {
	total := 1
	for i := range n.entries {
		total += n.entries[i].value.count()
	}
	for _, v := range n.items {
		total += v.count()
	}
	return total
}

// written is the node in one line, as a label: flow style without spaces.
func (n *node) written() string {
	var parts []string
	switch n.shape {
	case mapShape:
		for i := range n.entries {
			parts = append(parts, n.entries[i].key+":"+n.entries[i].value.written())
		}
		return "{" + strings.Join(parts, ",") + "}"
	case listShape:
		for _, v := range n.items {
			parts = append(parts, v.written())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case nullShape:
		return "null"
	}
	return n.text
}

// plain is the node as a Go value: int, float64, bool, string, []any or map[string]any.
func (n *node) plain() any {
	switch n.shape {
	case nullShape:
		return nil
	case boolShape:
		return n.text == "true"
	case intShape:
		if i, err := parseInt(n.text); err == nil {
			return int(i)
		}
	case floatShape:
		if f, err := parseNumber(n.text); err == nil {
			return f
		}
	case mapShape:
		m := map[string]any{}
		for i := range n.entries {
			m[n.entries[i].key] = n.entries[i].value.plain()
		}
		return m
	case listShape:
		l := []any{}
		for _, v := range n.items {
			l = append(l, v.plain())
		}
		return l
	}
	return n.text
}
