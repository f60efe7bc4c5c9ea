package antmedia

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

const testURL = "ws://service:5080/live/websocket"

// pipes is a listener whose connections are in memory.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.closed:
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bench is a server in a bubble.
type bench struct {
	t          *testing.T
	server     *Server
	conference *signalingtest.Conference
	http       *http.Server
	pipes      *pipes
}

// inBubble runs a test against a server of its own in virtual time.
func inBubble(t *testing.T, config Config, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, conference: signalingtest.NewConference(), pipes: newPipes()}
		if config.Conference == nil {
			config.Conference = b.conference
		}
		b.server = NewServer(config)
		b.http = &http.Server{Handler: b.server}
		go func() { _ = b.http.Serve(b.pipes) }() // ends with http.Close
		f(b)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.server.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		if err := b.http.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if err := b.conference.Close(); err != nil {
			t.Errorf("close conference: %v", err)
		}
		if rooms := b.server.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms after the stop: %v", rooms)
		}
	})
}

// page is a client of which the test makes every message.
type page struct {
	t    *testing.T
	conn net.Conn
	ws   *websocket.Conn

	mu   sync.Mutex // guards what follows
	got  []string
	raw  []map[string]any
	lost bool
}

func (b *bench) page() *page {
	b.t.Helper()
	p := &page{t: b.t}
	d := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := b.pipes.dial(ctx, network, addr)
		p.conn = c
		return c, err
	}}
	ws, resp, err := d.Dial(testURL+"?target=origin", http.Header{"Origin": {"http://elsewhere"}})
	if err != nil {
		b.t.Fatalf("dial: %v", err)
	}
	_ = resp.Body.Close()
	p.ws = ws
	go p.read()
	b.t.Cleanup(func() { _ = ws.Close() })
	return p
}

func (p *page) read() {
	for {
		_, data, err := p.ws.ReadMessage()
		p.mu.Lock()
		if err != nil {
			p.lost = true
			p.mu.Unlock()
			_ = p.conn.Close()
			return
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			p.t.Errorf("server sent %q: %v", data, err)
		}
		p.got, p.raw = append(p.got, inWords(m)), append(p.raw, m)
		p.mu.Unlock()
	}
}

func (p *page) send(o object) {
	p.t.Helper()
	if err := p.ws.WriteJSON(o); err != nil {
		p.t.Fatalf("send %v: %v", o, err)
	}
}

// say sends a message that has nothing but an ID.
func (p *page) say(command, id string) {
	p.t.Helper()
	p.send(object{"command": command, "streamId": id})
}

// want compares what has come since the last call.
func (p *page) want(want ...string) {
	p.t.Helper()
	if d := cmp.Diff(want, p.take()); d != "" {
		p.t.Errorf("messages (-want +got):\n%s", d)
	}
}

// take is what has come since the last call.
func (p *page) take() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got, p.raw = nil, nil
	return got
}

// last is the latest message.
func (p *page) last() map[string]any {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.raw) == 0 {
		p.t.Fatal("no message came")
	}
	return p.raw[len(p.raw)-1]
}

func (p *page) isLost() bool {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// inWords is the gist of a message.
func inWords(m map[string]any) string {
	s := fmt.Sprint(m["command"])
	for _, key := range []string{"type", "definition", "streamId", "trackId", "candidate", "count"} {
		if v, ok := m[key]; ok {
			s += fmt.Sprint(" ", v)
		}
	}
	if v, ok := m["idMapping"]; ok {
		s += fmt.Sprint(" ", v)
	}
	return s
}

func (b *bench) target(config TargetConfig) *Target {
	config.URL, config.Dial = testURL, b.pipes.dial
	return NewTarget(config)
}

func (b *bench) join(p signaling.Participant) signaling.Session {
	b.t.Helper()
	s, err := b.target(TargetConfig{}).Join(context.Background(), p)
	if err != nil {
		b.t.Fatalf("join: %v", err)
	}
	return s
}

func leave(t *testing.T, sessions ...signaling.Session) {
	t.Helper()
	for _, s := range sessions {
		if err := s.Leave(context.Background()); err != nil {
			t.Errorf("leave: %v", err)
		}
		<-s.Done()
		if err := s.Err(); err != nil {
			t.Errorf("end of the session: %v", err)
		}
	}
}

// wantLog compares what a double has noted since the last call.
func wantLog(t *testing.T, double interface{ Log() []string }, want ...string) {
	t.Helper()
	synctest.Wait()
	if d := cmp.Diff(want, double.Log()); d != "" {
		t.Errorf("log (-want +got):\n%s", d)
	}
}
