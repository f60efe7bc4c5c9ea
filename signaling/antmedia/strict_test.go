package antmedia

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

func TestStrictServer(t *testing.T) {
	inBubble(t, Config{Strict: true, Mesh: true}, func(b *bench) {
		p, q, r := b.page(), b.page(), b.page()
		for _, frame := range []string{"{", `{"command":"takeCandidate","streamId":"a","label":"0"}`} {
			if err := p.ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
				t.Fatal(err)
			}
		}
		p.want()

		p.say("join", "m") // a mesh it is not, and nothing is added
		q.say("join", "m")
		r.say("join", "m")
		p.want("notification joined m", "start m")
		q.want("notification joined m")
		r.want("error NoSpaceForNewPeer m")
		p.send(description(typeOffer, "m", signalingtest.Tracks(1, 1), nil))
		q.want("takeConfiguration offer m")
		q.say("leave", "m")
		q.want("stop m", "notification leaved m")
		p.want("stop m")

		p.send(playOf("r", "p"))
		p.want("error no_stream_exist r")
		q.live("a", "r")
		p.send(playOf("r", "p"))
		p.want("takeConfiguration offer r map[1:ARDAMSaa 2:ARDAMSva]")
		q.say("stop", "a")
		q.want("notification publish_finished a")
		p.want("notification subtrackRemoved r a", "notification play_finished r")

		q.send(publish("b", "r"))
		q.want("start b")
		q.send(description(typeOffer, "b", strings.Replace(signalingtest.Tracks(1, 1), "H264", "VP8", 1), nil))
		q.want("error no_codec_enabled_in_the_server b")
		q.send(publish("b", "r"))
		q.want("start b")
		q.send(description(typeOffer, "b", strings.Replace(signalingtest.Tracks(1, 1), "BUNDLE", "LS", 1), nil))
		q.want("error notSetRemoteDescription b")

		p.send(object{"command": "ping", "padding": strings.Repeat("x", strictMessage)})
		if !p.isLost() {
			t.Error("a message of more than 81,920 characters was read")
		}
	})
}

func TestStrictServerRestoresAStream(t *testing.T) {
	for _, c := range map[string]struct {
		pause time.Duration
		want  string
	}{
		"in time":  {9 * time.Second, "notification session_restored a"},
		"too late": {11 * time.Second, "notification publish_started a"},
	} {
		inBubble(t, Config{Strict: true}, func(b *bench) {
			p := b.page()
			p.live("a", "r")
			if err := p.conn.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(c.pause)
			for _, notice := range []string{c.want, "notification publish_started a"} { // once, if at all
				q := b.page()
				q.send(publish("a", "r"))
				q.send(offer("a"))
				q.want("start a", "takeConfiguration answer a", notice)
				q.say("stop", "a")
				q.want("notification publish_finished a")
			}
		})
	}
}

// TestBotsTowardsAStrictServer goes through what an Ant Media Server does to its clients.
func TestBotsTowardsAStrictServer(t *testing.T) {
	inBubble(t, Config{Strict: true}, func(b *bench) {
		target := func() *Target {
			return b.target(TargetConfig{PairwiseMesh: true, Peers: func(string) []string { return []string{"a", "b", "c"} }})
		}
		join := func(p signaling.Participant) signaling.Session {
			t.Helper()
			s, err := target().Join(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		// Nothing to play at first, then the other's stream, then nothing again, then its return.
		a, c := camera(), camera()
		first := join(peer("a", "r", signaling.TopologyConference, a))
		wantSpecs(t, a, "a publish a")
		time.Sleep(2 * retryPeriod)
		wantSpecs(t, a, "a publish a", "r play") // its own stream keeps the room open
		second := join(peer("b", "r", signaling.TopologyConference, c))
		wantSpecs(t, c, "b publish b", "r play")
		viewer := &signalingtest.Connector{}
		third := join(onlyViewer(viewer))
		leave(t, first, second)
		wantSpecs(t, viewer, "r play closed")
		back := join(peer("a", "r", signaling.TopologyConference, camera()))
		time.Sleep(2 * retryPeriod)
		wantSpecs(t, viewer, "r play closed", "r play")
		if err := back.Drop(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		back = join(peer("a", "r", signaling.TopologyConference, camera()))
		leave(t, back, third)

		// A mesh from pairs.
		mesh := map[string]*signalingtest.Connector{"a": camera(), "b": camera(), "c": camera()}
		var sessions []signaling.Session
		for _, id := range []string{"a", "b", "c"} {
			sessions = append(sessions, join(peer(id, "m", signaling.TopologyMesh, mesh[id])))
		}
		wantSpecs(t, mesh["b"], "m-a-b peer a", "m-b-c peer c")
		leave(t, sessions...)
	})
}

func TestBotWithoutH264IsToldWhy(t *testing.T) {
	inBubble(t, Config{Strict: true}, func(b *bench) {
		c := camera()
		c.Description = func(signaling.ConnectionSpec) string {
			return strings.Replace(signalingtest.Tracks(1, 1), "H264", "VP8", 1)
		}
		p := peer("a", "r", signaling.TopologyConference, c)
		p.Receive = false
		s, err := b.target(TargetConfig{}).Join(context.Background(), p)
		if err == nil {
			<-s.Done()
			err = s.Err()
		}
		if refused := (*ServiceError)(nil); !errors.As(err, &refused) || refused.Definition != "no_codec_enabled_in_the_server" {
			t.Errorf("got %v", err)
		}
	})
}

func TestOnlyH264(t *testing.T) {
	offer := strings.ReplaceAll(`v=0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=rtpmap:111 opus/48000/2
m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103
a=mid:1
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:102 H264/90000
a=fmtp:102 packetization-mode=1
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=sendonly
`, "\n", "\r\n")
	want := strings.ReplaceAll(`v=0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
a=rtpmap:111 opus/48000/2
m=video 9 UDP/TLS/RTP/SAVPF 102 103
a=mid:1
a=rtpmap:102 H264/90000
a=fmtp:102 packetization-mode=1
a=rtpmap:103 rtx/90000
a=fmtp:103 apt=102
a=sendonly
`, "\n", "\r\n")
	got, ok := onlyH264(offer)
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Errorf("%v (-want +got):\n%s", ok, d)
	}
	if _, ok := onlyH264(strings.ReplaceAll(offer, "H264", "H265")); ok {
		t.Error("an offer without H.264 has something left")
	}
	for _, odd := range []string{"", "m=video", "\nm=video", "v=0\r\nm=video 9\r\n"} {
		_, _ = onlyH264(odd) // whatever a client sends
	}
}

func TestTrickled(t *testing.T) {
	sdp := "v=0\r\nm=audio 9 X 1\r\na=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\na=mid:x\r\na=end-of-candidates\r\n" +
		"m=video 9 X 1\r\na=candidate:2 1 udp 1 10.0.0.1 2 typ host\r\n"
	rest, candidates := trickled(sdp)
	if want := "v=0\r\nm=audio 9 X 1\r\na=mid:x\r\nm=video 9 X 1\r\n"; rest != want {
		t.Errorf("got %q, want %q", rest, want)
	}
	want := []signaling.Candidate{
		{Candidate: "candidate:1 1 udp 1 10.0.0.1 1 typ host", MID: "x"},
		{Candidate: "candidate:2 1 udp 1 10.0.0.1 2 typ host", MID: "1", MLine: 1},
	}
	if d := cmp.Diff(want, candidates); d != "" {
		t.Errorf("candidates (-want +got):\n%s", d)
	}
}
