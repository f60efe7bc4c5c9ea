package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/bots"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/peerfleet/peerfleet/sfu"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/antmedia"
	"github.com/peerfleet/peerfleet/turnserver"
	"github.com/pion/webrtc/v4"
)

// lab is everything a cell runs on: the network, the servers on ideal links, one host a peer.
type lab struct {
	net      *network.Sockets
	hosts    []network.Host // by peer
	stack    *bots.Stack
	target   func(peer int) signaling.Target
	server   network.Host // nil with a target of the user's
	sfu      *sfu.SFU
	rooms    *antmedia.Server
	turn     *turnserver.Server // nil: none
	turnHost network.Host
	external []webrtc.ICEServer // a TURN server of the user's
	ttl      time.Duration      // of TURN credentials

	closers []func(context.Context) error // last opened, first closed
}

// newLab builds what the cell needs. On an error nothing is left open.
func newLab(ctx context.Context, plan scenarios.Plan, cell scenarios.Cell, c Config) (_ *lab, err error) {
	l := &lab{net: network.NewSockets(network.SocketsConfig{External: leavesMachine(plan.Target, cell), Logger: c.Logger})}
	l.onClose(l.net.Close)
	l.ttl = cell.MeasureFrom() + cell.Duration + cell.JoinTimeout + time.Minute
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close(context.WithoutCancel(ctx)))
		}
	}()
	if l.stack, err = bots.NewStack(); err != nil {
		return l, err
	}
	if err := l.startTURN(plan.Target, cell, c); err != nil {
		return l, fmt.Errorf("start TURN server: %w", err)
	}
	url := plan.Target
	if url == "" {
		if url, err = l.startServer(cell, c); err != nil {
			return l, fmt.Errorf("start server: %w", err)
		}
	}
	for i := range cell.Peers {
		p := cell.Peers[i]
		h, err := l.net.Attach(network.HostSpec{
			Name: p.Name, Up: p.Up, Down: p.Down, NAT: p.NAT, Firewall: p.Firewall, Seed: p.Seed,
		})
		if err != nil {
			return l, fmt.Errorf("attach %s: %w", p.Name, err)
		}
		l.hosts = append(l.hosts, h)
	}
	l.target = func(peer int) signaling.Target {
		return antmedia.NewTarget(antmedia.TargetConfig{
			URL: url, Dial: l.hosts[peer].DialContext, Logger: c.Logger,
			PairwiseMesh: plan.Target != "", Peers: membersByPlan(cell), MaxMessage: maxMessage(plan),
		})
	}
	return l, nil
}

// maxMessage is the longest signaling message the server takes: the embedded one's own limit, or
// the target's default for a server of the user's.
func maxMessage(plan scenarios.Plan) int {
	if plan.Target == "" {
		return 2 << 20
	}
	return 0
}

// membersByPlan tells who is planned to be in a room: what a pairwise mesh needs to know.
func membersByPlan(cell scenarios.Cell) func(room string) []string {
	members := map[string][]string{}
	for i := range cell.Peers {
		members[cell.Peers[i].Room] = append(members[cell.Peers[i].Room], cell.Peers[i].Name)
	}
	return func(room string) []string { return members[room] }
}

// leavesMachine tells whether peers have to reach a host that is not loopback: the target, or a
// TURN server of the user's.
func leavesMachine(target string, cell scenarios.Cell) bool {
	if !onLoopback(target) {
		return true
	}
	return slices.ContainsFunc(cell.Server.TURN.URLs, func(u string) bool { return !onLoopback(u) })
}

// onLoopback tells whether a URL, or a TURN URI, names this machine; "" does.
func onLoopback(u string) bool {
	_, host, _ := strings.Cut(u, ":")
	host, _, _ = strings.Cut(strings.TrimPrefix(host, "//"), "/")
	host, _, _ = strings.Cut(host, "?")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return u == "" || host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// startTURN starts the bundled server, or takes the user's. A target elsewhere could not reach a
// relay on this machine's loopback, so it has none unless the scenario names one.
func (l *lab) startTURN(target string, cell scenarios.Cell, c Config) error {
	t := cell.Server.TURN
	if !t.Enabled || len(t.URLs) == 0 && !onLoopback(target) {
		return nil
	}
	if len(t.URLs) > 0 {
		user, password := t.Username, t.Password
		if t.Secret != "" {
			user, password = turnserver.RESTCredentials(t.Secret, "peerfleet", time.Now().Add(l.ttl))
		}
		l.external = []webrtc.ICEServer{{URLs: t.URLs, Username: user, Credential: password}}
		return nil
	}
	host, err := l.net.Attach(network.HostSpec{Name: "turn"})
	if err != nil {
		return err
	}
	l.turnHost = host
	per := 4 * len(cell.Peers) * max(1, len(t.Transports))
	l.turn, err = turnserver.New(turnserver.Config{
		Host: host, Listen: "127.0.0.1:0", Transports: t.Transports,
		AllowPeers: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		PeerQuota:  per, TotalQuota: per * len(cell.Peers), Logger: c.Logger,
		AnswerRate: per * len(cell.Peers) * 10, // every peer of the plan is the same source: loopback
	})
	if err != nil {
		return err
	}
	l.onClose(l.turn.Close)
	return nil
}

// startServer starts signaling and SFU and returns the signaling URL.
func (l *lab) startServer(cell scenarios.Cell, c Config) (string, error) {
	host, err := l.net.Attach(network.HostSpec{Name: "server"})
	if err != nil {
		return "", err
	}
	l.server = host
	if l.sfu, err = sfu.New(sfu.Config{Host: host, Logger: c.Logger}); err != nil {
		return "", err
	}
	l.onClose(l.sfu.Close)
	mesh := map[string]bool{}
	for _, r := range cell.Rooms {
		mesh[r.Name] = r.Topology == string(signaling.TopologyMesh)
	}
	l.rooms = antmedia.NewServer(antmedia.Config{
		Conference: l.sfu, Logger: c.Logger,
		Topology: func(room string) (int, bool) { return cell.Server.MeshLimit, mesh[room] },
	})
	listener, err := host.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	stop := serveHTTP(listener, l.rooms)
	l.closers = append(l.closers, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, goodbye)
		defer cancel()
		return errors.Join(l.rooms.Stop(ctx), stop(ctx))
	})
	return "ws://" + listener.Addr().String() + "/live/websocket", nil
}

// serveHTTP serves until the returned function is called, which waits for the serving goroutine.
func serveHTTP(listener net.Listener, h http.Handler) func(context.Context) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	var served error
	wg.Go(func() {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			served = err
		}
	})
	return func(ctx context.Context) error {
		err := s.Shutdown(ctx)
		wg.Wait()
		return errors.Join(err, served)
	}
}

// iceServers are what one peer is told of STUN and TURN.
func (l *lab) iceServers(peer string) []webrtc.ICEServer {
	if l.turn == nil {
		return l.external
	}
	user, password := l.turn.Credentials(peer, l.ttl)
	return []webrtc.ICEServer{{URLs: l.turn.URLs(), Username: user, Credential: password}}
}

func (l *lab) onClose(f func() error) {
	l.closers = append(l.closers, func(context.Context) error { return f() })
}

// Close closes everything, the last opened first.
func (l *lab) Close(ctx context.Context) error {
	var errs []error
	for i := len(l.closers) - 1; i >= 0; i-- {
		errs = append(errs, l.closers[i](ctx))
	}
	l.closers = nil
	return errors.Join(errs...)
}
