package scenarios

import (
	"errors"

	"github.com/peerfleet/peerfleet/metrics"
)

func (b *builder) buildThresholds() []metrics.Threshold {
	v := b.root.child("thresholds")
	if v == nil {
		return nil
	}
	var all []metrics.Threshold
	for _, e := range v.entries {
		list := v.child(e.key)
		if list == nil {
			continue
		}
		if t, err := metrics.ParseThreshold(e.key, "count >= 0"); err != nil {
			b.each(e.at, err)
			continue
		} else if g := t.Selector.Group; g != "" && b.root.child("peers") != nil && !b.root.child("peers").has(g) {
			b.at(e.at, "no group %q%s", g, meant(g, b.root.child("peers").names))
		}
		for _, w := range list.list {
			if t, ok := b.threshold(e.key, w); ok {
				all = append(all, t)
			}
		}
	}
	return all
}

func (b *builder) threshold(metric string, w *value) (metrics.Threshold, bool) {
	expr := w.child("expr")
	if expr == nil {
		return metrics.Threshold{}, false
	}
	t, err := metrics.ParseThreshold(metric, expr.text)
	if err != nil {
		b.each(expr.place, err)
		return t, false
	}
	if v := w.child("abort"); v != nil {
		t.Abort = v.flag
	}
	if v := w.child("optional"); v != nil {
		t.Optional = v.flag
	}
	if v := w.child("after"); v != nil {
		t.After = v.time
		if !t.Abort {
			b.at(v.place, "after says when an abort may come; it needs abort: true")
		}
	}
	return t, true
}

// each reports the parts of a joined error one by one.
func (b *builder) each(p place, err error) {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			b.at(p, "%s", e)
		}
		return
	}
	b.at(p, "%s", err)
}
