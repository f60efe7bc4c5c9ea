package antmedia

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

// service is a foreign server with one client, of which the test makes every message.
type service struct {
	*page
	target *Target
}

func withService(t *testing.T, f func(s *service)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		arrived := make(chan *websocket.Conn, 1)
		upgrader := websocket.Upgrader{}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := upgrader.Upgrade(w, r, nil)
			if err != nil {
				t.Errorf("upgrade: %v", err)
				return
			}
			arrived <- ws
		})}
		go func() { _ = server.Serve(p) }() // ends with Close
		s := &service{page: &page{t: t}, target: NewTarget(TargetConfig{URL: testURL, Dial: p.dial})}
		go func() { // ends with the first client's arrival
			s.ws = <-arrived
			s.conn = s.ws.NetConn()
			go s.read()
		}()
		f(s)
		_ = s.ws.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// join enters while the script answers.
func (s *service) join(p signaling.Participant, script func()) (signaling.Session, error) {
	s.t.Helper()
	type result struct {
		session signaling.Session
		err     error
	}
	results := make(chan result, 1)
	go func() {
		session, err := s.target.Join(context.Background(), p)
		results <- result{session, err}
	}()
	synctest.Wait()
	script()
	r := <-results
	return r.session, r.err
}

func (s *service) mustJoin(p signaling.Participant, script func()) signaling.Session {
	s.t.Helper()
	session, err := s.join(p, script)
	if err != nil {
		s.t.Fatal(err)
	}
	return session
}

func onlyViewer(c *signalingtest.Connector) signaling.Participant {
	p := peer("v", "r", signaling.TopologyConference, c)
	p.Streams = nil
	return p
}

func playOffer(labels map[string]string, kinds ...string) object {
	return description(typeOffer, "r", signalingtest.SDP(kinds...), labels)
}

func TestWhatAClientSends(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		session := s.mustJoin(peer("a", "r", signaling.TopologyConference, c), func() {
			m := s.last()
			if m["userPublishId"] != "a" || m["disableTracksByDefault"] != false {
				t.Errorf("play: got %v", m)
			}
			s.raw = s.raw[:1]
			if m := s.last(); m["mainTrack"] != "r" || m["video"] != true || m["audio"] != true {
				t.Errorf("publish: got %v", m)
			}
			s.want("publish a", "play r")
			s.send(failure(defNoName, "")) // what old services say to a ping
			s.say("start", "a")
		})
		s.want("takeConfiguration offer a", "takeCandidate a candidate:1")
		s.send(description(typeAnswer, "a", signalingtest.Tracks(1, 1), nil))
		wantLog(t, nth(c, 0), "offer 1+1", "accept")
		time.Sleep(7 * time.Second)
		s.want("ping", "ping")
		s.send(object{"command": "pong"})
		s.send(object{"command": "pong"})
		s.send(object{"command": "bitrateMeasurement", "targetBitrate": 1})
		s.send(object{"command": "notification", "definition": "session_restored", "streamId": "a"})

		nth(c, 0).Spec.Signal(signaling.Candidate{Candidate: "candidate:x", MID: "1", MLine: 1})
		nth(c, 0).Spec.Signal(signaling.Candidate{})
		m := s.last()
		if m["label"] != 1.0 || m["id"] != "1" {
			t.Errorf("candidate: got %v", m)
		}
		s.want("takeCandidate a candidate:x")

		start := time.Now()
		go func() { // a service that does not confirm
			if err := session.Leave(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		s.want("stop a", "stop r")
		<-session.Done()
		if d := time.Since(start); d != time.Second {
			t.Errorf("leaving took %v, want 1 s", d)
		}
		wantLog(t, nth(c, 0), "close")
		if !s.isLost() {
			t.Error("socket is open after leaving")
		}
	})
}

func TestPlayOfAnEmptyRoom(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		session := s.mustJoin(onlyViewer(c), func() {
			s.want("play r")
			time.Sleep(time.Second)
			s.send(failure(defNoStream, "r"))
			time.Sleep(retryPeriod - time.Millisecond)
			s.want("ping")
			time.Sleep(time.Millisecond)
			s.want("play r")
			s.send(failure(defNoStream, "r"))
			time.Sleep(retryPeriod)
			s.want("ping", "play r")
			s.send(candidate("r", "candidate:early", "0", 0)) // ahead of its offer
			s.send(playOffer(map[string]string{"0": "ARDAMSaalice", "1": "ARDAMSvvideoTrack1"}, "audio", "video"))
		})
		wantLog(t, nth(c, 0), "candidate:early", "answer 1+1 map[0:alice 1:videoTrack1]")
		s.send(playOffer(nil, "audio", "video", "video"))
		wantLog(t, nth(c, 0), "answer 1+2")

		// The room empties: the service ends the viewing, and the session tries again.
		s.send(notification(noticePlayFinished, "r"))
		wantSpecs(t, c, "r play closed")
		s.mu.Lock()
		s.got = nil
		s.mu.Unlock()
		s.send(playOffer(nil, "audio")) // of the finished viewing
		time.Sleep(retryPeriod + time.Millisecond)
		wantSpecs(t, c, "r play closed")
		s.send(playOffer(nil, "audio"))
		wantSpecs(t, c, "r play closed", "r play")

		s.say("stop", "r") // unexpected
		wantSpecs(t, c, "r play closed", "r play closed")
		s.say("stop", "nothing")
		if err := session.Drop(); err != nil {
			t.Error(err)
		}
		<-session.Done()
		if err := session.Err(); err != nil {
			t.Errorf("end: got %v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		refusal object
		want    string
	}{
		"by stream":  {failure("streamIdInUse", "a"), "streamIdInUse"},
		"of play":    {failure("viewerLimitReached", "r"), "viewerLimitReached"},
		"by nothing": {failure("license_suspended_please_renew_license", ""), "license_suspended_please_renew_license"},
	} {
		t.Run(name, func(t *testing.T) {
			withService(t, func(s *service) {
				conn := camera()
				_, err := s.join(peer("a", "r", signaling.TopologyConference, conn), func() { s.send(c.refusal) })
				var refused *ServiceError
				if !errors.As(err, &refused) || refused.Definition != c.want {
					t.Errorf("join: got %v, want %s", err, c.want)
				}
				if len(conn.Connections()) > 0 {
					t.Error("a connection was made")
				}
			})
		})
	}
	withService(t, func(s *service) { // the camera is admitted, the room is not
		session := s.mustJoin(peer("a", "r", signaling.TopologyConference, camera()), func() { s.say("start", "a") })
		s.send(failure("unauthorized_access", "r"))
		<-session.Done()
		var refused *ServiceError
		if !errors.As(session.Err(), &refused) {
			t.Errorf("end: got %v", session.Err())
		}
	})
}

func TestOfferWithoutAnswer(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		p := peer("a", "r", signaling.TopologyConference, c)
		p.Receive = false
		session := s.mustJoin(p, func() { s.say("start", "a") })
		time.Sleep(answerTimeout - time.Millisecond)
		wantSpecs(t, c, "a publish a")
		s.mu.Lock()
		s.got = nil
		s.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		s.want("stop a")
		wantSpecs(t, c, "a publish a closed")
		if err := session.Drop(); err != nil {
			t.Error(err)
		}
	})
}

func TestSilentService(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		p := peer("a", "r", signaling.TopologyConference, c)
		p.Receive = false
		session := s.mustJoin(p, func() { s.say("start", "a") })
		start := time.Now()
		<-session.Done()
		if d := time.Since(start); d != idleTimeout {
			t.Errorf("session ended after %v, want %v", d, idleTimeout)
		}
		if session.Err() == nil {
			t.Error("the end has no reason")
		}
	})
}

func TestJoinIsCancelled(t *testing.T) {
	withService(t, func(s *service) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err := s.target.Join(ctx, onlyViewer(camera()))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("join: got %v", err)
		}
	})
}

func TestDialIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		defer func() { _ = p.Close() }()
		go func() { // accepts, and says nothing
			if conn, err := p.Accept(); err == nil {
				defer func() { _ = conn.Close() }()
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = conn.Read(make([]byte, 4096))
			}
		}()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := NewTarget(TargetConfig{URL: testURL, Dial: p.dial}).Join(ctx, onlyViewer(camera()))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("join: got %v", err)
		}
	})
}

func TestForeignPeer(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		session := s.mustJoin(peer("a", "r", signaling.TopologyP2P, c), func() {
			s.want("join r")
			s.send(notification(noticeJoined, "r"))
		})
		s.say("start", "r")
		s.want("takeConfiguration offer r", "takeCandidate r candidate:1")
		s.send(description(typeAnswer, "r", signalingtest.Tracks(1, 1), nil))
		s.say("start", "r") // the peer is back, and nobody said that it had gone
		wantSpecs(t, c, "r peer closed", "r peer")
		s.want("takeConfiguration offer r", "takeCandidate r candidate:1")
		s.send(object{"command": "peerMessageCommand", "streamId": "r", "definition": "chat", "data": "hi"})
		s.send(object{"command": "peerMessageCommand", "streamId": "r", "definition": defRenegotiate, "data": `{"audio":-1}`})
		s.send(object{"command": "peerMessageCommand", "streamId": "r", "definition": defRenegotiate, "data": object{"audio": 1}})
		s.want()
		s.send(description(typeAnswer, "r", signalingtest.Tracks(1, 1), nil))
		s.send(description(typeAnswer, "r", signalingtest.Tracks(1, 1), nil)) // again
		wantLog(t, nth(c, 1), "offer 1+1", "accept")
		s.send(offer("r")) // from a peer that renegotiates by itself
		s.want("takeConfiguration answer r", "takeCandidate r candidate:2")
		go func() {
			synctest.Wait()
			s.send(notification(noticeLeft, "r"))
		}()
		leave(t, session)
	})
}

func TestConnectionsThatFail(t *testing.T) {
	withService(t, func(s *service) {
		c := camera()
		session := s.mustJoin(peer("a", "r", signaling.TopologyConference, c), func() {
			s.want("publish a", "play r")
			s.say("start", "a")
			s.want("takeConfiguration offer a", "takeCandidate a candidate:1")
		})
		s.send(playOffer(nil, "audio"))
		s.want("takeConfiguration answer r", "takeCandidate r candidate:1")
		if err := nth(c, 1).Close(); err != nil { // by the peer
			t.Error(err)
		}
		s.send(playOffer(nil, "audio", "video"))
		s.want("stop r")
		s.send(notification(noticePlayFinished, "r"))
		time.Sleep(retryPeriod - time.Millisecond)
		s.want()
		time.Sleep(2 * time.Millisecond)
		s.mu.Lock()
		s.got = s.got[:1] // play and ping, in either order
		s.mu.Unlock()
		s.send(playOffer(nil, "audio"))
		wantSpecs(t, c, "a publish a", "r play closed", "r play")

		s.send(notification(noticePublishFinished, "a")) // unasked
		wantSpecs(t, c, "a publish a closed", "r play closed", "r play")
		if err := session.Unpublish(context.Background(), "a"); err == nil {
			t.Error("a stream that the service has ended was unpublished")
		}
		if err := session.Drop(); err != nil {
			t.Error(err)
		}
	})
}

func TestTypedErrors(t *testing.T) {
	var refused interface{ ServiceError() string } = &ServiceError{Definition: "x", StreamID: "s", Information: "why"}
	if got := refused.ServiceError(); got != "x" {
		t.Errorf("definition: got %q", got)
	}
	if got, want := refused.(error).Error(), `service says x for "s": why`; got != want {
		t.Errorf("error: got %q, want %q", got, want)
	}
	var status interface{ StatusCode() int } = &StatusError{Code: 404}
	if got := status.StatusCode(); got != 404 {
		t.Errorf("status: got %d", got)
	}
}
