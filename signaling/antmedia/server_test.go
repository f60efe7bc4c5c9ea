package antmedia

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestKeepalive(t *testing.T) {
	config := Config{ICEServer: func() ICEServer {
		return ICEServer{URI: "turn:10.0.0.5:3478", Username: "u", Credential: "p"}
	}}
	inBubble(t, config, func(b *bench) {
		p := b.page()
		p.send(object{"command": "ping"})
		p.want("pong")
		p.send(object{"command": "getIceServerConfig"})
		m := p.last()
		if m["command"] != "iceServerConfig" || m["stunServerUri"] != "turn:10.0.0.5:3478" ||
			m["turnServerUsername"] != "u" || m["turnServerCredential"] != "p" {
			t.Errorf("ICE server: got %v", m)
		}
		time.Sleep(29 * time.Second)
		if p.isLost() {
			t.Error("socket was closed before 30 s of silence")
		}
		if err := p.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		if p.isLost() {
			t.Error("a ping frame does not count as a sign of life")
		}
		time.Sleep(2 * time.Second)
		if !p.isLost() {
			t.Error("socket is open after 31 s of silence")
		}
	})
}

func TestBadMessages(t *testing.T) {
	for name, c := range map[string]struct{ frame, want string }{
		"no JSON":             {`{`, "error missingParameter"},
		"array":               {`[{"command":"ping"}]`, "error missingParameter"},
		"trailing":            {`{"command":"ping"}{}`, "error missingParameter"},
		"no command":          {`{"streamId":"a"}`, "error missingParameter"},
		"unknown":             {`{"command":"connectWithNewId"}`, ""},
		"wrong type":          {`{"command":"stop","streamId":7}`, "error missingParameter"},
		"label as text":       {`{"command":"takeCandidate","streamId":"a","label":"0"}`, "error missingParameter"},
		"stop unknown":        {`{"command":"stop","streamId":"a"}`, ""},
		"leave unknown":       {`{"command":"leave","streamId":"a"}`, ""},
		"no name":             {`{"command":"publish"}`, "error noStreamNameSpecified"},
		"bad name":            {`{"command":"join","streamId":"a/b"}`, "error invalidStreamName a/b"},
		"room info":           {`{"command":"getRoomInfo","streamId":"a"}`, "error no_room_specified a"},
		"no ICE server":       {`{"command":"getIceServerConfig"}`, ""},
		"description of none": {`{"command":"takeConfiguration","streamId":"a","type":"offer","sdp":""}`, "error missingParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(b *bench) {
				p := b.page()
				if err := p.ws.WriteMessage(websocket.TextMessage, []byte(c.frame)); err != nil {
					t.Fatal(err)
				}
				if err := p.ws.WriteMessage(websocket.BinaryMessage, []byte(c.frame)); err != nil {
					t.Fatal(err)
				}
				p.send(object{"command": "ping"})
				if c.want == "" {
					p.want("pong")
				} else {
					p.want(c.want, "pong")
				}
			})
		})
	}
}

func TestOversized(t *testing.T) {
	inBubble(t, Config{MaxMessage: 100_000}, func(b *bench) {
		p := b.page()
		p.say("join", "r")
		p.send(object{"command": "ping", "padding": strings.Repeat("x", 99_900)})
		p.want("notification joined r", "pong")
		// The server stops reading in the middle of the message.
		_ = p.ws.WriteMessage(websocket.TextMessage, make([]byte, 100_001))
		if !p.isLost() {
			t.Error("socket is open after a message above the limit")
		}
		if rooms := b.server.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms: got %v, want none", rooms)
		}
	})
}

// deaf opens a socket from which nobody reads.
func (b *bench) deaf() *websocket.Conn {
	b.t.Helper()
	d := websocket.Dialer{NetDialContext: b.pipes.dial}
	ws, resp, err := d.Dial(testURL, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return ws
}

func TestSlowClient(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a := b.page()
		a.say("join", "r")
		a.want("notification joined r")
		ws := b.deaf()
		defer func() { _ = ws.Close() }()
		if err := ws.WriteJSON(object{"command": "join", "streamId": "r"}); err != nil {
			t.Fatal(err)
		}
		a.want("start r") // the other never reads what the server writes
		time.Sleep(writeTimeout - time.Millisecond)
		a.want()
		time.Sleep(2 * time.Millisecond)
		a.want("stop r")
	})
}

func TestFlood(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a := b.page()
		a.say("join", "r")
		a.want("notification joined r")
		ws := b.deaf()
		defer func() { _ = ws.Close() }()
		if err := ws.WriteJSON(object{"command": "join", "streamId": "r"}); err != nil {
			t.Fatal(err)
		}
		a.want("start r")
		for range queueMessages + 2 { // in no time at all: the bound, not the deadline, ends it
			a.send(object{"command": "peerMessageCommand", "streamId": "r", "definition": "x"})
		}
		a.want("stop r")
	})
}

func TestStop(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p, q := b.page(), b.page()
		p.live("s", "r")
		q.say("join", "j")
		q.want("notification joined j")
		b.conference.Log()
		if err := b.server.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
		p.want("notification server_will_stop")
		q.want("notification server_will_stop")
		if !p.isLost() || !q.isLost() {
			t.Error("a socket is open after the stop")
		}
		wantLog(t, b.conference, "unpublish r s")
		d := websocket.Dialer{NetDialContext: b.pipes.dial}
		_, resp, err := d.Dial(testURL, nil)
		if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("dial after the stop: got %v, %v", resp, err)
		}
		if err := b.server.Stop(context.Background()); err != nil {
			t.Errorf("second stop: %v", err)
		}
	})
}

func TestStopOfADeafClient(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		ws := b.deaf()
		defer func() { _ = ws.Close() }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		if err := b.server.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: got %v, want a deadline", err)
		}
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("stop took %v, want 2 s", d)
		}
	})
}

func TestPathsAndLimits(t *testing.T) {
	inBubble(t, Config{MaxSockets: 2, MaxRooms: 1}, func(b *bench) {
		client := &http.Client{Transport: &http.Transport{DialContext: b.pipes.dial, DisableKeepAlives: true}}
		for path, want := range map[string]int{
			"/live/websocket?target=edge": http.StatusBadRequest, // right, but no upgrade
			"/Conference/websocket":       http.StatusBadRequest,
			"/websocket":                  http.StatusNotFound,
			"/live/websocket/signaling":   http.StatusNotFound,
			"//websocket":                 http.StatusNotFound,
			"/":                           http.StatusNotFound,
		} {
			resp, err := client.Get("http://service" + path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Error(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
			}
		}
		p := b.page()
		p.say("join", "one")
		p.say("join", "two")
		p.send(publish("s", "three"))
		p.send(playOf("three", ""))
		p.want("notification joined one", "error highResourceUsage two", "error highResourceUsage s", "error highResourceUsage three")
		b.page()
		d := websocket.Dialer{NetDialContext: b.pipes.dial}
		if _, resp, err := d.Dial(testURL, nil); err == nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("third socket: got %v, %v", resp, err)
		}
	})
}
