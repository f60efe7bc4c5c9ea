package scenarios

import (
	"cmp"
	"slices"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

func (b *builder) buildLinks() {
	b.links = map[string]link{}
	for _, p := range Presets() {
		b.links[p.Name] = link{up: p.Up, down: p.Down, firewall: nat.Open}
	}
	v := b.root.child("links")
	if v == nil {
		return
	}
	for _, name := range v.names {
		b.links[name] = b.link(name, v.child(name))
	}
}

func (b *builder) link(name string, v *value) link {
	l := link{gateway: b.gateway(name, v.child("nat")), firewall: nat.Open}
	l.up, l.down = b.direction(v, "up"), b.direction(v, "down")
	if rtt := v.child("rtt"); rtt != nil {
		for _, side := range []string{"up", "down"} {
			if d := v.child(side); d.has("delay") {
				b.at(d.spot("delay"), "%s.delay and rtt say the same thing twice; give one", side)
			}
		}
		l.up.Delay, l.down.Delay = rtt.time/2, rtt.time/2
	}
	if w := v.child("firewall"); w != nil {
		l.firewall = nat.Firewall(w.text)
	}
	return l
}

func (b *builder) direction(v *value, side string) impair.Profile {
	d := v.child(side)
	var p impair.Profile
	if d == nil {
		return p
	}
	o := overlay(d)
	apply(&p, o)
	b.checkBurst(d, p, o)
	if w := d.child("trace"); w != nil {
		if d.has("rate") {
			b.at(w.place, "trace takes the place of rate; give one")
		}
		p.Trace = b.trace(w)
	}
	for _, w := range listOfValue(d.child("schedule")) {
		p.Schedule = append(p.Schedule, b.change(w, p))
	}
	slices.SortStableFunc(p.Schedule, func(x, y impair.Change) int { return cmp.Compare(x.At, y.At) })
	return p
}

func (b *builder) change(w *value, base impair.Profile) impair.Change {
	c := impair.Change{At: timeOr(w.child("at"), 0), For: timeOr(w.child("for"), 0)}
	if v := w.child("blackout"); v != nil {
		c.Blackout = v.flag
	}
	set := w.child("set")
	switch {
	case w.has("set") && w.has("blackout") && c.Blackout:
		b.at(w.spot("set"), "set has no meaning in a blackout")
	case !w.has("set") && !c.Blackout:
		b.at(w.place, "a change needs set or blackout: true")
	case w.has("set") && set != nil && len(set.node.entries) == 0:
		b.at(set.place, "set changes nothing")
	}
	if set != nil {
		c.Set = overlay(set)
		apply(&base, c.Set)
		b.checkBurst(set, base, c.Set)
	}
	return c
}

// checkBurst refuses a loss that bursts of the wanted length cannot make up: losing a share m in
// bursts of b packets on average needs b of at least m/(1-m).
func (b *builder) checkBurst(d *value, p impair.Profile, o impair.Overlay) {
	m := p.LossRatio
	if p.Burst <= 1 || m >= 1 || o.LossRatio == nil && o.Burst == nil {
		return
	}
	if least := m / (1 - m); p.Burst < least {
		b.at(d.spot("burst"), "burst: %s is impossible at %s%% loss; bursts are then at least %.3g packets long",
			plainNumber(p.Burst), plainNumber(m*100), least)
	}
}

// overlay is what a mapping of profile keys sets.
func overlay(d *value) impair.Overlay {
	var o impair.Overlay
	if v := d.child("rate"); v != nil {
		o.RateBPS = &v.whole
	}
	if v := d.child("queue"); v != nil {
		size := int(v.whole)
		o.QueueBytes, o.QueueTime = &size, &v.time
	}
	if v := d.child("aqm"); v != nil {
		o.AQM = ptr(impair.AQM(v.text))
	}
	if v := d.child("distribution"); v != nil {
		o.Distribution = ptr(impair.Distribution(v.text))
	}
	if v := d.child("order"); v != nil {
		o.Order = ptr(impair.Order(v.text))
	}
	o.Delay, o.Jitter, o.ReorderBy = timeOf(d, "delay"), timeOf(d, "jitter"), timeOf(d, "reorder_by")
	o.LossRatio, o.Burst = realOf(d, "loss"), realOf(d, "burst")
	o.DuplicateRatio, o.CorruptRatio, o.ReorderRatio = realOf(d, "duplicate"), realOf(d, "corrupt"), realOf(d, "reorder")
	return o
}

func ptr[T any](v T) *T { return &v }

func timeOf(d *value, key string) *time.Duration {
	if v := d.child(key); v != nil {
		return &v.time
	}
	return nil
}

func realOf(d *value, key string) *float64 {
	if v := d.child(key); v != nil {
		return &v.real
	}
	return nil
}

// apply sets in a profile what an overlay names.
func apply(p *impair.Profile, o impair.Overlay) {
	set(&p.RateBPS, o.RateBPS)
	set(&p.QueueBytes, o.QueueBytes)
	set(&p.QueueTime, o.QueueTime)
	set(&p.AQM, o.AQM)
	set(&p.Delay, o.Delay)
	set(&p.Jitter, o.Jitter)
	set(&p.ReorderBy, o.ReorderBy)
	set(&p.Distribution, o.Distribution)
	set(&p.Order, o.Order)
	set(&p.LossRatio, o.LossRatio)
	set(&p.Burst, o.Burst)
	set(&p.DuplicateRatio, o.DuplicateRatio)
	set(&p.CorruptRatio, o.CorruptRatio)
	set(&p.ReorderRatio, o.ReorderRatio)
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// linkNamed finds a link of the file, or a preset.
func (b *builder) linkNamed(v *value) (link, bool) {
	l, ok := b.links[v.text]
	if ok {
		return l, true
	}
	if !b.root.child("links").has(v.text) {
		b.at(v.place, "no link %q in this file or among the presets%s", v.text, meant(v.text, sortedKeys(b.links)))
	}
	return link{}, false
}
