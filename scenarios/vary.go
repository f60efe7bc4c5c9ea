package scenarios

import (
	"slices"
	"strings"
)

// The limits of what varies.
const (
	maxCells = 1000
	maxRuns  = 10_000    // cells times repeats
	maxWork  = 3_000_000 // values examined over all cells
)

// axis is one varied path and its values.
type axis struct {
	path   string
	at     place
	values []*node
}

// everyCell examines the file once for each combination of its axes and returns their models, in
// the file's order with later axes varying fastest.
func (p *parse) everyCell(root *node, top *value, s *Scenario) []*model {
	axes, ok := p.axes(root, top)
	if !ok {
		return nil
	}
	cells := 1
	for _, a := range axes {
		if cells *= len(a.values); cells > maxCells {
			p.at(a.at, "more than %d combinations", maxCells)
			return nil
		}
	}
	if cells*root.count() > maxWork {
		p.at(axes[0].at, "%d combinations are too many for a file this large", cells)
		return nil
	}
	if cells*s.Repeat > maxRuns {
		p.at(top.spot("repeat"), "repeat: %d times %d cells is more than %d runs", s.Repeat, cells, maxRuns)
		return nil
	}
	traces := map[string]traceResult{}
	var models []*model
	for i := range cells {
		models = append(models, p.oneCell(root, s, combination(axes, i), traces))
		p.cells++
	}
	p.cell = ""
	p.checkTotals(top, models, s)
	return models
}

// choice is an axis at one of its values.
type choice struct {
	axis
	value *node
}

func combination(axes []axis, i int) []choice {
	out := make([]choice, len(axes))
	for k, a := range slices.Backward(axes) {
		out[k] = choice{a, a.values[i%len(a.values)]}
		i /= len(a.values)
	}
	return out
}

func (p *parse) oneCell(root *node, s *Scenario, choices []choice, traces map[string]traceResult) *model {
	m := model{vary: map[string]any{}}
	var labels []string
	for _, c := range choices {
		labels = append(labels, c.path+"="+c.value.written())
		m.vary[c.path] = c.value.plain()
		changed, err := assign(root, language(), strings.Split(c.path, "."), c.value)
		if err != nil {
			p.at(c.at, "%s: %s", c.path, err)
			return &m
		}
		root = changed
	}
	slices.Sort(labels)
	m.id = strings.Join(labels, ",")
	p.cell = m.id
	top := check(root, language(), p.faults)
	if top == nil {
		return &m
	}
	b := &builder{
		faults: p.faults, options: p.options, dir: p.dir, root: top, traces: traces, model: m,
		sockets: s.Network == "sockets", hint: p.hint,
	}
	b.build()
	return &b.model
}

// axes reads vary and tells whether it can be multiplied out.
func (p *parse) axes(root *node, top *value) ([]axis, bool) {
	vary := root.get("vary")
	if vary == nil || vary.shape == nullShape {
		return nil, true
	}
	v := top.child("vary")
	if v == nil || len(v.names) != len(v.entries) {
		return nil, false
	}
	ok := true
	var axes []axis
	for _, e := range vary.entries {
		a := axis{e.key, e.at, e.value.items}
		if why := unvaried(a.path); why != "" {
			p.at(a.at, "%s", why)
			ok = false
		}
		if _, err := assign(root, language(), strings.Split(a.path, "."), a.values[0]); err != nil {
			p.at(a.at, "%s: %s", a.path, err)
			ok = false
		}
		for _, o := range axes {
			if within(o.path, a.path) || within(a.path, o.path) {
				p.at(a.at, "%s and %s vary the same thing", o.path, a.path)
				ok = false
			}
		}
		ok = p.distinct(a) && ok
		axes = append(axes, a)
	}
	return axes, ok
}

func (p *parse) distinct(a axis) bool {
	seen := map[string]bool{}
	for _, v := range a.values {
		label := v.written()
		if seen[label] {
			p.at(v.place, "%q stands twice among the values", short(label))
			return false
		}
		seen[label] = true
	}
	return true
}

// unvaried says why a path cannot vary; "" if it can.
func unvaried(path string) string {
	for _, secret := range []string{"server.turn.password", "server.turn.secret"} {
		if within(path, secret) {
			return path + " cannot vary: it holds a secret, and labels show what varies"
		}
	}
	switch first, _, _ := strings.Cut(path, "."); first {
	case "name", "description", "seed", "clock", "network", "repeat", "vary", "thresholds":
		return first + " cannot vary: it holds for the whole run"
	}
	return ""
}

// checkTotals bounds the plan as a whole.
func (p *parse) checkTotals(top *value, models []*model, s *Scenario) {
	peers, actions := 0.0, 0.0
	for _, m := range models {
		for i := range m.groups {
			peers += float64(m.groups[i].size())
			for _, a := range m.groups[i].actions {
				actions += float64(a.peers)
			}
		}
	}
	peers, actions = peers*float64(s.Repeat), actions*float64(s.Repeat)
	if peers > maxPeers {
		p.at(top.spot("peers"), "%.0f peers in %d cells; at most %d in a plan", peers, len(models)*s.Repeat, maxPeers)
	}
	if actions > maxActions {
		p.at(top.spot("peers"), "%.0f actions; at most %d in a plan", actions, maxActions)
	}
}
