package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	"github.com/peerfleet/peerfleet/clock"
	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/network/nat"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/peerfleet/peerfleet/sfu"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/antmedia"
	"github.com/peerfleet/peerfleet/turnserver"
	"github.com/pion/webrtc/v4"
)

// lab is everything a cell runs on: the network, the servers on ideal links, one host a peer.
type lab struct {
	net      emulator
	sim      *network.Simulated // the same, on a simulated network; else nil
	hosts    []network.Host     // by peer
	recorder *recorder          // of the traced peer; nil: nobody is
	stack    *bots.Stack
	target   func(peer int) signaling.Target
	server   network.Host // nil with a target of the user's
	sfu      *sfu.SFU
	rooms    *antmedia.Server
	turn     *turnserver.Server // nil: none
	turnHost network.Host
	stunOnly bool               // the TURN server answers no more than STUN to the peers
	secure   string             // signaling URL over TLS; "": none is needed
	roots    *x509.CertPool     // who vouches for the run's own servers; nil: none of them shows a certificate
	external []webrtc.ICEServer // a TURN server of the user's
	ttl      time.Duration      // of TURN credentials

	closers []func(context.Context) error // last opened, first closed
}

// emulator is a network that gives account of itself.
type emulator interface {
	network.Network
	Lateness() *metrics.Hist
	Overflows() uint64
	SocketCount() int
}

// newLab builds what the cell needs. On an error nothing is left open.
func newLab(ctx context.Context, plan scenarios.Plan, cell scenarios.Cell, c Config) (_ *lab, err error) {
	l := &lab{}
	if plan.Network == "simulated" {
		var settle func()
		if plan.Clock == "virtual" {
			settle = clock.Settle
		}
		l.sim = network.NewSimulated(network.SimulatedConfig{Settle: settle})
		l.net = l.sim
	} else {
		l.net = network.NewSockets(network.SocketsConfig{External: leavesMachine(plan.Target, cell), Logger: c.Logger})
	}
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
		spec := network.HostSpec{
			Name: p.Name, Up: p.Up, Down: p.Down, Gateway: p.Gateway, Firewall: p.Firewall, Seed: p.Seed,
		}
		if p.Name == c.Trace && l.sim != nil {
			l.recorder = &recorder{}
			spec.Tap = l.recorder.see
		}
		h, err := l.net.Attach(spec)
		if err != nil {
			return l, fmt.Errorf("attach %s: %w", p.Name, err)
		}
		l.hosts = append(l.hosts, h)
	}
	l.target = func(peer int) signaling.Target {
		at, trust := url, (*tls.Config)(nil)
		if l.secure != "" && cell.Peers[peer].Firewall == nat.TLS443Only {
			at, trust = l.secure, &tls.Config{RootCAs: l.roots, MinVersion: tls.VersionTLS12}
		}
		return antmedia.NewTarget(antmedia.TargetConfig{
			URL: at, TLS: trust, Dial: l.hosts[peer].DialContext, Logger: c.Logger,
			PairwiseMesh: plan.Target != "", Peers: membersByPlan(cell), MaxMessage: maxMessage(plan),
			Token: c.TargetToken,
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
	l.stunOnly = !t.Enabled && l.sim != nil // NATs need STUN, loopback does not
	if !t.Enabled && !l.stunOnly || len(t.URLs) == 0 && !onLoopback(target) {
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
	listen, listenTLS, allow := "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1/32"
	if l.sim != nil {
		ip, err := addressOf(host)
		if err != nil {
			return err
		}
		listen, listenTLS = netip.AddrPortFrom(ip, turnPort).String(), netip.AddrPortFrom(ip, tlsPort).String()
		allow = simulatedInternet
	}
	transports := t.Transports
	if l.stunOnly {
		transports = []string{turnserver.UDP}
	}
	var certificate *tls.Certificate
	if slices.Contains(transports, turnserver.TLS) {
		if certificate, err = l.identify(host); err != nil {
			return err
		}
	}
	l.turn, err = turnserver.New(turnserver.Config{
		Host: host, Listen: listen, Transports: transports, ListenTLS: listenTLS, Certificate: certificate,
		AllowPeers: []netip.Prefix{netip.MustParsePrefix(allow)},
		PeerQuota:  per, TotalQuota: per * len(cell.Peers), Logger: c.Logger,
		AnswerRate: per * len(cell.Peers) * 10, // every peer of the plan is the same source: loopback
	})
	if err != nil {
		return err
	}
	l.onClose(l.turn.Close)
	return nil
}

// The ports of servers that have a machine of their own.
const (
	signalingPort = 5080 // Ant Media Server's
	turnPort      = 3478
	tlsPort       = 443
)

// simulatedInternet has every public address of a simulated network.
const simulatedInternet = "198.18.0.0/15"

// addressOf is a host's first IPv4 address.
func addressOf(h network.Host) (netip.Addr, error) {
	interfaces, err := h.Interfaces()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			return netip.Addr{}, err
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				return netip.AddrFrom4([4]byte(n.IP.To4())), nil
			}
		}
	}
	return netip.Addr{}, errors.New("the host has no IPv4 address")
}

// iceGap keeps remote candidates apart where that is what decides, and time is free.
func (l *lab) iceGap() time.Duration {
	if l.sim == nil {
		return 0
	}
	return time.Microsecond
}

// startServer starts signaling and SFU and returns the signaling URL.
func (l *lab) startServer(cell scenarios.Cell, c Config) (string, error) {
	host, err := l.net.Attach(network.HostSpec{Name: "server"})
	if err != nil {
		return "", err
	}
	l.server = host
	if l.sfu, err = sfu.New(sfu.Config{Host: host, ICEGap: l.iceGap(), Logger: c.Logger}); err != nil {
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
	listen := "127.0.0.1:0"
	if l.sim != nil {
		ip, err := addressOf(host)
		if err != nil {
			return "", err
		}
		listen = netip.AddrPortFrom(ip, signalingPort).String()
	}
	listener, err := host.Listen("tcp", listen)
	if err != nil {
		return "", err
	}
	stops := []func(context.Context) error{serveHTTP(listener, l.rooms)}
	if behindTLSOnly(cell) {
		secure, err := l.listenTLS(host)
		if err != nil {
			return "", errors.Join(err, listener.Close())
		}
		stops = append(stops, serveHTTP(secure, l.rooms))
	}
	l.closers = append(l.closers, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, goodbye)
		defer cancel()
		errs := []error{l.rooms.Stop(ctx)}
		for _, stop := range stops {
			errs = append(errs, stop(ctx))
		}
		return errors.Join(errs...)
	})
	return "ws://" + listener.Addr().String() + signalingPath, nil
}

const signalingPath = "/live/websocket"

// behindTLSOnly tells whether any peer's firewall lets nothing but TLS out.
func behindTLSOnly(cell scenarios.Cell) bool {
	return slices.ContainsFunc(cell.Peers, func(p scenarios.Peer) bool { return p.Firewall == nat.TLS443Only })
}

// listenTLS opens signaling over TLS, for those who have no other way out.
func (l *lab) listenTLS(host network.Host) (net.Listener, error) {
	certificate, err := l.identify(host)
	if err != nil {
		return nil, err
	}
	ip, err := addressOf(host)
	if err != nil {
		return nil, err
	}
	port := uint16(0)
	if l.sim != nil {
		port = tlsPort
	}
	listener, err := host.Listen("tcp", netip.AddrPortFrom(ip, port).String())
	if err != nil {
		return nil, err
	}
	l.secure = "wss://" + listener.Addr().String() + signalingPath
	return tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}), nil
}

// identify makes a certificate of a server of the run, and has the peers trust it.
func (l *lab) identify(host network.Host) (*tls.Certificate, error) {
	ip, err := addressOf(host)
	if err != nil {
		return nil, err
	}
	certificate, _, err := identity.TLS(ip.String())
	if err != nil {
		return nil, fmt.Errorf("make TLS certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		return nil, err
	}
	if l.roots == nil {
		l.roots = x509.NewCertPool()
	}
	l.roots.AddCert(leaf)
	return certificate, nil
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
	if l.stunOnly {
		return []webrtc.ICEServer{{URLs: []string{stunOf(l.turn.URLs()[0])}}}
	}
	user, password := l.turn.Credentials(peer, l.ttl)
	return []webrtc.ICEServer{{URLs: l.turn.URLs(), Username: user, Credential: password}}
}

// stunOf is the STUN URI of a TURN server over UDP.
func stunOf(turn string) string {
	address, _, _ := strings.Cut(strings.TrimPrefix(turn, "turn:"), "?")
	return "stun:" + address
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
