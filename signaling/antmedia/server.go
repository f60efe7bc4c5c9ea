package antmedia

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
)

// Config shapes a Server.
type Config struct {
	// Conference forwards the media of published rooms; the caller closes it, after Stop.
	// Without one, publish and play are refused.
	Conference signaling.Conference
	// Mesh makes every room entered with join a mesh; otherwise it holds two.
	Mesh bool
	// MeshLimit is how many peers a mesh holds; 0 is 6.
	MeshLimit int
	// Topology, where set, decides room by room instead of Mesh: whether it is a mesh, and of
	// how many (0 is MeshLimit). It is asked when a room comes into being, with the server
	// locked: it must not call back.
	Topology func(room string) (limit int, mesh bool)
	// ICEServer mints what is answered to getIceServerConfig, anew for every request; nil
	// leaves the request unanswered, which clients do not mind. It must not block.
	ICEServer func() ICEServer
	// Logger gets what goes wrong; nil discards it.
	Logger *slog.Logger
	// MaxMessage is the largest message read, in bytes; 0 is 2 MiB.
	MaxMessage int64
	// MaxSDP is the longest session description taken, in bytes; 0 is 1 MiB.
	MaxSDP int
	// MaxRooms and MaxSockets bound what clients can make the server keep; 0 is 10,000.
	MaxRooms, MaxSockets int
	// MaxStreams and MaxViewers bound a conference room, or the viewers of a single stream; 0 is
	// no bound. Broadcasts created by REST may have bounds of their own.
	MaxStreams, MaxViewers int
	// MessageRate is how many messages a socket may send in a second for long; 0 is 200. It may
	// send twenty times as many at once, as a browser does that enters a mesh. One that sends
	// more is told highResourceUsage and closed.
	MessageRate float64
	// Origins are the pages that may connect besides those of the server's own address, each as
	// "https://host:port"; "*" is any, and so is none at all. Clients that are no browsers send
	// no origin and are not bound by it.
	Origins []string
	// TokenSecret, where set, has publish, play and join ask for a token: a JSON Web Token signed
	// with HS256 by this secret, with the claims streamId, type ("publish" or "play") and exp, as
	// Ant Media Server has them.
	TokenSecret []byte
	// Strict has the server behave as Ant Media Server does where it is kinder otherwise: messages
	// of 81,920 characters at most, none about what is malformed, no mesh, H.264 alone, bundled
	// offers alone, no play of a room without streams, candidates apart from descriptions and
	// ahead of offers, nothing added to what peers exchange, sessions restored after a lost socket.
	Strict bool
	// RESTSecret, where set, has REST requests ask for a JSON Web Token signed with HS256 by this
	// secret in their Authorization header. Without one, REST is for this machine alone.
	RESTSecret []byte
}

// ICEServer is a STUN or TURN server as told to a client.
type ICEServer struct {
	URI                  string // one "stun:" or "turn:" URI; the SDK ignores any other
	Username, Credential string
}

func (c Config) withDefaults() Config {
	if c.MeshLimit == 0 {
		c.MeshLimit = 6
	}
	if c.Topology == nil {
		mesh := c.Mesh
		c.Topology = func(string) (int, bool) { return 0, mesh }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Strict {
		c.MaxMessage = strictMessage
		c.Topology = func(string) (int, bool) { return 0, false }
	}
	if c.MaxMessage == 0 {
		c.MaxMessage = 2 << 20
	}
	if c.MaxSDP == 0 {
		c.MaxSDP = 1 << 20
	}
	if c.MessageRate == 0 {
		c.MessageRate = 200
	}
	if c.MaxRooms == 0 {
		c.MaxRooms = 10_000
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 10_000
	}
	return c
}

// Server is the signaling server: an http.Handler for WebSocket and REST requests. Rooms need no
// creation; they live as long as somebody is in them.
type Server struct {
	config   Config
	log      *slog.Logger
	upgrader websocket.Upgrader
	rest     http.Handler
	handlers sync.WaitGroup // one for every client's ServeHTTP

	mu       sync.Mutex // guards what follows, and whatever of clients, rooms and sessions says so
	clients  map[*client]struct{}
	meetings map[string]*meeting
	stages   map[string]*stage
	records  map[string]*record   // what REST has created
	lost     map[string]time.Time // streams that may be restored, and since when
	stopping bool
	serial   int // names viewers and mesh members that have no name
}

// NewServer makes a server that waits for requests. Stop ends it.
func NewServer(c Config) *Server {
	c = c.withDefaults()
	s := &Server{
		config:   c,
		log:      c.Logger,
		clients:  map[*client]struct{}{},
		meetings: map[string]*meeting{},
		stages:   map[string]*stage{},
		records:  map[string]*record{},
		lost:     map[string]time.Time{},
	}
	s.upgrader = websocket.Upgrader{
		HandshakeTimeout: writeTimeout, WriteBufferPool: &sync.Pool{}, CheckOrigin: s.originAllowed,
	}
	s.rest = s.restHandler()
	return s
}

// ServeHTTP serves one client on /<App>/websocket, whatever the application and query, and
// returns when its socket has closed and all its sessions have ended. It serves REST requests
// below /<App>/rest/v2/broadcasts.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !socketPath(r.URL.Path) {
		s.rest.ServeHTTP(w, r)
		return
	}
	c, ok := s.admit()
	if !ok {
		http.Error(w, "the server is full or stopping", http.StatusServiceUnavailable)
		return
	}
	defer s.handlers.Done()
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		s.forget(c)
		s.log.Debug("websocket upgrade", "remote", r.RemoteAddr, "error", err)
		return
	}
	c.serve(ws, r.RemoteAddr)
}

func socketPath(path string) bool {
	parts := strings.Split(path, "/")
	return len(parts) == 3 && parts[0] == "" && parts[1] != "" && parts[2] == "websocket"
}

// admit counts a client in before its upgrade, so that Stop misses none.
func (s *Server) admit() (*client, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || len(s.clients) >= s.config.MaxSockets {
		return nil, false
	}
	c := newClient(s)
	s.clients[c] = struct{}{}
	s.handlers.Add(1)
	return c, true
}

func (s *Server) forget(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
}

// roomsFull tells whether there may be no further room; s.mu is held.
func (s *Server) roomsFull() bool {
	return len(s.meetings)+len(s.stages) >= s.config.MaxRooms
}

// nextName is a name that no other call returns; s.mu is held.
func (s *Server) nextName() string {
	s.serial++
	return strconv.Itoa(s.serial)
}

// Stop tells every client that the server stops, closes the sockets and waits until their
// sessions have ended. When ctx ends first, it closes the sockets without a goodbye. New
// clients are refused from now on. It is idempotent.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	for c := range s.clients {
		if c.socket != nil {
			c.goodbye()
		}
	}
	s.mu.Unlock()

	done := make(chan struct{})
	go func() { // ends with the handlers, which the kill below ends at the latest
		s.handlers.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.clients {
		if c.socket != nil {
			c.socket.kill(ctx.Err())
		}
	}
	s.mu.Unlock()
	grace := time.NewTimer(closeTimeout)
	defer grace.Stop()
	select {
	case <-done:
		return ctx.Err()
	case <-grace.C:
		return errors.Join(ctx.Err(), errors.New("sessions have not ended in time"))
	}
}

// Room is a room as Server.Rooms saw it.
type Room struct {
	Name     string
	Topology signaling.Topology
	Members  []string // published streams of a conference, else the members, in order of joining
	Viewers  int      // of a conference
}

// Rooms is a snapshot of all rooms, by name.
func (s *Server) Rooms() []Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rooms []Room
	for _, m := range s.meetings {
		rooms = append(rooms, m.snapshot())
	}
	for _, st := range s.stages {
		rooms = append(rooms, Room{
			Name: st.name, Topology: signaling.TopologyConference, Members: st.live(), Viewers: len(st.viewers),
		})
	}
	slices.SortFunc(rooms, func(a, b Room) int {
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		return strings.Compare(string(a.Topology), string(b.Topology))
	})
	return rooms
}
