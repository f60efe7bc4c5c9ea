package antmedia

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Limits that hold at both ends.
const (
	queueMessages = 1024
	queueBytes    = 8 << 20
	writeTimeout  = 10 * time.Second
	closeTimeout  = time.Second
	idleTimeout   = 30 * time.Second // both ends hear a ping or a pong every pingPeriod
	pingPeriod    = 3 * time.Second
)

var (
	errSlow = errors.New("the far end reads too slowly")
	// errTooLong is what a message above the far end's limit comes back with.
	errTooLong = errors.New("message is longer than the service reads")
)

// socket is a WebSocket with one writer and a bounded queue in front of it. Any goroutine may
// call send, finish and kill; one calls read and one calls write.
type socket struct {
	ws     *websocket.Conn
	limit  int // of an outgoing message, in bytes; 0 is none
	wake   chan struct{}
	killed chan struct{} // closed by kill

	mu        sync.Mutex // guards what follows
	queue     [][]byte
	size      int
	finishing bool
	dead      bool
	cause     error
}

func newSocket(ws *websocket.Conn, readLimit int64, writeLimit int) *socket {
	ws.SetReadLimit(readLimit)
	return &socket{ws: ws, limit: writeLimit, wake: make(chan struct{}, 1), killed: make(chan struct{})}
}

// send queues a message and never blocks. A socket that is closing or dead swallows it; one
// whose queue is full is killed, since a gap in the signaling cannot be mended. Only a message
// above the limit is an error.
func (s *socket) send(o object) error {
	b, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if s.limit > 0 && len(b) > s.limit {
		return fmt.Errorf("%s of %d characters: %w (%d)", o["command"], len(b), errTooLong, s.limit)
	}
	s.mu.Lock()
	full := false
	switch {
	case s.finishing || s.dead:
	case len(s.queue) >= queueMessages || s.size+len(b) > queueBytes:
		full = true
	default:
		s.queue = append(s.queue, b)
		s.size += len(b)
	}
	s.mu.Unlock()
	if full {
		s.kill(errSlow)
		return nil
	}
	s.nudge()
	return nil
}

func (s *socket) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// finish lets the queue drain, says goodbye, waits shortly for the far end to do the same and
// closes.
func (s *socket) finish() {
	s.mu.Lock()
	s.finishing = true
	s.mu.Unlock()
	s.nudge()
}

// kill has the reader close the socket at once. The first cause stays. It never blocks: closing
// a TLS stream would, so that is the reader's.
func (s *socket) kill(cause error) {
	s.mu.Lock()
	first := !s.dead
	if first {
		s.dead, s.cause = true, cause
		s.queue, s.size = nil, 0
		close(s.killed)
	}
	s.mu.Unlock()
	if first {
		// It fails only on a connection that is closed already.
		_ = s.ws.NetConn().SetDeadline(time.Unix(1, 0))
	}
}

func (s *socket) alive() error {
	select {
	case <-s.killed:
		return net.ErrClosed
	default:
		return nil
	}
}

// reason is why the socket was killed.
func (s *socket) reason() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

func (s *socket) take() (batch [][]byte, finishing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch, s.queue = s.queue, nil
	// What is being written still counts, so that a stuck write fills the bound.
	return batch, s.finishing
}

func (s *socket) wrote(n int) {
	s.mu.Lock()
	s.size -= n
	s.mu.Unlock()
}

// write sends what is queued until the socket is finished or killed.
func (s *socket) write() {
	for {
		batch, finishing := s.take()
		for _, b := range batch {
			if err := s.writeOne(b); err != nil {
				s.kill(err)
				return
			}
			s.wrote(len(b))
		}
		if len(batch) > 0 {
			continue
		}
		if finishing {
			s.goodbye()
			return
		}
		select {
		case <-s.wake:
		case <-s.killed:
			return
		}
	}
}

func (s *socket) writeOne(b []byte) error {
	if err := s.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	if err := s.ws.WriteMessage(websocket.TextMessage, b); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

func (s *socket) goodbye() {
	frame := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := s.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(closeTimeout)); err == nil {
		wait := time.NewTimer(closeTimeout)
		defer wait.Stop()
		select {
		case <-s.killed: // the reader has seen the far end's close
		case <-wait.C:
		}
	}
	s.kill(nil)
}

// read hands over text frames until the socket ends, and kills it then. A far end that sends no
// frame at all for idle is gone.
func (s *socket) read(idle time.Duration, heard func(), handle func(frame []byte)) error {
	// How the close of a dead connection goes changes nothing.
	defer func() { _ = s.ws.Close() }()
	extend := func() error {
		heard()
		err := s.ws.SetReadDeadline(time.Now().Add(idle))
		// A kill sets its deadline after its mark: either it is seen here, or it comes last.
		return errors.Join(err, s.alive())
	}
	s.ws.SetPingHandler(func(data string) error {
		// A pong that cannot be written is the writer's to notice.
		_ = s.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(closeTimeout))
		return extend()
	})
	s.ws.SetPongHandler(func(string) error { return extend() })
	for {
		if err := extend(); err != nil {
			s.kill(err)
			return err
		}
		kind, frame, err := s.ws.ReadMessage()
		if err != nil {
			s.kill(err)
			return err
		}
		if kind == websocket.TextMessage {
			handle(frame)
		}
	}
}
