package scenarios

import (
	"fmt"
	"strings"
	"time"
)

// value is a node that fits its spec, decoded.
type value struct {
	*node
	whole    int64
	unsigned uint64
	real     float64
	time     time.Duration
	flag     bool
	keys     map[string]*value
	names    []string // of keys, in the order of the file
	list     []*value
}

// child is the value of a key; nil if it is absent or was at fault.
func (v *value) child(key string) *value {
	if v == nil {
		return nil
	}
	return v.keys[key]
}

// has tells whether a key stands in the file, at fault or not.
func (v *value) has(key string) bool { return v != nil && v.node.get(key) != nil }

// spot is the place of a key's value, or of the whole where it has no such key.
func (v *value) spot(key string) place {
	if n := v.node.get(key); n != nil {
		return n.place
	}
	return v.place
}

// check compares a node with its spec and decodes it; nil if it is at fault itself. Faults of
// parts leave the rest usable, so that one reading finds all of them.
func check(n *node, s *spec, fs *faults) *value {
	v := &value{node: n}
	switch s.kind {
	case object:
		return checkObject(v, s, fs)
	case named:
		return checkNamed(v, s, fs)
	case list:
		return checkList(v, s, fs)
	case anything:
		return v
	}
	if err := decode(v, s); err != nil {
		fs.at(n.place, "%s", err)
		return nil
	}
	return v
}

func checkObject(v *value, s *spec, fs *faults) *value {
	n := v.node
	if s.short != "" && n.shape == textShape {
		v.node = n.under(s.short)
		n = v.node
	}
	if n.shape == nullShape && len(required(s)) == 0 {
		return v // "people:" with nothing behind it: all defaults
	}
	if n.shape != mapShape {
		fs.at(n.place, "a mapping is wanted here, not %s; its keys are %s", n.shape, strings.Join(s.names(), ", "))
		return nil
	}
	v.keys = make(map[string]*value, len(n.entries))
	for _, e := range n.entries {
		sub := s.find(e.key)
		if sub == nil {
			fs.at(e.at, "unknown key %q%s", short(e.key), meant(e.key, s.names()))
			continue
		}
		if c := check(e.value, sub, fs); c != nil {
			v.keys[e.key] = c
		}
	}
	for _, name := range required(s) {
		if n.get(name) == nil {
			fs.at(n.place, "%s is missing", name)
		}
	}
	return v
}

func required(s *spec) []string {
	var names []string
	for _, k := range s.keys {
		if k.required {
			names = append(names, k.name)
		}
	}
	return names
}

func checkNamed(v *value, s *spec, fs *faults) *value {
	if v.shape != mapShape && !(v.shape == nullShape && s.least == 0) {
		fs.at(v.place, "a mapping is wanted here, not %s", v.shape)
		return nil
	}
	if err := checkCount(len(v.entries), s, "entries"); err != nil {
		fs.at(v.place, "%s", err)
		return nil
	}
	v.keys = make(map[string]*value, len(v.entries))
	for _, e := range v.entries {
		if !s.pattern.MatchString(e.key) {
			fs.at(e.at, "%q cannot be a name here; it must be %s", short(e.key), s.rule)
			continue
		}
		if c := check(e.value, s.item, fs); c != nil {
			v.keys[e.key] = c
			v.names = append(v.names, e.key)
		}
	}
	return v
}

func checkList(v *value, s *spec, fs *faults) *value {
	if s.single && v.shape != listShape && v.shape != nullShape {
		v.node = &node{place: v.place, shape: listShape, items: []*node{v.node}}
	}
	if v.shape != listShape {
		fs.at(v.place, "a list is wanted here, not %s; write [%s]", v.shape, short(v.written()))
		return nil
	}
	if err := checkCount(len(v.items), s, "items"); err != nil {
		fs.at(v.place, "%s", err)
		return nil
	}
	seen := map[string]bool{}
	for _, n := range v.items {
		if scalar(s.item.kind) && seen[n.text] {
			fs.at(n.place, "%q stands twice in this list", short(n.text))
			continue
		}
		seen[n.text] = true
		if c := check(n, s.item, fs); c != nil {
			v.list = append(v.list, c)
		}
	}
	return v
}

func scalar(k kind) bool { return k == text || k == word }

func checkCount(n int, s *spec, what string) error {
	if n < s.least {
		return fmt.Errorf("empty; at least %d of its %s must be there", s.least, what)
	}
	if n > s.limit() {
		return fmt.Errorf("%d %s; at most %d", n, what, s.limit())
	}
	return nil
}
