package antmedia

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/peerfleet/peerfleet/signaling"
)

const restBase = "/live/rest/v2/broadcasts"

// localRequest is a request as it comes from this machine; ask is "METHOD path body".
func localRequest(ask string) *http.Request {
	parts := append(strings.SplitN(ask, " ", 3), "")
	r := httptest.NewRequest(parts[0], restBase+parts[1], strings.NewReader(parts[2]))
	r.Host, r.RemoteAddr = "127.0.0.1:5080", "127.0.0.1:40000"
	return r
}

// rest makes a request and returns the status and the body.
func (b *bench) rest(r *http.Request) (int, string) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.server.ServeHTTP(w, r)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// wantREST compares an answer with "STATUS body", where "…" at the end stands for anything.
func (b *bench) wantREST(ask, want string) {
	b.t.Helper()
	code, text := b.rest(localRequest(ask))
	got := fmt.Sprint(code, " ", text)
	if start, ok := strings.CutSuffix(want, "…"); ok && strings.HasPrefix(got, start) {
		return
	}
	if got != want {
		b.t.Errorf("%s:\ngot  %s\nwant %s", ask, got, want)
	}
}

const done = `200 {"success":true,"message":"","dataId":"%s","errorId":0}`

func TestRESTCreatesBroadcasts(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		created := `{"streamId":"room1","name":"Room 1","status":"created","type":"liveStream","virtual":false,"zombi":false,` +
			`"metaData":"{}","date":946684800000,"subtracksLimit":2,"webRTCViewerLimit":-1,"webRTCViewerCount":0}`
		b.wantREST(`POST /create {"streamId":"room1","name":"Room 1","type":"liveStream","metaData":"{}","subtracksLimit":2,"zombi":true}`,
			"200 "+created)
		b.wantREST("GET /room1", "200 "+created)
		b.wantREST("GET /list/0/10", "200 ["+created+"]")
		b.wantREST("GET /count", `200 {"number":1}`)
		b.wantREST("GET /count/oom%201", `200 {"number":1}`)
		b.wantREST("GET /count/token", `200 {"number":0}`)
		b.wantREST("PUT /room1 {\"name\":\"R\"}", fmt.Sprintf(done, "room1"))
		b.wantREST("GET /room1", "200 "+strings.Replace(created, "Room 1", "R", 1))
		b.wantREST("DELETE /room1", fmt.Sprintf(done, "room1"))
		b.wantREST("GET /room1", `404 {"success":false,"message":"there is no broadcast \"room1\"","dataId":"","errorId":404}`)

		_, text := b.rest(localRequest("POST /create"))
		var made broadcast
		if err := json.Unmarshal([]byte(text), &made); err != nil || !validName(made.StreamID) {
			t.Errorf("created without an ID: %s, %v", text, err)
		}
		b.wantREST("DELETE ?ids="+made.StreamID+",none",
			`200 {"success":false,"message":"there are no broadcasts none","dataId":"none","errorId":0}`)
		b.wantREST("GET /count", `200 {"number":0}`)
	})
}

func TestRESTRefusesWhatItCannotDo(t *testing.T) {
	config := Config{MaxRooms: 3}
	inBubble(t, config, func(b *bench) {
		b.wantREST(`POST /create {"streamId":"a"}`, "200 …")
		b.page().live("live", "")
		for ask, want := range map[string]string{
			`POST /create {"streamId":"a"}`:                               `400 {"success":false,"message":"stream ID \"a\" is in use"…`,
			`POST /create {"streamId":"live"}`:                            `400 {"success":false,"message":"stream ID \"live\" is in use"…`,
			`POST /create {"streamId":"a/b"}`:                             `400 {"success":false,"message":"\"a/b\" is no stream ID"…`,
			`POST /create {"streamId":7}`:                                 `400 {"success":false,"message":"the request is no JSON of the expected shape: …`,
			`POST /create {`:                                              `400 {"success":false,"message":"the request is no JSON of the expected shape: …`,
			`POST /create {"mainTrackStreamId":"<b>"}`:                    `400 {"success":false,"message":"mainTrackStreamId \"\u003cb\u003e\" is no stream ID"…`,
			`POST /create ` + strings.Repeat(" ", maxBody+1):              `413 {"success":false,"message":"the request is longer than 65536 bytes"…`,
			`POST /create {"name":"` + strings.Repeat("n", 300) + `"}`:    `400 {"success":false,"message":"name is longer than 256 bytes"…`,
			`PUT /a {"metaData":"` + strings.Repeat("n", maxMeta) + `n"}`: `400 {"success":false,"message":"metaData is longer than 16384 bytes"…`,
			"PUT /none {}":                             "404 …",
			"DELETE /none":                             "404 …",
			"DELETE /a?deleteSubtracks=maybe":          `400 {"success":false,"message":"deleteSubtracks is true or false"…`,
			"DELETE /":                                 `400 {"success":false,"message":"ids names 1 to 250 broadcasts, with commas between"…`,
			"GET /list/0/-1":                           `400 {"success":false,"message":"offset and size are whole numbers from 0 on"…`,
			"GET /list/x/1":                            "400 …",
			"GET /a/nonsense":                          "404 …",
			"GET /a/nonsense/0/1":                      "404 …",
			"GET /none/subtracks/0/1":                  "404 …",
			"GET /none/webrtc-client-stats/0/1":        "404 …",
			"GET /none/broadcast-statistics":           "404 …",
			"GET /a/stream-info":                       "404 …",
			"GET /%3Cb%3E":                             `400 {"success":false,"message":"\"\u003cb\u003e\" is no stream ID"…`,
			"POST /a/stop":                             `200 {"success":false,"message":"nothing is being published"…`,
			"POST /none/stop":                          "404 …",
			"POST /a/data hello":                       `200 {"success":false,"message":"nobody is connected"…`,
			"POST /none/data hello":                    "404 …",
			"POST /a/subtrack":                         "400 …",
			"POST /a/subtrack?id=none":                 "404 …",
			"POST /none/subtrack?id=a":                 "404 …",
			"POST /a/subtrack?id=live":                 `409 {"success":false,"message":"stream \"live\" is live: it enters the room when it is published next"…`,
			"DELETE /a/subtrack?id=live":               "404 …",
			"GET /a/jwt-token?type=play&expireDate=99": `400 {"success":false,"message":"this server asks for no tokens"…`,
			"POST /validate-token {}":                  "400 …",
			"PATCH /a":                                 "405 …",
			"GET /a/b/c/d/e":                           "404 …",
		} {
			b.wantREST(ask, want)
		}
		b.wantREST(`POST /create {"streamId":"b"}`, "200 …")
		b.wantREST(`POST /create {"streamId":"c"}`, "200 …")
		b.wantREST(`POST /create {"streamId":"d"}`, `503 {"success":false,"message":"there are 3 broadcasts already"…`)
	})
}

func TestRESTShowsAndEndsWhatIsLive(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p, viewer := b.page(), b.page()
		p.live("a", "r")
		p.live("b", "r")
		viewer.send(playOf("r", "v"))
		viewer.want("takeConfiguration offer r map[1:ARDAMSaa 2:ARDAMSva 3:ARDAMSab 4:ARDAMSvb]")
		viewer.send(description(typeAnswer, "r", "x", nil))
		viewer.want("notification play_started r")
		b.conference.Log()
		time.Sleep(2 * time.Second)

		b.wantREST("GET /active-live-stream-count", `200 {"number":2}`)
		b.wantREST("GET /count", `200 {"number":3}`)
		b.wantREST("GET /r/active-subtracks-count", `200 {"number":2}`)
		b.wantREST("GET /r/subtracks/1/5", `200 [{"streamId":"b","name":"name of b",…`)
		b.wantREST("GET /r/active-subtracks/2/5", `200 []`)
		b.wantREST("GET /r/broadcast-statistics",
			`200 {"totalWebRTCWatchersCount":1,"totalRTMPWatchersCount":-1,"totalHLSWatchersCount":-1,"totalDASHWatchersCount":-1}`)
		b.wantREST("GET /total-broadcast-statistics", `200 {"totalWebRTCWatchersCount":1,"totalRTMPWatchersCount":-1,`+
			`"totalHLSWatchersCount":-1,"totalDASHWatchersCount":-1,"activeLiveStreamCount":2}`)
		b.wantREST("GET /r/webrtc-client-stats/0/5",
			`200 [{"clientId":"v","clientInfo":"","clientIp":"pipe","subscriberId":"","connected":true}]`)
		b.wantREST("GET /a/stream-info",
			`200 [{"videoHeight":360,"videoWidth":640,"videoBitrate":500000,"audioBitrate":32000,"videoCodec":"VP8"}]`)
		b.wantREST("GET /a", `200 {"streamId":"a","name":"name of a","status":"broadcasting","type":"liveStream",`+
			`"publishType":"WebRTC","virtual":false,"zombi":true,"mainTrackStreamId":"r","metaData":null,"date":946684800000,`+
			`"startTime":946684800000,"duration":2000,"subtracksLimit":-1,"webRTCViewerLimit":-1,"webRTCViewerCount":0,`+
			`"remoteIp":"pipe","width":640,"height":360,"bitrate":532000}`)

		b.wantREST("POST /r/data hello", fmt.Sprintf(done, "r"))
		wantLog(t, b.conference, "notify v hello")
		b.wantREST(`PUT /a {"metaData":"m","webRTCViewerLimit":1}`, fmt.Sprintf(done, "a"))
		b.wantREST("GET /list/0/1?sort_by=name&order_by=desc&search=NAME", `200 [{"streamId":"b",…`)
		b.wantREST("GET /a", `200 {"streamId":"a","name":"name of a","status":"broadcasting","type":"liveStream",`+
			`"publishType":"WebRTC","virtual":false,"zombi":true,"mainTrackStreamId":"r","metaData":"m","date":946684802000,`+
			`"startTime":946684800000,"duration":2000,"subtracksLimit":-1,"webRTCViewerLimit":1,…`)

		b.wantREST("POST /a/stop", fmt.Sprintf(done, "a"))
		p.want("notification publish_finished a")
		viewer.want("notification subtrackRemoved r a", "takeConfiguration offer r map[1:ARDAMSab 2:ARDAMSvb]")
		b.wantREST("GET /a", "404 …") // the record that the update made went with the stream
		b.wantREST("DELETE /r", fmt.Sprintf(done, "r"))
		p.want("notification publish_finished b")
		viewer.want("notification subtrackRemoved r b", "notification play_finished r")
		b.wantREST("GET /count", `200 {"number":0}`)
	})
}

func TestBroadcastThatWasCreatedOutlivesItsUse(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		b.wantREST(`POST /create {"streamId":"r"}`, "200 …")
		b.wantREST(`POST /create {"streamId":"cam","name":"Camera","metaData":"{}"}`, "200 …")
		b.wantREST("POST /r/subtrack?id=cam", fmt.Sprintf(done, "cam"))
		p := b.page()
		o := publish("cam", "")
		o["streamName"], o["metaData"] = "", ""
		p.send(o)
		p.want("start cam")
		p.send(offer("cam"))
		p.want("takeConfiguration answer cam", "notification publish_started cam")
		b.wantREST("GET /r/subtracks/0/9", `200 [{"streamId":"cam","name":"Camera","status":"broadcasting",…`)
		b.wantREST("DELETE /r/subtrack?id=cam", fmt.Sprintf(done, "cam"))
		p.want("notification publish_finished cam")
		b.wantREST("GET /r", `200 {"streamId":"r","name":"","status":"finished","type":"liveStream","virtual":false,"zombi":false,…`)
		p.live("cam", "")
		b.wantREST("GET /r/active-subtracks-count", `200 {"number":0}`)
	})
}

func TestRESTLimitsHold(t *testing.T) {
	inBubble(t, Config{MaxStreams: 3}, func(b *bench) {
		b.wantREST(`POST /create {"streamId":"r","subtracksLimit":1,"webRTCViewerLimit":1}`, "200 …")
		b.wantREST(`POST /create {"streamId":"over","plannedEndDate":946684799}`, "200 …")
		b.wantREST(`POST /create {"streamId":"later","plannedStartDate":946684801}`, "200 …")
		p := b.page()
		p.live("a", "r")
		p.send(publish("b", "r"))
		p.want("error main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks b")
		p.send(playOf("r", "v"))
		b.page().send(playOf("r", "w"))
		p.want("takeConfiguration offer r map[1:ARDAMSaa 2:ARDAMSva]")
		q := b.page()
		q.send(playOf("r", "x"))
		q.want("error viewerLimitReached r")
		q.send(playOf("over", "x"))
		q.send(publish("x", "over"))
		q.send(publish("later", ""))
		q.want("error stream_not_active_or_expired over", "error room_not_active_or_expired x",
			"error stream_not_active_or_expired later")
		time.Sleep(time.Second)
		q.live("later", "")
	})
}

func TestRESTIsForThisMachine(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		for name, c := range map[string]struct {
			change func(*http.Request)
			want   int
		}{
			"this machine":        {func(*http.Request) {}, 200},
			"by name":             {func(r *http.Request) { r.Host = "localhost:5080" }, 200},
			"IPv6":                {func(r *http.Request) { r.Host, r.RemoteAddr = "[::1]:5080", "[::1]:4" }, 200},
			"own page":            {func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:5080") }, 200},
			"another machine":     {func(r *http.Request) { r.RemoteAddr = "192.0.2.1:4" }, 403},
			"no address":          {func(r *http.Request) { r.RemoteAddr = "pipe" }, 403},
			"a proxy":             {func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") }, 403},
			"a standard proxy":    {func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1") }, 403},
			"a foreign page":      {func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }, 403},
			"a page without name": {func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
			"a rebound name":      {func(r *http.Request) { r.Host = "evil.example:5080" }, 403},
		} {
			r := localRequest("GET /count")
			c.change(r)
			if got, text := b.rest(r); got != c.want {
				t.Errorf("%s: got %d %s, want %d", name, got, text, c.want)
			}
		}
	})
}

func TestRESTWithASecret(t *testing.T) {
	secret := []byte("correct horse")
	inBubble(t, Config{RESTSecret: secret}, func(b *bench) {
		sign := func(secret []byte, method jwt.SigningMethod, key any, after time.Duration) string {
			claims := jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(after))}
			token, err := jwt.NewWithClaims(method, claims).SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		good := sign(secret, jwt.SigningMethodHS256, secret, time.Minute)
		for name, c := range map[string]struct {
			header string
			want   int
		}{
			"token":        {good, 200},
			"bearer":       {"Bearer " + good, 200},
			"none":         {"", 403},
			"nonsense":     {"x.y.z", 403},
			"wrong secret": {sign(secret, jwt.SigningMethodHS256, []byte("battery staple"), time.Minute), 403},
			"expired":      {sign(secret, jwt.SigningMethodHS256, secret, -time.Minute), 403},
			"not signed":   {sign(secret, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, time.Minute), 403},
			"stronger":     {sign(secret, jwt.SigningMethodHS512, secret, time.Minute), 403},
		} {
			r := localRequest("GET /count")
			r.RemoteAddr, r.Host = "192.0.2.1:4", "media.example"
			if c.header != "" {
				r.Header.Set("Authorization", c.header)
			}
			if got, text := b.rest(r); got != c.want {
				t.Errorf("%s: got %d %s, want %d", name, got, text, c.want)
			}
		}
	})
}

func TestStreamTokens(t *testing.T) {
	config := Config{TokenSecret: []byte("correct horse")}
	inBubble(t, config, func(b *bench) {
		mint := func(query string) string {
			_, text := b.rest(localRequest("GET " + query))
			var token streamToken
			if err := json.Unmarshal([]byte(text), &token); err != nil || token.TokenID == "" {
				t.Fatalf("%s: %s", query, text)
			}
			return token.TokenID
		}
		publishA := mint("/a/jwt-token?type=publish&expireDate=946684860")
		playR := mint("/r/token?type=play&expireDate=946684860")
		room := mint("/any/jwt-token?type=publish&expireDate=946684860&roomId=r")
		ask := func(o object, token string) object {
			o["token"] = token
			return o
		}
		play := func(stream, token string) object { return ask(playOf(stream, "v"), token) }
		join := func(token string) object { return ask(object{"command": "join", "streamId": "r"}, token) }
		for name, c := range map[string]struct {
			ask  object
			want string
		}{
			"no token":                         {publish("a", "r"), "error unauthorized_access a"},
			"no text":                          {func() object { o := publish("a", "r"); o["token"] = nil; return o }(), "error unauthorized_access a"},
			"nonsense":                         {ask(publish("a", "r"), "x"), "error unauthorized_access a"},
			"publish":                          {ask(publish("a", "r"), publishA), "start a"},
			"publish another":                  {ask(publish("b", "r"), publishA), "error unauthorized_access b"},
			"publish into a room":              {ask(publish("b", "r"), room), "start b"},
			"publish into another":             {ask(publish("b", "q"), room), "error unauthorized_access b"},
			"publish with a token to play":     {ask(publish("r", ""), playR), "error unauthorized_access r"},
			"play":                             {play("r", playR), "takeConfiguration offer r map[]"},
			"play another":                     {play("q", playR), "error unauthorized_access q"},
			"play with the room's":             {play("r", room), "takeConfiguration offer r map[]"},
			"play with a stream's":             {play("r", publishA), "error unauthorized_access r"},
			"join with a token to play":        {join(playR), "notification joined r"},
			"join with a token to publish":     {join(room), "notification joined r"},
			"join with the token of something": {join(publishA), "error unauthorized_access r"},
		} {
			p := b.page()
			p.send(c.ask)
			if got := p.take(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("%s: got %q, want %q", name, got, c.want)
			}
			if err := p.ws.Close(); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		b.wantREST(`POST /validate-token {"tokenId":"`+room+`","streamId":"r","type":"play"}`,
			`200 {"tokenId":"`+room+`","streamId":"r","expireDate":946684860,"type":"play"}`)
		b.wantREST(`POST /validate-token {"tokenId":"`+room+`","streamId":"q","type":"play"}`, "404 …")
		for _, bad := range []string{"type=watch&expireDate=946684860", "type=play", "type=play&expireDate=946684700", "type=play&expireDate=946684860&roomId=%3C"} {
			b.wantREST("GET /r/jwt-token?"+bad, "400 …")
		}
		time.Sleep(time.Minute)
		p := b.page()
		p.send(ask(publish("a", "r"), publishA))
		p.want("error unauthorized_access a")
		b.wantREST(`POST /validate-token {"tokenId":"`+room+`","streamId":"r","type":"play"}`, "404 …")
	})
}

func TestBotsShowTheirToken(t *testing.T) {
	config := Config{TokenSecret: []byte("correct horse")}
	inBubble(t, config, func(b *bench) {
		token, err := mintToken(config.TokenSecret, permitPublish, "r", time.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, topology := range []signaling.Topology{signaling.TopologyConference, signaling.TopologyP2P} {
			with := b.target(TargetConfig{Token: func(room string) string {
				if room != "r" {
					t.Errorf("asked for the token of %q", room)
				}
				return token
			}})
			session, err := with.Join(context.Background(), peer("a", "r", topology, camera()))
			if err != nil {
				t.Errorf("%s: %v", topology, err)
				continue
			}
			leave(t, session)
			_, err = b.target(TargetConfig{}).Join(context.Background(), peer("b", "r", topology, camera()))
			if refused := (*ServiceError)(nil); !errors.As(err, &refused) || refused.Definition != "unauthorized_access" {
				t.Errorf("%s without a token: got %v", topology, err)
			}
		}
	})
}
