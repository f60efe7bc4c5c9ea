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
	// MaxRooms and MaxSockets bound what clients can make the server keep; 0 is 10,000.
	MaxRooms, MaxSockets int
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
	if c.MaxMessage == 0 {
		c.MaxMessage = 2 << 20
	}
	if c.MaxRooms == 0 {
		c.MaxRooms = 10_000
	}
	if c.MaxSockets == 0 {
		c.MaxSockets = 10_000
	}
	return c
}

// Server is the signaling server: an http.Handler for WebSocket requests. Rooms need no
// creation; they live as long as somebody is in them.
type Server struct {
	config   Config
	log      *slog.Logger
	upgrader websocket.Upgrader
	handlers sync.WaitGroup // one for every client's ServeHTTP

	mu       sync.Mutex // guards what follows, and whatever of clients, rooms and sessions says so
	clients  map[*client]struct{}
	meetings map[string]*meeting
	stages   map[string]*stage
	stopping bool
	serial   int // names viewers and mesh members that have no name
}

// NewServer makes a server that waits for requests. Stop ends it.
func NewServer(c Config) *Server {
	c = c.withDefaults()
	return &Server{
		config: c,
		log:    c.Logger,
		upgrader: websocket.Upgrader{
			HandshakeTimeout: writeTimeout,
			WriteBufferPool:  &sync.Pool{},
			// Any page may connect, as with Ant Media Server: the protocol has no cookies that
			// a foreign page could abuse. A policy needs configuration of its own.
			CheckOrigin: func(*http.Request) bool { return true },
		},
		clients:  map[*client]struct{}{},
		meetings: map[string]*meeting{},
		stages:   map[string]*stage{},
	}
}

// ServeHTTP serves one client on /<App>/websocket, whatever the application, query and origin,
// and returns when its socket has closed and all its sessions have ended.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !socketPath(r.URL.Path) {
		http.NotFound(w, r)
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
