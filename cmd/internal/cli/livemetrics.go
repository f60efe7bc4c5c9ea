package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// liveMetrics serves the figures of the cell in progress to Prometheus. A nil one serves nothing.
type liveMetrics struct {
	server *http.Server
	net    network.Network
	wg     sync.WaitGroup
	served error

	mu      sync.Mutex // guards what follows
	cell    string
	entries []metrics.Entry
}

// startLive listens on addr, loopback where it names no host; "" serves nothing.
func startLive(addr string) (*liveMetrics, error) {
	if addr == "" {
		return nil, nil
	}
	if strings.HasPrefix(addr, ":") {
		addr = "127.0.0.1" + addr
	}
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, usage("--metrics: %q is not ADDRESS:PORT", addr)
	}
	net := network.NewSockets(network.SocketsConfig{External: !at.Addr().IsLoopback()})
	host, err := net.Attach(network.HostSpec{Name: "metrics"})
	if err != nil {
		return nil, err
	}
	listener, err := host.Listen("tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve metrics: %w", err), net.Close())
	}
	l := &liveMetrics{net: net}
	registry := prometheus.NewPedanticRegistry()
	if err := registry.Register(l); err != nil {
		return nil, errors.Join(err, net.Close())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	l.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	l.wg.Go(func() {
		if err := l.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			l.served = err
		}
	})
	return l, nil
}

// observer takes the figures of a run as it goes; nil when nothing is served.
func (l *liveMetrics) observer() func(*metrics.Set, fleet.CellProgress) {
	if l == nil {
		return nil
	}
	return func(s *metrics.Set, c fleet.CellProgress) {
		entries := s.Entries()
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cell, l.entries = c.ID, entries
	}
}

// Describe implements prometheus.Collector: the metrics depend on what a run measures.
func (l *liveMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (l *liveMetrics) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	labels := []string{"cell", "group", "topology", "kind", "direction", "candidate", "stat"}
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

// Close stops serving and waits. It does nothing when nothing is served.
func (l *liveMetrics) Close(ctx context.Context) error {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil { // a scraper that does not finish
		_ = l.server.Close()
	}
	l.wg.Wait()
	return errors.Join(l.served, l.net.Close())
}
