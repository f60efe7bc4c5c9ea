package antmedia

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

func peer(id, room string, topology signaling.Topology, c *signalingtest.Connector) signaling.Participant {
	return signaling.Participant{
		ID: id, Room: room, Topology: topology, Receive: true, Connector: c,
		Streams: []signaling.Stream{{ID: id, Audio: true, Video: true}},
	}
}

func camera() *signalingtest.Connector { return &signalingtest.Connector{Audio: 1, Video: 1} }

// specs is what a connector was asked for, in words.
func specs(c *signalingtest.Connector) []string {
	synctest.Wait()
	var list []string
	for _, conn := range c.Connections() {
		s := conn.Spec
		words := strings.TrimSpace(fmt.Sprintf("%s %s %s%s", s.ID, s.Purpose, s.Remote, s.Stream))
		if conn.Closed() {
			words += " closed"
		}
		list = append(list, words)
	}
	return list
}

// nth is a connector's connection, counted from 0.
func nth(c *signalingtest.Connector, n int) *signalingtest.Connection {
	synctest.Wait()
	return c.Connections()[n]
}

func wantSpecs(t *testing.T, c *signalingtest.Connector, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, specs(c)); d != "" {
		t.Errorf("connections (-want +got):\n%s", d)
	}
}

func members(t *testing.T, s signaling.Session, want ...string) {
	t.Helper()
	got, err := s.Members(context.Background())
	if err != nil {
		t.Errorf("members: %v", err)
	}
	if d := cmp.Diff(append([]string{}, want...), got); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}
}

func TestSessionsOfTwo(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ca, cb := camera(), camera()
		a := b.join(peer("a", "r", signaling.TopologyP2P, ca))
		other := b.join(peer("b", "r", signaling.TopologyP2P, cb))
		wantSpecs(t, ca, "r peer b")
		wantSpecs(t, cb, "r peer a")
		wantLog(t, nth(ca, 0), "offer 1+1", "accept", "candidate:1")
		wantLog(t, nth(cb, 0), "answer 1+1", "candidate:1")
		members(t, a, "b")
		members(t, other, "a")

		_, err := b.target(TargetConfig{}).Join(context.Background(), peer("c", "r", signaling.TopologyP2P, camera()))
		var refused *ServiceError
		if !errors.As(err, &refused) || refused.Definition != "NoSpaceForNewPeer" {
			t.Errorf("third peer: got %v", err)
		}

		ctx := context.Background()
		cb.Send(1, 2) // the answerer shares its screen
		if err := other.Publish(ctx, signaling.Stream{ID: "screen", Video: true}); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(ca, 0), "offer 1+2", "accept", "candidate:2")
		wantLog(t, nth(cb, 0), "answer 1+2", "candidate:2")
		ca.Send(2, 1) // and the offerer another microphone
		if err := a.Publish(ctx, signaling.Stream{ID: "mic", Audio: true}); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(ca, 0), "offer 2+2", "accept", "candidate:3")
		nth(cb, 0).Log()
		if err := other.Unpublish(ctx, "screen"); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(ca, 0), "offer 2+1", "accept", "candidate:4")
		if err := other.RestartICE(ctx); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(ca, 0), "offer 2+1 restart", "accept", "candidate:5")
		if err := a.RestartICE(ctx); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(ca, 0), "offer 2+1 restart", "accept", "candidate:6")
		if err := other.Unpublish(ctx, "screen"); err == nil {
			t.Error("a stream was unpublished twice")
		}

		leave(t, other)
		wantSpecs(t, ca, "r peer b closed")
		wantSpecs(t, cb, "r peer a closed")
		members(t, a)
		again := b.join(peer("b", "r", signaling.TopologyP2P, cb))
		wantSpecs(t, ca, "r peer b closed", "r peer b")
		if err := again.Drop(); err != nil {
			t.Error(err)
		}
		wantSpecs(t, ca, "r peer b closed", "r peer b closed")
		wantSpecs(t, cb, "r peer a closed", "r peer a") // its owner's to close
		leave(t, a)
	})
}

func TestSlowNegotiationsMerge(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ca, cb := camera(), camera()
		ca.Delay, cb.Delay = time.Second, time.Second
		a := b.join(peer("a", "r", signaling.TopologyP2P, ca))
		other := b.join(peer("b", "r", signaling.TopologyP2P, cb))
		time.Sleep(500 * time.Millisecond) // the first offer is being made
		for range 3 {
			if err := a.RestartICE(context.Background()); err != nil {
				t.Error(err)
			}
			if err := other.RestartICE(context.Background()); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(10 * time.Second)
		var offers []string
		for _, words := range nth(ca, 0).Log() {
			if strings.HasPrefix(words, "offer") {
				offers = append(offers, words)
			}
		}
		if d := cmp.Diff([]string{"offer 1+1", "offer 1+1 restart"}, offers); d != "" {
			t.Errorf("offers (-want +got):\n%s", d)
		}
		leave(t, a, other)
	})
}

func TestAnswererWithMoreTracks(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ca, cb := camera(), &signalingtest.Connector{Audio: 1, Video: 2}
		a := b.join(peer("a", "r", signaling.TopologyP2P, ca))
		p := peer("b", "r", signaling.TopologyP2P, cb)
		p.Streams = append(p.Streams, signaling.Stream{ID: "screen", Video: true})
		other := b.join(p)
		wantSpecs(t, cb, "r peer a")
		wantLog(t, nth(cb, 0), "answer 1+1", "candidate:1", "answer 1+2", "candidate:2")
		leave(t, a, other)
	})
}

func TestSessionsInAMesh(t *testing.T) {
	inBubble(t, Config{Mesh: true}, func(b *bench) {
		connectors := []*signalingtest.Connector{camera(), camera(), camera()}
		var sessions []signaling.Session
		for i, id := range []string{"a", "b", "c"} {
			sessions = append(sessions, b.join(peer(id, "m", signaling.TopologyMesh, connectors[i])))
			synctest.Wait()
		}
		wantSpecs(t, connectors[0], "m_b peer b", "m_c peer c")
		wantSpecs(t, connectors[1], "m_a peer a", "m_c peer c")
		wantLog(t, nth(connectors[1], 0), "answer 1+1", "candidate:1")
		wantLog(t, nth(connectors[1], 1), "offer 1+1", "accept", "candidate:1")
		members(t, sessions[2], "a", "b")
		connectors[2].Send(1, 2)
		if err := sessions[2].Publish(context.Background(), signaling.Stream{ID: "screen", Video: true}); err != nil {
			t.Error(err)
		}
		wantLog(t, nth(connectors[1], 1), "offer 1+2", "accept", "candidate:2")
		leave(t, sessions[1])
		wantSpecs(t, connectors[0], "m_b peer b closed", "m_c peer c")
		leave(t, sessions[0], sessions[2])
	})
}

func TestPairwiseMesh(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		target := b.target(TargetConfig{PairwiseMesh: true, Peers: func(string) []string { return []string{"b", "a", "c"} }})
		connectors := map[string]*signalingtest.Connector{}
		var sessions []signaling.Session
		for _, id := range []string{"a", "b", "c"} {
			connectors[id] = camera()
			s, err := target.Join(context.Background(), peer(id, "m", signaling.TopologyMesh, connectors[id]))
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			sessions = append(sessions, s)
		}
		wantSpecs(t, connectors["a"], "m-a-b peer b", "m-a-c peer c")
		wantLog(t, connectors["a"].Connections()[1], "offer 1+1", "accept", "candidate:1")
		members(t, sessions[2], "a", "b")
		leave(t, sessions...)
	})
}

func TestSessionsInAConference(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ctx := context.Background()
		ca, cb := camera(), camera()
		a := b.join(peer("a", "r", signaling.TopologyConference, ca))
		wantSpecs(t, ca, "a publish a", "r play")
		members(t, a)
		viewer := peer("b", "r", signaling.TopologyConference, cb)
		viewer.Streams = nil
		other := b.join(viewer)
		wantSpecs(t, cb, "r play")
		wantLog(t, nth(cb, 0), "answer 1+1 map[1:a 2:a]")
		members(t, other, "a")
		wantLog(t, nth(ca, 0), "offer 1+1", "accept")
		nth(ca, 1).Log()
		b.conference.Log()

		if err := other.Publish(ctx, signaling.Stream{ID: "b_screen", Video: true}); err != nil {
			t.Error(err)
		}
		wantSpecs(t, cb, "r play", "b_screen publish b_screen")
		wantLog(t, nth(ca, 1), "answer 1+1 map[1:b_screen 2:b_screen]")
		members(t, a, "b_screen")
		members(t, other, "a")
		err := other.Publish(ctx, signaling.Stream{ID: "a", Video: true})
		var refused *ServiceError
		if !errors.As(err, &refused) || refused.Definition != "streamIdInUse" {
			t.Errorf("publish another's stream: got %v", err)
		}

		if err := a.RestartICE(ctx); err != nil {
			t.Error(err)
		}
		wantSpecs(t, ca, "a publish a", "r play closed", "r play")
		wantLog(t, nth(ca, 0), "offer 1+1 restart", "accept")
		wantLog(t, nth(ca, 2), "answer 1+1 map[1:b_screen 2:b_screen]")

		if err := other.Unpublish(ctx, "b_screen"); err != nil {
			t.Error(err)
		}
		if err := other.Publish(ctx, signaling.Stream{ID: "b_screen", Video: true}); err != nil {
			t.Error(err)
		}
		wantSpecs(t, cb, "r play", "b_screen publish b_screen closed", "b_screen publish b_screen")

		start := time.Now()
		leave(t, a, other)
		if d := time.Since(start); d != 0 {
			t.Errorf("leaving took %v though the service confirms at once", d)
		}
		wantSpecs(t, ca, "a publish a closed", "r play closed", "r play closed")
	})
}

func TestPing(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := peer("a", "r", signaling.TopologyP2P, camera())
		s := b.join(p)
		time.Sleep(time.Minute) // kept alive by the session's own pings
		if d, err := s.Ping(context.Background()); err != nil || d != 0 {
			t.Errorf("ping: got %v, %v", d, err)
		}
		leave(t, s)
		if _, err := s.Ping(context.Background()); !errors.Is(err, ErrSessionEnded) {
			t.Errorf("ping after the end: got %v", err)
		}
		leave(t, s)
	})
}

func TestServerStopsUnderSessions(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		c := camera()
		s := b.join(peer("a", "r", signaling.TopologyConference, c))
		if err := b.server.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		<-s.Done()
		if err := s.Err(); !errors.Is(err, ErrServiceStopping) {
			t.Errorf("end: got %v", err)
		}
		if err := s.Leave(context.Background()); !errors.Is(err, ErrServiceStopping) {
			t.Errorf("leave: got %v", err)
		}
		_, err := b.target(TargetConfig{}).Join(context.Background(), peer("b", "r", signaling.TopologyConference, c))
		var status *StatusError
		if !errors.As(err, &status) || status.Code != 503 {
			t.Errorf("join: got %v", err)
		}
		if err := b.http.Close(); err != nil {
			t.Error(err)
		}
		_, err = b.target(TargetConfig{}).Join(context.Background(), peer("b", "r", signaling.TopologyConference, c))
		var op *net.OpError
		if !errors.As(err, &op) {
			t.Errorf("join: got %v", err)
		}
	})
}

func TestJoinFaults(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		bad := peer("a b", "", "ring", nil)
		bad.Connector = nil
		_, err := b.target(TargetConfig{}).Join(context.Background(), bad)
		for _, want := range []string{"peer ID", "room", "connector", "topology"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("join: got %v, want a word about the %s", err, want)
			}
		}
		same := peer("r", "r", signaling.TopologyConference, camera())
		if _, err := b.target(TargetConfig{}).Join(context.Background(), same); err == nil {
			t.Error("a stream has the room's name")
		}
		c := camera()
		c.Refuse = errors.New("no sockets")
		s, err := b.target(TargetConfig{}).Join(context.Background(), peer("a", "r", signaling.TopologyConference, c))
		if err == nil { // admitted before the connector was asked
			<-s.Done()
			err = s.Err()
		}
		if !errors.Is(err, c.Refuse) {
			t.Errorf("end: got %v", err)
		}
	})
}

func TestLongDescription(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		c := camera()
		c.Description = func(signaling.ConnectionSpec) string { return strings.Repeat("x", 81_920) }
		s, err := b.target(TargetConfig{}).Join(context.Background(), peer("a", "r", signaling.TopologyConference, c))
		if err == nil { // admitted before the offer was made
			<-s.Done()
			err = s.Err()
		}
		if !errors.Is(err, errTooLong) {
			t.Errorf("end: got %v", err)
		}
		for _, conn := range c.Connections() {
			if !conn.Closed() {
				t.Errorf("connection %q is open", conn.Spec.ID)
			}
		}
	})
}
