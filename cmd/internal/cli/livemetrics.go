package cli

import (
	"net/http"
	"strings"
	"sync"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// liveMetrics are the figures of the cell that was last heard of, as Prometheus collects them.
type liveMetrics struct {
	mu      sync.Mutex // guards what follows
	cell    string
	entries []metrics.Entry
}

// handler answers Prometheus.
func (l *liveMetrics) handler() (http.Handler, error) {
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(l); err != nil {
		return nil, err
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), nil
}

func (l *liveMetrics) take(cell string, entries []metrics.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cell, l.entries = cell, entries
}

// Describe implements prometheus.Collector: the metrics depend on what a run measures.
func (l *liveMetrics) Describe(chan<- *prometheus.Desc) {}

// liveLabels are the labels of every metric; stat is avg, p95, max or count.
func liveLabels() []string {
	return []string{"cell", "group", "topology", "kind", "direction", "candidate", "stat"}
}

// Collect implements prometheus.Collector.
func (l *liveMetrics) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	labels := liveLabels()
	for _, e := range l.entries {
		def, ok := metrics.Lookup(e.Name)
		if !ok {
			continue
		}
		d := prometheus.NewDesc("peerfleet_"+strings.ReplaceAll(e.Name, ".", "_"), def.Help+" ("+e.Unit+")", labels, nil)
		for _, s := range []struct {
			name  string
			value metrics.Value
		}{{"avg", e.Avg}, {"p95", e.P95}, {"max", e.Max}, {"count", metrics.Value(e.Count)}} {
			if s.value.Valid() {
				out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(s.value),
					l.cell, e.Tags.Group, e.Tags.Topology, e.Tags.Kind, e.Tags.Direction, e.Tags.Candidate, s.name)
			}
		}
	}
}
