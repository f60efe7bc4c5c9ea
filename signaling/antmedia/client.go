package antmedia

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// silence is how long a client may say nothing before another may take its place: clients ping
// every three seconds.
const silence = 7 * time.Second

// maxSessions bounds what one socket can hold.
const maxSessions = 256

// burst is how many seconds' worth of messages a socket may send at once.
const burst = 20

var errReplaced = errors.New("replaced by a newer connection")

// client is one socket at the server with everything that hangs on it. Its fields but heard are
// guarded by the server's mutex. Everything sent about a session is sent under that mutex, after
// a look whether the session lives: no message overtakes the end of its session.
type client struct {
	server *Server
	socket *socket // nil until the upgrade is done
	remote string  // the address at the far end
	pace   *rate.Limiter
	heard  atomic.Int64
	work   sync.WaitGroup // of its publishers and viewers

	publishers map[string]*publisher // by stream ID
	viewers    map[string]*viewer    // by play ID
	seats      map[string]*seat      // by room
	turn       <-chan struct{}       // closed when the youngest session has opened its media
	lobby      lobby                 // what joinRoom was last asked for
	sessions   bool                  // there has been one
	detached   bool
}

func newClient(s *Server) *client {
	return &client{
		server:     s,
		pace:       rate.NewLimiter(rate.Limit(s.config.MessageRate), int(burst*s.config.MessageRate)),
		publishers: map[string]*publisher{},
		viewers:    map[string]*viewer{},
		seats:      map[string]*seat{},
	}
}

// serve runs the client on an upgraded socket until that ends.
func (c *client) serve(ws *websocket.Conn, remote string) {
	s := c.server
	sock := newSocket(ws, s.config.MaxMessage, 0)
	s.mu.Lock()
	c.socket, c.remote = sock, remote
	if s.stopping {
		c.goodbye()
	}
	s.mu.Unlock()

	c.work.Go(sock.write)
	err := sock.read(idleTimeout, func() { c.heard.Store(time.Now().UnixNano()) }, c.receive)
	if cause := sock.reason(); cause != nil {
		err = cause
	}
	if !websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway) {
		s.log.Info("client lost", "remote", remote, "error", err)
	}
	s.mu.Lock()
	c.lost(time.Now())
	c.detach()
	delete(s.clients, c)
	s.mu.Unlock()
	c.work.Wait()
}

// detach ends all sessions, as if each had been stopped or left. The server's mutex is held.
func (c *client) detach() {
	if c.detached {
		return
	}
	c.detached = true
	for _, id := range inOrder(c.publishers) {
		c.publishers[id].end()
	}
	for _, id := range inOrder(c.viewers) {
		c.viewers[id].end()
	}
	for _, room := range inOrder(c.seats) {
		c.seats[room].leave()
	}
}

// inOrder lists a map's keys in an order that is the same in every run.
func inOrder[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// stale tells whether another client may take over this one's names: its socket has closed, or
// it misses its pings. The server's mutex is held.
func (c *client) stale() bool {
	return c.detached || time.Since(time.Unix(0, c.heard.Load())) > silence
}

// evict makes room for another client. The server's mutex is held.
func (c *client) evict() {
	c.lost(time.Now())
	c.socket.kill(errReplaced)
	c.detach()
}

// goodbye announces the stop of the server and closes the socket after it.
func (c *client) goodbye() {
	c.send(object{"command": cmdNotification, "definition": noticeServerWillStop})
	c.socket.finish()
}

// send queues a message unless the client has gone.
func (c *client) send(o object) {
	if c.detached {
		return
	}
	if err := c.socket.send(o); err != nil {
		c.server.log.Error("send", "error", err)
	}
}

// full tells whether the client may start no further session.
func (c *client) full() bool {
	return len(c.publishers)+len(c.viewers)+len(c.seats) >= maxSessions
}

func (c *client) refuse(definition, id string) { c.send(failure(definition, id)) }

// receive acts on one frame. It blocks for nothing but the server's mutex.
func (c *client) receive(frame []byte) {
	if !c.pace.Allow() {
		c.locked(c.tooFast)
		return
	}
	m, err := decode(frame)
	if err != nil {
		c.malformed(err)
		return
	}
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.detached {
		return
	}
	switch m.Command {
	case cmdJoinRoom:
		c.joinRoom(m)
	case cmdLeaveRoom:
		c.leaveRoom(m)
	case cmdPing:
		c.send(object{"command": cmdPong})
	case cmdGetICEServer:
		c.tellICEServer()
	case cmdGetRoomInfo:
		c.roomInfo(m)
	default:
		c.receiveFor(m)
	}
}

// tooFast ends a client that sends more than anything sensible does. The server's mutex is held.
func (c *client) tooFast() {
	if c.detached {
		return
	}
	c.server.log.Warn("client sends too many messages", "remote", c.remote)
	c.refuse(defHighResourceUsage, "")
	c.detach()
	c.socket.finish()
}

// malformed answers what is no message of the protocol: the cause is of our own words alone, since
// pages show it.
func (c *client) malformed(err error) {
	s := c.server
	s.log.Debug("malformed message", "error", err)
	if s.config.Strict {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := failure(defMalformed, "")
	o["information"] = "a message is a JSON object with a command and fields of their own types"
	c.send(o)
}

// receiveFor acts on a message that concerns a stream.
func (c *client) receiveFor(m message) {
	handle := c.handler(m.Command)
	switch {
	case handle == nil: // newer clients know more commands
	case m.StreamID == "":
		c.refuse(defNoName, "")
	case !validName(m.StreamID):
		c.refuse(defInvalidName, m.StreamID)
	default:
		handle(m)
	}
}

func (c *client) handler(command string) func(message) {
	switch command {
	case cmdPublish:
		return c.publish
	case cmdPlay:
		return c.play
	case cmdStop:
		return c.stop
	case cmdJoin:
		return c.join
	case cmdLeave:
		return c.leave
	case cmdConfiguration:
		return c.takeConfiguration
	case cmdCandidate:
		return c.takeCandidate
	case cmdPeerMessage:
		return c.peerMessage
	case cmdEnableTrack, cmdToggleAudio, cmdToggleVideo:
		return c.toggle
	default:
		return c.query(command)
	}
}

func (c *client) tellICEServer() {
	if c.server.config.ICEServer == nil {
		return
	}
	i := c.server.config.ICEServer()
	c.send(object{
		"command":              cmdICEServer,
		"stunServerUri":        i.URI,
		"turnServerUsername":   i.Username,
		"turnServerCredential": i.Credential,
	})
}

// stop ends a publishing or a viewing. Clients stop streams again after a reconnect: an unknown
// one is no fault.
func (c *client) stop(m message) {
	if p := c.publisher(m.StreamID); p != nil {
		p.finish()
	}
	if v := c.viewer(m.StreamID); v != nil {
		v.finish()
	}
}

// takeConfiguration brings a description to the session it belongs to: an offer to a publisher,
// an answer to a viewer, both to a peer.
func (c *client) takeConfiguration(m message) {
	if len(m.SDP) > c.server.config.MaxSDP {
		c.refuse(defBadRemote, m.StreamID)
		return
	}
	if p := c.publisher(m.StreamID); p != nil && m.Type == typeOffer {
		p.offered(m.SDP)
		return
	}
	if v := c.viewer(m.StreamID); v != nil && m.Type == typeAnswer {
		v.answered(m.SDP)
		return
	}
	from, to, seated := c.pair(m.StreamID)
	switch {
	case to != nil:
		from.relayDescription(to, m)
	case seated && !from.hadPeer, !seated && !c.sessions:
		c.refuse(defNoPeer, m.StreamID)
	}
	// Anything else crossed a stop or a leave on its way.
}

func (c *client) takeCandidate(m message) {
	p, v := c.publisher(m.StreamID), c.viewer(m.StreamID)
	if p != nil {
		p.candidate(m)
	}
	if v != nil {
		v.candidate(m)
	}
	if p != nil || v != nil {
		return
	}
	from, to, seated := c.pair(m.StreamID)
	switch {
	case to != nil:
		from.relayCandidate(to, m)
	case seated && !from.hadPeer, !seated && !c.sessions:
		c.refuse(defNoPeer, m.StreamID)
	}
}
