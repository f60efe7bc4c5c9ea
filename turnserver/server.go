package turnserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/turn/v4"
)

// The transports a server may listen on.
const (
	UDP = "udp"
	TCP = "tcp"
	TLS = "tls" // over TCP
)

// closeWait bounds how long Close waits for what the server started.
const closeWait = 5 * time.Second

// Config says where a server listens and what it permits. Only Host is required.
type Config struct {
	Host       network.Host // all sockets are opened here; the server does not close it
	Listen     string       // "host:port" with a literal IP; port 0: any free one; "": 127.0.0.1:0
	Transports []string     // UDP, TCP, TLS; none: the first two
	Realm      string       // short, since it enlarges every challenge; "": "fleet"

	// Without TLS among the transports neither is looked at.
	ListenTLS   string           // as Listen, for TLS, on a port of its own; "": Listen's IP and any free port
	Certificate *tls.Certificate // shown over TLS, which needs one

	Secret  string            // of the REST credentials; "": 32 random bytes
	Users   map[string]string // static long-term users and their passwords, beside the secret
	AuthTTL time.Duration     // lifetime of Credentials made without one; 0: 1 h

	RelayIP      netip.Addr     // handed out in relayed addresses; unset: the IP of Listen
	RelayMinPort uint16         // with RelayMaxPort: the ports of relays; both 0: any
	RelayMaxPort uint16         //
	AllowPeers   []netip.Prefix // peers relayed to although their range is special-purpose

	PeerQuota  int // allocations per user; 0: 100
	TotalQuota int // allocations of everybody; 0: 10 000
	AnswerRate int // unauthenticated UDP answers per source and second; 0: 10

	Logger *slog.Logger // nil: discard
}

// Server is a running TURN server. It is safe for concurrent use.
type Server struct {
	cfg       Config
	turn      *turn.Server
	sockets   sockets
	keys      *keyring
	peers     *peerPolicy
	relays    *relays
	quota     *quota
	guard     *guard
	running   sync.WaitGroup // read loops, listeners and allocations of pion/turn
	closeOnce sync.Once
	closeErr  error
}

// New opens the sockets and starts serving; the caller ends it with Close. It reports every fault
// of the configuration at once.
func New(cfg Config) (*Server, error) {
	at, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("configure TURN server: %w", err)
	}
	s := &Server{cfg: cfg}
	if s.sockets, err = openSockets(cfg.Host, at, cfg.Transports); err != nil {
		return nil, fmt.Errorf("open TURN server on %s: %w", at.plain, err)
	}
	s.keys = newKeyring(cfg)
	s.peers = &peerPolicy{allow: cfg.AllowPeers, relayIs4: cfg.RelayIP.Unmap().Is4()}
	s.relays = newRelays(cfg, at.plain.Addr(), s.sockets)
	s.quota = newQuota(cfg, s.keys, &s.running)
	s.guard = newGuard(cfg, s.keys.seed(), &s.running)
	if err := s.serve(); err != nil {
		return nil, errors.Join(fmt.Errorf("start TURN server: %w", err), s.sockets.close())
	}
	return s, nil
}

// serve hands the guarded sockets to pion/turn, which owns the goroutines that read them.
func (s *Server) serve() error {
	permit := func(_ net.Addr, ip net.IP) bool { return s.peers.permit(ip) }
	config := turn.ServerConfig{
		Realm:         s.cfg.Realm,
		AuthHandler:   s.keys.key,
		QuotaHandler:  s.quota.reserve,
		EventHandler:  s.quota.events(),
		LoggerFactory: logFactory{s.cfg.Logger},
	}
	if c := s.sockets.udp; c != nil {
		config.PacketConnConfigs = []turn.PacketConnConfig{{
			PacketConn: s.guard.packets(c), RelayAddressGenerator: s.relays, PermissionHandler: permit,
		}}
	}
	accept := func(l net.Listener) {
		config.ListenerConfigs = append(config.ListenerConfigs, turn.ListenerConfig{
			Listener: l, RelayAddressGenerator: s.relays, PermissionHandler: permit,
		})
	}
	if l := s.sockets.tcp; l != nil {
		accept(s.guard.streams(l, nil))
	}
	if l := s.sockets.tls; l != nil {
		accept(s.guard.streams(l, s.cfg.tls()))
	}
	var err error
	s.turn, err = turn.NewServer(config)
	return err
}

// URLs are the server's TURN URIs (RFC 7065), one for each transport, in the order UDP, TCP, TLS.
// A server that listens on all addresses names RelayIP.
func (s *Server) URLs() []string {
	var urls []string
	for _, t := range []struct {
		scheme, over string
		addr         netip.AddrPort
	}{{"turn", UDP, s.sockets.udpAddr}, {"turn", TCP, s.sockets.tcpAddr}, {"turns", TCP, s.sockets.tlsAddr}} {
		if !t.addr.IsValid() {
			continue
		}
		ip := t.addr.Addr()
		if ip.IsUnspecified() {
			ip = s.cfg.RelayIP
		}
		urls = append(urls, fmt.Sprintf("%s:%s?transport=%s", t.scheme, netip.AddrPortFrom(ip, t.addr.Port()), t.over))
	}
	return urls
}

// Credentials makes a REST credential for a user: the name carries its expiry, in seconds since
// 1970, and the password is derived from the secret. A ttl of 0 means Config.AuthTTL. Refreshing
// an allocation needs a credential, too, so ttl bounds how long an allocation lasts.
func (s *Server) Credentials(user string, ttl time.Duration) (username, password string) {
	if ttl == 0 {
		ttl = s.cfg.AuthTTL
	}
	return RESTCredentials(s.cfg.Secret, user, time.Now().Add(ttl))
}

// Close ends every allocation, closes all sockets and waits for what the server started. It is
// idempotent.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

// close keeps to an order in which pion/turn makes permissions and ends allocations in one goroutine,
// for it does not lock the one against the other: each stream's read loop ends what is its own, and
// the loop of the packets what is left. Closing the relayed addresses first would end allocations
// from their own loops.
func (s *Server) close() error {
	s.relays.refuse()
	done := make(chan error, 1)
	go func() { // ends with the last of the goroutines it waits for
		err := s.guard.closeStreams() // pion/turn leaves accepted streams open
		s.guard.streamLoops.Wait()
		err = errors.Join(err, s.turn.Close())
		s.running.Wait()
		done <- err
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case err := <-done:
		return errors.Join(err, s.relays.close())
	case <-timer.C:
		return errors.Join(s.relays.close(), fmt.Errorf("TURN server still busy after %v", closeWait))
	}
}
