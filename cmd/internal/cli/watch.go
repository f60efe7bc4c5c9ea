package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/cmd/internal/livepage"
	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
)

// watchers are those who look at a run in progress over HTTP: Prometheus, and people with a browser.
// Nil ones have asked for nothing.
type watchers struct {
	metrics *liveMetrics
	page    *livepage.Feed
	net     network.Network
	servers []*http.Server
	wg      sync.WaitGroup

	mu     sync.Mutex // guards what follows
	served error
}

// startWatchers listens on the addresses that are given, on loopback where they name no host. The
// two may be one.
func startWatchers(ctx context.Context, metricsAddr, pageAddr string) (_ *watchers, err error) {
	if metricsAddr == "" && pageAddr == "" {
		return nil, nil
	}
	muxes := map[netip.AddrPort]*http.ServeMux{}
	var order []netip.AddrPort
	at := func(flag, addr string) (*http.ServeMux, error) {
		if strings.HasPrefix(addr, ":") {
			addr = "127.0.0.1" + addr
		}
		a, err := netip.ParseAddrPort(addr)
		if err != nil {
			return nil, usage("%s: %q is not ADDRESS:PORT", flag, addr)
		}
		if muxes[a] == nil {
			muxes[a] = http.NewServeMux()
			order = append(order, a)
		}
		return muxes[a], nil
	}
	w := &watchers{}
	if metricsAddr != "" {
		mux, err := at("--metrics", metricsAddr)
		if err != nil {
			return nil, err
		}
		w.metrics = &liveMetrics{}
		handler, err := w.metrics.handler()
		if err != nil {
			return nil, err
		}
		mux.Handle("GET /metrics", handler)
	}
	if pageAddr != "" {
		mux, err := at("--live", pageAddr)
		if err != nil {
			return nil, err
		}
		w.page = &livepage.Feed{}
		mux.Handle("/", w.page.Handler())
	}
	external := false
	for _, a := range order {
		external = external || !a.Addr().IsLoopback()
	}
	w.net = network.NewSockets(network.SocketsConfig{External: external})
	host, err := w.net.Attach(network.HostSpec{Name: "watchers"})
	if err != nil {
		return nil, errors.Join(err, w.net.Close())
	}
	for _, a := range order {
		listener, err := host.Listen("tcp", a.String())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s: %w", a, err), w.Close(context.WithoutCancel(ctx)))
		}
		w.serve(listener, muxes[a])
	}
	return w, nil
}

func (w *watchers) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	w.servers = append(w.servers, server)
	w.wg.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.served = errors.Join(w.served, err)
		}
	})
}

// begin says which run comes next.
func (w *watchers) begin(name string) {
	if w != nil && w.page != nil {
		w.page.Begin(name)
	}
}

// observer takes the figures of a run as it goes; nil when nobody watches.
func (w *watchers) observer() func(*metrics.Set, fleet.CellProgress) {
	if w == nil {
		return nil
	}
	return func(s *metrics.Set, c fleet.CellProgress) {
		entries := s.Entries()
		if w.metrics != nil {
			w.metrics.take(c.ID, entries)
		}
		if w.page != nil {
			w.page.Add(c.ID, countsOf(entries, c))
		}
	}
}

// countsOf is what the page shows of a cell's figures.
func countsOf(entries []metrics.Entry, c fleet.CellProgress) livepage.Counts {
	counts := livepage.Counts{
		At: c.At, Phase: c.Phase, Planned: c.Planned, Joined: c.Joined, Connected: c.Connected, Failed: c.Failed,
		Left: c.Left, CPU: c.CPU, Lost: c.Lost, Expected: c.Expected, Up: c.Up, Down: c.Down, In: c.In, Out: c.Out,
		DelayP50MS: math.NaN(), DelayP95MS: math.NaN(),
	}
	for _, e := range entries { // of several groups, the worst
		if e.Name == "media.delay" {
			counts.DelayP50MS = worse(counts.DelayP50MS, e.Med)
			counts.DelayP95MS = worse(counts.DelayP95MS, e.P95)
		}
	}
	return counts
}

func worse(a float64, b metrics.Value) float64 {
	switch {
	case !b.Valid():
		return a
	case math.IsNaN(a):
		return float64(b)
	}
	return max(a, float64(b))
}

// Close stops serving and waits. It does nothing when nothing is served.
func (w *watchers) Close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for _, s := range w.servers {
		if s.Shutdown(ctx) != nil { // a reader that does not finish
			_ = s.Close()
		}
	}
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.served, w.net.Close())
}
