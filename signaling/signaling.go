// Package signaling is the contract between synthetic peers, a media server and a signaling
// dialect: how a peer enters a room, who negotiates which connection, and what leaves with it.
// It knows no dialect and no network.
package signaling

import (
	"context"
	"time"
)

// Topology is how the members of a room exchange media.
type Topology string

// The topologies.
const (
	TopologyP2P        Topology = "p2p"        // exactly two, directly
	TopologyMesh       Topology = "mesh"       // everyone with everyone, directly
	TopologyConference Topology = "conference" // through the server, one upload each
)

// Target is a signaling service that peers join. It is safe for concurrent use.
type Target interface {
	// Join enters the room and publishes p.Streams. It returns when the service has admitted
	// the peer; connections come up afterwards, through p.Connector. The context bounds only
	// the entering. The caller ends the session with Leave or Drop.
	Join(ctx context.Context, p Participant) (Session, error)
}

// Participant is a peer as a dialect sees it.
type Participant struct {
	ID        string // unique in its room; [A-Za-z0-9._-]
	Room      string
	Topology  Topology
	Streams   []Stream // published from the start
	Receive   bool     // wants the media of the others
	Connector Connector
}

// Stream is something a peer publishes: its camera (whose ID is the peer's) or a screen.
type Stream struct {
	ID           string
	Audio, Video bool
}

// Session is a peer's stay in a room. It is safe for concurrent use.
type Session interface {
	// Publish adds a stream; its connection is negotiated through the Connector.
	Publish(ctx context.Context, s Stream) error
	// Unpublish ends a stream.
	Unpublish(ctx context.Context, id string) error
	// RestartICE renegotiates every connection with fresh ICE credentials, or replaces it where
	// the dialect cannot.
	RestartICE(ctx context.Context) error
	// Ping asks the service for an answer and returns how long it took.
	Ping(ctx context.Context) (time.Duration, error)
	// Members lists the other participants of the room.
	Members(ctx context.Context) ([]string, error)
	// Leave says goodbye, closes every connection and the session.
	Leave(ctx context.Context) error
	// Drop closes the signaling without a goodbye and leaves the connections to die.
	Drop() error
	// Done is closed when the session has ended, for whatever reason.
	Done() <-chan struct{}
	// Err is why the session ended: nil after Leave or Drop and before the end.
	Err() error
}

// Connector makes the connections a session asks for; the peer implements it. A session calls
// it from one goroutine at a time.
type Connector interface {
	// Connect makes a connection. The session negotiates it and closes it when the far end is
	// gone; the peer may close it too.
	Connect(spec ConnectionSpec) (Connection, error)
}

// Purpose is what a connection is for.
type Purpose string

// The purposes.
const (
	ToPeer    Purpose = "peer"    // both ways, with another peer
	ToPublish Purpose = "publish" // one stream, to the server
	ToPlay    Purpose = "play"    // everyone's streams, from the server
)

// ConnectionSpec is a connection that a session wants.
type ConnectionSpec struct {
	ID      string // the dialect's name for it, unique in the session while it lasts
	Purpose Purpose
	Remote  string // the peer at the far end, as far as the dialect knows it; "" is the server
	Stream  string // ToPublish: the ID of the published stream
	// Signal hands a local candidate to the far end. It does not block; the session keeps
	// candidates back until the description they belong to has been sent.
	Signal func(Candidate)
}

// Connection is the media connection of a peer as a session negotiates it. A session calls one
// method at a time.
type Connection interface {
	// Offer makes an offer that carries the tracks the peer now publishes on this connection
	// and applies it locally.
	Offer(ctx context.Context, o OfferOptions) (sdp string, err error)
	// Answer applies a remote offer and returns the answer, applied locally. It works for first
	// offers and for renegotiation.
	Answer(ctx context.Context, offer Description) (sdp string, err error)
	// Accept applies the remote answer to the last Offer.
	Accept(ctx context.Context, answer Description) error
	// AddCandidate takes a remote candidate, before or after the description it belongs to.
	AddCandidate(c Candidate) error
	// Close ends the connection. It is idempotent.
	Close() error
}

// OfferOptions shape an offer.
type OfferOptions struct {
	RestartICE bool
	// Audio and Video are how many tracks of each kind the far end wants to send; the offer has
	// room for at least as many.
	Audio, Video int
}

// Description is a session description from the far end.
type Description struct {
	SDP string
	// Streams maps the mid of a media section to the published stream it carries. It is nil
	// where the dialect does not say; then a track's own media-stream ID names it.
	Streams map[string]string
}

// Candidate is an ICE candidate. An empty Candidate text marks the end of candidates.
type Candidate struct {
	Candidate string // the a=candidate value, without "a="
	MID       string
	MLine     int
}
