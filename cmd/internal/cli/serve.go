package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/sfu"
	"github.com/peerfleet/peerfleet/signaling/antmedia"
	"github.com/peerfleet/peerfleet/turnserver"
	"github.com/spf13/cobra"
)

// serveFlags are the flags of serve as given.
type serveFlags struct {
	http, tlsCert, tlsKey       string
	turn, turns, stunAlternate  string
	secret, secretFile          string
	users, usersFile, allow     []string
	realm, relayPorts, publicIP string
	quota, total, meshLimit     int
	mesh                        bool
	access                      accessFlags
}

func serveCommand(ctx context.Context, env Env) *cobra.Command {
	f := &serveFlags{}
	c := &cobra.Command{
		Use: "serve", Short: "Run the embedded signaling, SFU and TURN server until interrupted", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error { return serve(ctx, env, f) },
	}
	fl := c.Flags()
	fl.StringVar(&f.http, "http", "127.0.0.1:5080", "address of signaling")
	fl.StringVar(&f.tlsCert, "tls-cert", "", "certificate file: serve HTTPS")
	fl.StringVar(&f.tlsKey, "tls-key", "", "private key file of --tls-cert")
	fl.StringVar(&f.turn, "turn", "127.0.0.1:3478", "address of TURN over UDP and TCP; off to leave it out")
	fl.StringVar(&f.turns, "turns", "", "address of TURN over TLS and DTLS (not available yet)")
	fl.StringVar(&f.stunAlternate, "stun-alternate", "", "second address for NAT discovery (not available yet)")
	fl.StringVar(&f.secret, "turn-secret", "", "secret of TURN REST credentials (random when absent)")
	fl.StringVar(&f.secretFile, "turn-secret-file", "", "file that holds --turn-secret")
	fl.StringArrayVar(&f.users, "turn-user", nil, "static TURN user as USER:PASSWORD; repeatable")
	fl.StringArrayVar(&f.usersFile, "turn-user-file", nil, "file that holds a USER:PASSWORD; repeatable")
	fl.StringArrayVar(&f.allow, "turn-allow", nil, "permit relaying to a denied range, as CIDR; repeatable")
	fl.StringVar(&f.realm, "turn-realm", "", "TURN realm (default: fleet)")
	fl.StringVar(&f.relayPorts, "turn-relay-ports", "", "ports of relayed addresses, as MIN-MAX")
	fl.IntVar(&f.quota, "turn-quota", 100, "TURN allocations per user")
	fl.IntVar(&f.total, "turn-total", 0, "TURN allocations in all; 0: no limit")
	fl.BoolVar(&f.mesh, "mesh", false, "a joined room is a mesh, not two peers")
	fl.IntVar(&f.meshLimit, "mesh-limit", 6, "peers of a mesh room")
	f.access.register(fl)
	fl.StringVar(&f.publicIP, "public-ip", "", "address to advertise where a listener's own is unspecified")
	return c
}

// serve listens, says so, and waits for the end of ctx.
func serve(ctx context.Context, env Env, f *serveFlags) (err error) {
	plan, err := f.check()
	if err != nil {
		return err
	}
	net := network.NewSockets(network.SocketsConfig{External: plan.external})
	var closers []func() error
	stopping := context.WithoutCancel(ctx)
	defer func() {
		for i := len(closers) - 1; i >= 0; i-- {
			err = errors.Join(err, closers[i]())
		}
	}()
	closers = append(closers, net.Close)
	host, err := net.Attach(network.HostSpec{Name: "server"})
	if err != nil {
		return err
	}
	media, err := sfu.New(sfu.Config{Host: host, ListenAddr: netip.AddrPortFrom(plan.http.Addr(), 0).String()})
	if err != nil {
		return fmt.Errorf("start SFU: %w", err)
	}
	closers = append(closers, media.Close)
	ready := "ready http=" + plan.scheme + "://"
	config := plan.access
	config.Conference, config.Mesh, config.MeshLimit = media, f.mesh, f.meshLimit
	turnText := "off"
	if f.turn != "off" {
		turn, err := startTURN(host, f, plan)
		if err != nil {
			return err
		}
		closers = append(closers, turn.Close)
		turnText = strings.Join(turn.URLs(), ",")
		config.ICEServer = func() antmedia.ICEServer {
			user, password := turn.Credentials("room", 12*time.Hour)
			return antmedia.ICEServer{URI: turn.URLs()[0], Username: user, Credential: password}
		}
	}
	rooms := antmedia.NewServer(config)
	listener, err := host.Listen("tcp", plan.http.String())
	if err != nil {
		return fmt.Errorf("listen on %s: %w", f.http, err)
	}
	ready += listener.Addr().String()
	if plan.certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*plan.certificate}, MinVersion: tls.VersionTLS12})
	}
	stop := serveRooms(listener, rooms)
	closers = append(closers, func() error { return stop(stopping) })
	fmt.Fprintf(env.Stdout, "%s turn=%s\n", ready, turnText)
	<-ctx.Done()
	return nil
}

// serveRooms serves signaling until the returned function is called, which announces the stop and
// waits.
func serveRooms(listener net.Listener, rooms *antmedia.Server) func(context.Context) error {
	s := &http.Server{Handler: rooms, ReadHeaderTimeout: 10 * time.Second}
	var wg sync.WaitGroup
	var served error
	wg.Go(func() {
		if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			served = err
		}
	})
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
		defer cancel()
		err := errors.Join(rooms.Stop(ctx), s.Shutdown(ctx))
		wg.Wait()
		return errors.Join(err, served)
	}
}

// servePlan is what the flags of serve mean.
type servePlan struct {
	http        netip.AddrPort
	scheme      string
	certificate *tls.Certificate
	users       map[string]string
	secret      string
	allow       []netip.Prefix
	relayMin    uint16
	relayMax    uint16
	relayIP     netip.Addr
	external    bool // something listens off loopback
	access      antmedia.Config
}

// check reads the flags; every fault is reported.
func (f *serveFlags) check() (servePlan, error) {
	p := servePlan{scheme: "http", users: map[string]string{}, secret: f.secret}
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	var err error
	if p.http, err = netip.ParseAddrPort(f.http); err != nil {
		fault("--http: %q is not ADDRESS:PORT", f.http)
	}
	if f.publicIP != "" {
		if p.relayIP, err = netip.ParseAddr(f.publicIP); err != nil {
			fault("--public-ip: %q is not an IP address", f.publicIP)
		}
	}
	p.external = p.http.IsValid() && !p.http.Addr().IsLoopback()
	if p.http.IsValid() && p.http.Addr().IsUnspecified() && f.publicIP == "" {
		fault("--http %s is unspecified: --public-ip must say which address to advertise", f.http)
	}
	if f.turns != "" {
		fault("--turns: TURN over TLS and DTLS is not available yet")
	}
	if f.stunAlternate != "" {
		fault("--stun-alternate: NAT discovery is not available yet")
	}
	errs = append(errs, f.checkTURN(&p)...)
	if p.access, err = f.access.check(); err != nil {
		errs = append(errs, err)
	}
	if (f.tlsCert == "") != (f.tlsKey == "") {
		fault("--tls-cert and --tls-key go together")
	} else if f.tlsCert != "" {
		certificate, err := tls.LoadX509KeyPair(f.tlsCert, f.tlsKey)
		if err != nil {
			fault("--tls-cert: %v", err)
		}
		p.certificate, p.scheme = &certificate, "https"
	}
	if f.mesh && f.access.strict {
		fault("--mesh and --strict: Ant Media Server has no mesh behind one room name")
	}
	if f.meshLimit < 2 || f.meshLimit > 64 {
		fault("--mesh-limit: %d is not between 2 and 64", f.meshLimit)
	}
	if err := errors.Join(errs...); err != nil {
		return p, usageError{err}
	}
	return p, nil
}

// checkTURN reads the flags of the TURN server into p.
func (f *serveFlags) checkTURN(p *servePlan) (errs []error) {
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if f.turn != "off" {
		if a, err := netip.ParseAddrPort(f.turn); err != nil {
			fault("--turn: %q is neither ADDRESS:PORT nor off", f.turn)
		} else if p.external = p.external || !a.Addr().IsLoopback(); a.Addr().IsUnspecified() && f.publicIP == "" {
			fault("--turn %s is unspecified: --public-ip must say which address to advertise", f.turn)
		}
	}
	if f.secretFile != "" {
		b, err := os.ReadFile(f.secretFile)
		if err != nil {
			fault("--turn-secret-file: %v", err)
		}
		p.secret = strings.TrimSpace(string(b))
	}
	users := f.users
	for _, file := range f.usersFile {
		b, err := os.ReadFile(file)
		if err != nil {
			fault("--turn-user-file: %v", err)
			continue
		}
		users = append(users, strings.TrimSpace(string(b)))
	}
	for i, u := range users {
		name, password, ok := strings.Cut(u, ":")
		if !ok || name == "" || password == "" {
			fault("--turn-user: user %d is not USER:PASSWORD", i+1) // the text is a secret
			continue
		}
		p.users[name] = password
	}
	for _, a := range f.allow {
		prefix, err := netip.ParsePrefix(a)
		if err != nil {
			fault("--turn-allow: %q is not a CIDR range", a)
		}
		p.allow = append(p.allow, prefix)
	}
	if f.relayPorts != "" {
		low, high, _ := strings.Cut(f.relayPorts, "-")
		a, errA := strconv.ParseUint(low, 10, 16)
		b, errB := strconv.ParseUint(high, 10, 16)
		if errA != nil || errB != nil || a == 0 || a > b {
			fault("--turn-relay-ports: %q is not MIN-MAX", f.relayPorts)
		}
		p.relayMin, p.relayMax = uint16(a), uint16(b)
	}
	if f.quota < 1 || f.total < 0 {
		fault("--turn-quota must be at least 1 and --turn-total not negative")
	}
	return errs
}

func startTURN(host network.Host, f *serveFlags, p servePlan) (*turnserver.Server, error) {
	turn, err := turnserver.New(turnserver.Config{
		Host: host, Listen: f.turn, Transports: []string{"udp", "tcp"}, Realm: f.realm, Secret: p.secret, Users: p.users,
		RelayIP: p.relayIP, RelayMinPort: p.relayMin, RelayMaxPort: p.relayMax,
		AllowPeers: p.allow, PeerQuota: f.quota, TotalQuota: f.total,
	})
	if err != nil {
		return nil, fmt.Errorf("start TURN server on %s: %w", f.turn, err)
	}
	return turn, nil
}
