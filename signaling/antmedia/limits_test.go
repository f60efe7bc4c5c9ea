package antmedia

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSocketsThatSendTooMuchAreClosed(t *testing.T) {
	inBubble(t, Config{MessageRate: 10}, func(b *bench) {
		p := b.page()
		p.live("a", "r") // two messages
		for range 198 {  // at once
			p.send(object{"command": "leave", "streamId": "x"})
		}
		for range 50 { // at the rate
			time.Sleep(100 * time.Millisecond)
			p.send(object{"command": "leave", "streamId": "x"})
		}
		p.want()
		p.send(object{"command": "leave", "streamId": "x"})
		p.want("error highResourceUsage")
		if !p.isLost() {
			t.Error("the socket is still open")
		}
		wantLog(t, b.conference, "publish r a", "answer a 1", "unpublish r a")
	})
}

func TestSizesAreLimited(t *testing.T) {
	inBubble(t, Config{MaxSDP: 100, MaxMessage: 10_000}, func(b *bench) {
		p, q := b.page(), b.page()
		long := strings.Repeat("x", 101)
		p.send(publish("a", "r"))
		p.want("start a")
		p.send(description(typeOffer, "a", long, nil))
		p.want("error notSetRemoteDescription a")
		p.send(description(typeOffer, "a", long[:100], nil))
		p.want("takeConfiguration answer a", "notification publish_started a")

		p.say("join", "m")
		q.say("join", "m")
		p.want("notification joined m", "start m")
		q.want("notification joined m")
		p.send(description(typeOffer, "m", long, nil)) // it is not passed on
		p.want("error notSetRemoteDescription m")
		p.send(candidate("m", strings.Repeat("c", maxCandidate+1), "0", 0))
		p.want("error missingParameter")
		q.want()

		p.send(object{"command": "ping", "padding": strings.Repeat("x", 10_000)})
		if !p.isLost() {
			t.Error("a socket is open after a message above the limit")
		}
		q.want("stop m")
	})
}

func TestRoomsAreLimited(t *testing.T) {
	inBubble(t, Config{MaxStreams: 1, MaxViewers: 1}, func(b *bench) {
		p, q := b.page(), b.page()
		p.live("a", "r")
		p.live("b", "q")
		p.live("alone", "")
		q.send(publish("b", "r"))
		q.want("error main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks b")
		p.send(playOf("r", "a"))
		p.want("takeConfiguration offer r map[]")
		q.send(playOf("r", "x"))
		q.want("error viewerLimitReached r")
		p.say("stop", "a")
		p.want("notification publish_finished a")
		q.live("b", "r")
		p.say("stop", "r")
		p.want("notification subtrackAdded r b", "notification play_finished r")
		q.send(playOf("r", "x"))
		q.want("takeConfiguration offer r map[1:ARDAMSab 2:ARDAMSvb]")
	})
}

func TestOrigins(t *testing.T) {
	allowed := []string{"https://page.example", "http://Other.example:8080"}
	for name, c := range map[string]struct {
		allowed []string
		origin  string
		want    bool
	}{
		"any":           {nil, "https://evil.example", true},
		"star":          {[]string{"*"}, "https://evil.example", true},
		"listed":        {allowed, "https://page.example", true},
		"other case":    {allowed, "http://other.EXAMPLE:8080", true},
		"own address":   {allowed, "https://media.example:5443", true},
		"no browser":    {allowed, "", true},
		"not listed":    {allowed, "https://evil.example", false},
		"other scheme":  {allowed, "http://page.example", false},
		"other port":    {allowed, "https://page.example:1", false},
		"begins so":     {allowed, "https://page.example.evil.example", false},
		"no name":       {allowed, "null", false},
		"not an origin": {allowed, "%", false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/live/websocket", nil)
		r.Host = "media.example:5443"
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got := NewServer(Config{Origins: c.allowed}).originAllowed(r); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestNothingAClientSendsIsMarkupOrALogLine has a client name everything with markup and line breaks.
func TestNothingAClientSendsIsMarkupOrALogLine(t *testing.T) {
	var log bytes.Buffer
	const evil = "<img src=x onerror=alert(1)>\n2026 level=ERROR msg=forged"
	config := Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	inBubble(t, config, func(b *bench) {
		p := b.page()
		for _, command := range []string{"publish", "play", "join", "stop", "leave", "getDebugInfo", "getBroadcastObject", evil} {
			p.say(command, evil)
		}
		p.send(object{"command": "publish", "streamId": "a", "mainTrack": evil})
		p.send(object{"command": "play", "streamId": "a", "userPublishId": evil})
		p.send(object{"command": "takeConfiguration", "streamId": "a", "type": evil, "sdp": evil})
		refused := "error invalidStreamName " + evil
		want := []string{refused, refused, refused, refused, refused, refused, refused}
		want = append(want, "error invalidStreamName a", "error invalidStreamName a", "error missingParameter")
		if d := cmp.Diff(want, p.take()); d != "" {
			t.Errorf("messages (-want +got):\n%s", d)
		}
		p.live("a", "r") // with a name that is free text
		p.send(object{"command": "takeConfiguration", "streamId": "a", "type": "offer", "sdp": "bad"})
		p.want("error notSetRemoteDescription a")
		b.wantREST("GET /%3Cimg%20src=x%3E", `400 {"success":false,"message":"\"\u003cimg src=x\u003e\" is no stream ID"…`)
	})
	for line := range strings.Lines(log.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a client wrote this line of the log: %q", line)
		}
	}
}
