package antmedia

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
)

// maxIncoming bounds what a client reads: an offer of several hundred participants.
const maxIncoming = 8 << 20

// TargetConfig says where and how to reach a service.
type TargetConfig struct {
	// URL is the WebSocket of an application: ws://HOST:5080/<App>/websocket, or wss.
	URL string
	// Dial opens the stream to the service.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is for wss; nil trusts what the system trusts.
	TLS *tls.Config
	// PairwiseMesh builds meshes from pairs, "<room>-<a>-<b>" with the two IDs in order, as a
	// service without our mesh extension needs it.
	PairwiseMesh bool
	// Peers lists who will be in a mesh room, the joining peer included or not. PairwiseMesh
	// needs it, since such a service keeps no list.
	Peers func(room string) []string
	// Token, where set, is asked for what is shown to the service on entering: for the room of a
	// conference, or the ID joined in p2p and mesh. It must not block.
	Token func(id string) string
	// Logger gets what goes wrong while a session lasts; nil discards it.
	Logger *slog.Logger
	// MaxMessage is the longest message the service reads, in bytes; a session that would have
	// to send a longer one ends with an error. 0 is 81,920, Ant Media Server's own limit.
	MaxMessage int
}

// Target is a service that speaks the protocol: a Server or an Ant Media Server. It is safe for
// concurrent use.
type Target struct {
	config TargetConfig
	log    *slog.Logger
}

var _ signaling.Target = (*Target)(nil)

// NewTarget makes a target; nothing is dialled before Join.
func NewTarget(c TargetConfig) *Target {
	if c.MaxMessage == 0 {
		c.MaxMessage = 81_920
	}
	if c.Token == nil {
		c.Token = func(string) string { return "" }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Target{config: c, log: c.Logger}
}

// Join opens a socket of its own for the peer and enters the room. It returns with the
// service's start of the first stream, or its first offer where nothing is published, or, in
// p2p and mesh rooms, its admission. A refusal is a *ServiceError; an HTTP answer a
// *StatusError; causes from the network and TLS are in the chain.
func (t *Target) Join(ctx context.Context, p signaling.Participant) (signaling.Session, error) {
	if err := t.check(p); err != nil {
		return nil, fmt.Errorf("join room %q: %w", p.Room, err)
	}
	ws, err := t.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("join room %q: dial %s: %w", p.Room, t.config.URL, err)
	}
	s := newSession(ctx, t, p, ws)
	if err := s.enter(ctx); err != nil {
		return nil, fmt.Errorf("join room %q: %w", p.Room, err)
	}
	return s, nil
}

func (t *Target) check(p signaling.Participant) error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !validName(p.ID) {
		fault("peer ID %q: want 1 to %d of A-Z a-z 0-9 . _ -", p.ID, maxName)
	}
	if !validName(p.Room) {
		fault("room %q: want 1 to %d of A-Z a-z 0-9 . _ -", p.Room, maxName)
	}
	if p.Connector == nil {
		fault("no connector")
	}
	if t.config.Dial == nil {
		fault("no dial function")
	}
	switch p.Topology {
	case signaling.TopologyConference, signaling.TopologyP2P:
	case signaling.TopologyMesh:
		if t.config.PairwiseMesh && t.config.Peers == nil {
			fault("a pairwise mesh needs the list of its peers")
		}
	default:
		fault("unknown topology %q", p.Topology)
	}
	for _, s := range p.Streams {
		if err := checkStream(p, s); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func checkStream(p signaling.Participant, s signaling.Stream) error {
	if p.Topology != signaling.TopologyConference {
		return nil // streams have no names of their own between peers
	}
	if !validName(s.ID) {
		return fmt.Errorf("stream ID %q: want 1 to %d of A-Z a-z 0-9 . _ -", s.ID, maxName)
	}
	if s.ID == p.Room {
		return fmt.Errorf("stream ID %q is the room's", s.ID)
	}
	return nil
}

func (t *Target) dial(ctx context.Context) (*websocket.Conn, error) {
	stop := func() bool { return true }
	d := websocket.Dialer{
		TLSClientConfig:  t.config.TLS,
		HandshakeTimeout: 45 * time.Second,
		NetDialContext: func(dialing context.Context, network, addr string) (net.Conn, error) {
			conn, err := t.config.Dial(dialing, network, addr)
			if err == nil {
				// The handshake itself listens to deadlines only, not to a cancellation.
				stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
	}
	ws, resp, err := d.DialContext(ctx, t.config.URL, nil)
	cut := !stop()
	if resp != nil {
		_ = resp.Body.Close() // holds memory at most, not the connection
	}
	switch {
	case err == nil && cut:
		_ = ws.Close() // the context has closed it already
		return nil, ctx.Err()
	case err == nil:
		return ws, nil
	case cut:
		return nil, ctx.Err()
	case resp != nil && errors.Is(err, websocket.ErrBadHandshake):
		return nil, &StatusError{Code: resp.StatusCode}
	default:
		return nil, err
	}
}
