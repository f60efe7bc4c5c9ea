package signalingtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// Connector is a signaling.Connector whose connections note what is done with them. Set its
// fields before use.
type Connector struct {
	// Audio and Video are how many tracks of each kind its peer connections send.
	Audio, Video int
	// Refuse, where set, is what Connect comes back with.
	Refuse error
	// Delay is how long each description takes to make.
	Delay time.Duration
	// Description, where set, makes the descriptions.
	Description func(spec signaling.ConnectionSpec) string

	mu          sync.Mutex // guards what follows, and the fields of connections
	connections []*Connection
}

var _ signaling.Connector = (*Connector)(nil)

// Connect implements signaling.Connector.
func (c *Connector) Connect(spec signaling.ConnectionSpec) (signaling.Connection, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Refuse != nil {
		return nil, c.Refuse
	}
	conn := &Connection{connector: c, Spec: spec}
	c.connections = append(c.connections, conn)
	return conn, nil
}

// Connections are all there ever were, in order of making.
func (c *Connector) Connections() []*Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.connections)
}

// Send changes how many tracks of each kind peer connections send.
func (c *Connector) Send(audio, video int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Audio, c.Video = audio, video
}

// Connection is a signaling.Connection that connects nothing. With every description it makes
// it signals one candidate, before the description can have been sent.
type Connection struct {
	Spec      signaling.ConnectionSpec
	connector *Connector
	log       []string
	made      int
	closed    bool
}

// Log is what was done with the connection, in words, since the last call.
func (c *Connection) Log() []string {
	c.connector.mu.Lock()
	defer c.connector.mu.Unlock()
	log := c.log
	c.log = nil
	return log
}

// Closed tells whether Close was called.
func (c *Connection) Closed() bool {
	c.connector.mu.Lock()
	defer c.connector.mu.Unlock()
	return c.closed
}

func (c *Connection) describe(ctx context.Context, words, sdp string) (string, error) {
	if c.connector.Delay > 0 {
		timer := time.NewTimer(c.connector.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	c.connector.mu.Lock()
	if c.closed {
		c.connector.mu.Unlock()
		return "", errors.New("connection is closed")
	}
	c.log = append(c.log, words)
	c.made++
	n := c.made
	c.connector.mu.Unlock()
	if c.connector.Description != nil {
		sdp = c.connector.Description(c.Spec)
	}
	c.Spec.Signal(signaling.Candidate{Candidate: fmt.Sprintf("candidate:%d", n), MID: "0"})
	return sdp, nil
}

// Offer implements signaling.Connection.
func (c *Connection) Offer(ctx context.Context, o signaling.OfferOptions) (string, error) {
	c.connector.mu.Lock()
	audio, video := max(c.connector.Audio, o.Audio), max(c.connector.Video, o.Video)
	c.connector.mu.Unlock()
	words := fmt.Sprintf("offer %d+%d", audio, video)
	if o.RestartICE {
		words += " restart"
	}
	return c.describe(ctx, words, Tracks(audio, video))
}

// Answer implements signaling.Connection.
func (c *Connection) Answer(ctx context.Context, offer signaling.Description) (string, error) {
	words := fmt.Sprintf("answer %d+%d", strings.Count(offer.SDP, "m=audio"), strings.Count(offer.SDP, "m=video"))
	if offer.Streams != nil {
		words += fmt.Sprint(" ", offer.Streams)
	}
	return c.describe(ctx, words, offer.SDP)
}

// Accept implements signaling.Connection.
func (c *Connection) Accept(context.Context, signaling.Description) error {
	c.note("accept")
	return nil
}

// AddCandidate implements signaling.Connection.
func (c *Connection) AddCandidate(can signaling.Candidate) error {
	c.note(can.Candidate)
	return nil
}

// Close implements signaling.Connection.
func (c *Connection) Close() error {
	c.connector.mu.Lock()
	defer c.connector.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.log = append(c.log, "close")
	}
	return nil
}

func (c *Connection) note(words string) {
	c.connector.mu.Lock()
	defer c.connector.mu.Unlock()
	c.log = append(c.log, words)
}
