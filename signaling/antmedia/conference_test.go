package antmedia

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

func publish(stream, room string) object {
	return object{
		"command": "publish", "streamId": stream, "token": nil, "subscriberId": "", "subscriberCode": "",
		"streamName": "name of " + stream, "mainTrack": room, "video": true, "audio": true, "metaData": "", "role": "",
	}
}

func playOf(room, own string) object {
	return object{"command": "play", "streamId": room, "token": "", "room": "", "trackList": []string{}, "userPublishId": own}
}

// live publishes a stream of a page and takes what the server says to it.
func (p *page) live(stream, room string) {
	p.t.Helper()
	p.send(publish(stream, room))
	p.want("start " + stream)
	p.send(offer(stream))
	p.want("takeConfiguration answer "+stream, "notification publish_started "+stream)
}

func TestConference(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a := b.page()
		a.send(publish("sA", "room1"))
		a.send(playOf("room1", "sA"))
		a.want("start sA", "takeConfiguration offer room1 map[]")
		a.send(offer("sA"))
		a.send(candidate("sA", "candidate:a", "0", 0))
		a.want("takeConfiguration answer sA", "notification publish_started sA")
		a.send(answer("room1"))
		a.want("notification play_started room1")
		wantLog(t, b.conference, "publish room1 sA", "play room1 sA", "answer sA 1", "candidate sA candidate:a")

		c := b.page()
		c.send(playOf("room1", "sC"))
		c.want("takeConfiguration offer room1 map[1:ARDAMSasA 2:ARDAMSvsA]")
		c.send(answer("room1"))
		c.want("notification play_started room1")
		c.live("sC", "room1")
		a.want("notification subtrackAdded room1 sC",
			"takeConfiguration offer room1 map[1:ARDAMSasC 2:ARDAMSvsC]")
		a.send(answer("room1"))

		want := []Room{{Name: "room1", Topology: signaling.TopologyConference, Members: []string{"sA", "sC"}, Viewers: 2}}
		if d := cmp.Diff(want, b.server.Rooms()); d != "" {
			t.Errorf("rooms (-want +got):\n%s", d)
		}

		c.say("stop", "sC")
		c.say("stop", "room1")
		c.send(candidate("sC", "candidate:late", "0", 0))
		c.send(answer("room1"))
		c.want("notification publish_finished sC", "notification play_finished room1")
		a.want("notification subtrackRemoved room1 sC", "takeConfiguration offer room1 map[]")
		a.send(answer("room1"))

		a.send(offer("sA")) // with fresh ICE credentials
		a.want("takeConfiguration answer sA")
		c.live("sC", "room1")
		_ = c.conn.Close()
		a.want("notification subtrackAdded room1 sC", "takeConfiguration offer room1 map[1:ARDAMSasC 2:ARDAMSvsC]",
			"notification subtrackRemoved room1 sC")
	})
}

func TestOneSocketManySessions(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p, other := b.page(), b.page()
		p.live("camera", "r")
		p.live("screen", "r")
		p.say("join", "call")
		other.say("join", "call")
		p.want("notification joined call", "start call")
		p.say("stop", "camera")
		p.want("notification publish_finished camera")
		p.send(offer("call"))
		other.want("notification joined call", "takeConfiguration offer call map[0:ARDAMSacall 1:ARDAMSvcall]")
		b.conference.Log()
		_ = p.conn.Close()
		other.want("stop call")
		wantLog(t, b.conference, "unpublish r screen")
	})
}

func TestPublishFaults(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.live("s", "r")
		p.send(publish("s", "r"))
		p.want("error streamIdInUse s")
		other := b.page()
		other.send(publish("s", "r"))
		other.want("error streamIdInUse s")
		other.live("s", "elsewhere") // a stream's name is its room's
		other.send(publish("b", "bad room"))
		other.want("error invalidStreamName b")
		other.send(publish("b", "r"))
		bad := offer("b")
		bad["sdp"] = "bad"
		other.want("start b")
		b.conference.Log()
		other.send(bad)
		other.want("error notSetRemoteDescription b")
		wantLog(t, b.conference, "unpublish r b")

		b.conference.Fail("r", "s", errors.New("lost"))
		p.want("notification publish_finished s")
		p.live("s", "r")

		quiet := b.page()
		quiet.send(publish("q", "r"))
		quiet.want("start q")
		for range 4 {
			time.Sleep(7 * time.Second)
			quiet.send(object{"command": "ping"})
		}
		quiet.want("pong", "pong", "pong", "pong")
		time.Sleep(2 * time.Second)
		quiet.want("error publishTimeoutError q")
	})
}

func TestTakeover(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		dead := b.page()
		dead.live("s", "r")
		next := b.page()
		next.send(publish("s", "r"))
		next.want("error streamIdInUse s")
		time.Sleep(8 * time.Second)
		b.conference.Log()
		next.live("s", "r")
		wantLog(t, b.conference, "unpublish r s", "publish r s", "answer s 1")
		if !dead.isLost() {
			t.Error("the dead publisher's socket is still open")
		}
		_ = next.conn.Close()
		again := b.page()
		again.live("s", "r")
	})
}

func TestStopAndPublishAgain(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.live("s", "r")
		p.say("stop", "s")
		p.send(publish("s", "r"))
		p.want("notification publish_finished s", "start s")
		p.send(playOf("r", ""))
		p.want("takeConfiguration offer r map[]")
		p.send(playOf("r", ""))
		p.want("error already_playing r")
		p.say("stop", "r")
		p.send(playOf("r", ""))
		p.want("notification play_finished r", "takeConfiguration offer r map[]")
		bad := answer("r")
		bad["sdp"] = "bad"
		p.send(bad)
		p.want("error notSetRemoteDescription r")
	})
}

func TestWhatAViewerWants(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, v := b.page(), b.page()
		a.live("a", "r")
		play := playOf("r", "v")
		play["trackList"] = []string{"!a"}
		b.conference.Log()
		v.send(play)
		v.want("takeConfiguration offer r map[1:ARDAMSaa 2:ARDAMSva]")
		wantLog(t, b.conference, "play r v", "enable v a audio false", "enable v a video false")
		toggle := object{"command": "toggleVideo", "streamId": "r", "trackId": "a", "enabled": true}
		v.send(toggle)
		toggle["command"] = "enableTrack"
		v.send(toggle)
		toggle["command"], toggle["enabled"] = "toggleAudio", false
		v.send(toggle)
		toggle["enabled"] = "false" // AMS refuses it as well
		v.send(toggle)
		wantLog(t, b.conference, "enable v a video true", "enable v a audio true", "enable v a video true", "enable v a audio false")
		a.live("b", "r")
		wantLog(t, b.conference, "publish r b", "answer b 1")

		muted := b.page()
		play = playOf("r", "m")
		play["disableTracksByDefault"] = true
		muted.send(play)
		wantLog(t, b.conference, "play r m", "enable m a audio false", "enable m a video false",
			"enable m b audio false", "enable m b video false")
	})
}

// described is a live stream as the server describes it at the beginning of a bubble's time.
func described(id, room, meta string) string {
	if room != "" {
		room = `"mainTrackStreamId":"` + room + `",`
	}
	return `{"streamId":"` + id + `","name":"name of ` + id + `","status":"broadcasting","type":"liveStream",` +
		`"publishType":"WebRTC","virtual":false,"zombi":true,` + room + `"metaData":` + meta + `,"date":946684800000,` +
		`"startTime":946684800000,"subtracksLimit":-1,"webRTCViewerLimit":-1,"webRTCViewerCount":0,"remoteIp":"pipe"}`
}

func TestDirectory(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.send(object{"command": "getRoomInfo", "streamId": "a", "room": "r"})
		p.want("error no_active_streams_in_room a")
		p.say("getBroadcastObject", "r")
		p.want("error no_stream_exist r")
		p.live("a", "r")
		p.live("b", "r")
		p.live("alone", "")
		p.send(object{"command": "updateStreamMetaData", "streamId": "a", "metaData": `{"isMicMuted":true}`})

		for _, c := range []struct {
			ask  object
			key  string
			want any
		}{
			{object{"command": "getRoomInfo", "streamId": "a", "room": "r"}, "streams", []any{"b"}},
			{object{"command": "getRoomInfo", "streamId": "a", "room": "r"}, "streamList", []any{
				map[string]any{"streamId": "b", "streamName": "name of b", "metaData": ""},
			}},
			{
				object{"command": "getBroadcastObject", "streamId": "r"},
				"broadcast",
				`{"streamId":"r","name":"","status":"broadcasting","type":"liveStream","virtual":true,"zombi":true,` +
					`"subTrackStreamIds":["a","b"],"metaData":null,"date":946684800000,"startTime":946684800000,` +
					`"subtracksLimit":-1,"webRTCViewerLimit":-1,"webRTCViewerCount":0}`,
			},
			{
				object{"command": "getBroadcastObject", "streamId": "a"},
				"broadcast",
				described("a", "r", `"{\"isMicMuted\":true}"`),
			},
			{
				object{"command": "getBroadcastObject", "streamId": "alone"},
				"broadcast",
				described("alone", "", "null"),
			},
			{object{"command": "getSubtracks", "streamId": "r", "role": nil, "offset": 1, "size": 5}, "subtrackList", []any{
				described("b", "r", "null"),
			}},
			{object{"command": "getSubtracks", "streamId": "r", "offset": 9}, "subtrackList", []any{}},
			{object{"command": "getSubtracksCount", "streamId": "r"}, "count", 2.0},
			{object{"command": "getTrackList", "streamId": "r", "token": ""}, "trackList", []any{"a", "b"}},
			{object{"command": "getTrackList", "streamId": "x", "token": ""}, "trackList", []any{}},
		} {
			p.send(c.ask)
			if d := cmp.Diff(c.want, p.last()[c.key]); d != "" {
				t.Errorf("%v: %s (-want +got):\n%s", c.ask, c.key, d)
			}
		}
	})
}

// TestStreamsAndViewers asks about what flows, and who looks on.
func TestStreamsAndViewers(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.say("getStreamInfo", "a")
		p.want("error no_stream_exist a")
		p.live("a", "r")
		info := map[string]any{
			"streamWidth": 640.0, "streamHeight": 360.0, "videoCodec": "VP8", "videoBitrate": 500000.0, "audioBitrate": 32000.0,
		}
		ask := func(command, id string) map[string]any {
			p.say(command, id)
			m := p.last()
			p.want(inWords(m))
			return m
		}
		if d := cmp.Diff([]any{info}, ask("getStreamInfo", "a")["streamInfo"]); d != "" {
			t.Errorf("a stream (-want +got):\n%s", d)
		}
		p.live("b", "r")
		if d := cmp.Diff([]any{info, info}, ask("getStreamInfo", "r")["streamInfo"]); d != "" {
			t.Errorf("a room (-want +got):\n%s", d)
		}

		v := b.page()
		play := playOf("r", "")
		play["subscriberId"], play["subscriberName"] = "7", "Vera"
		v.send(play)
		synctest.Wait()
		if got := ask("getSubscriberCount", "r")["count"]; got != 1.0 {
			t.Errorf("viewers: got %v, want 1", got)
		}
		viewer := func(connected string) []any {
			return []any{`{"concurrentConnectionsLimit":1,"connected":` + connected +
				`,"currentConcurrentConnections":1,"streamId":"r","subscriberId":"7","subscriberName":"Vera"}`}
		}
		if d := cmp.Diff(viewer("false"), ask("getSubscribers", "r")["subscriberList"]); d != "" {
			t.Errorf("viewers (-want +got):\n%s", d)
		}
		v.send(answer("r"))
		synctest.Wait()
		if d := cmp.Diff(viewer("true"), ask("getSubscribers", "r")["subscriberList"]); d != "" {
			t.Errorf("viewers (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]any{}, ask("getSubscribers", "nothing")["subscriberList"]); d != "" {
			t.Errorf("viewers of nothing (-want +got):\n%s", d)
		}
		for id, want := range map[string]string{
			"a": "stream a: answered true, connected true, started true\n", "r": "room r: 2 streams, 1 viewers\n", "x": "unknown\n",
		} {
			if got := ask("getDebugInfo", id)["debugInfo"]; got != want {
				t.Errorf("debug info of %s: got %q, want %q", id, got, want)
			}
		}
		b.conference.Log()
		p.say("stop", "b")
		synctest.Wait()
		if got := strings.Join(b.conference.Log(), "; "); !strings.Contains(got, `notify viewer-1 {"command":"event","eventType":"TRACK_LIST_UPDATED","streamId":"r"}`) {
			t.Errorf("got %s, want the viewer notified", got)
		}
	})
}

func TestPublishStartedNamesTheRoom(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.live("s", "r")
		p.send(publish("t", "r"))
		p.want("start t")
		o := offer("t")
		o["sdp"] = signalingtest.SDP("application")
		p.send(o)
		want := map[string]any{
			"command": "notification", "definition": "publish_started", "streamId": "t", "subscriberId": "",
			"room": "r", "ATTR_ROOM_NAME": "r",
		}
		if d := cmp.Diff(want, p.last()); d != "" {
			t.Errorf("notification (-want +got):\n%s", d)
		}
	})
}

func TestViewerIsLost(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.send(playOf("r", "v"))
		p.want("takeConfiguration offer r map[]")
		b.conference.Log()
		b.conference.FailViewer("r", "v", errors.New("lost"))
		p.want("notification play_finished r")
		wantLog(t, b.conference, "unplay r v")
		p.send(playOf("r", "v"))
		p.send(candidate("r", "candidate:v", "0", 0))
		p.want("takeConfiguration offer r map[]")
		wantLog(t, b.conference, "play r v", "candidate v candidate:v")
	})
}

func TestSlowAnswerHoldsUpNobody(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		b.conference.Delay = 5 * time.Second
		p := b.page()
		p.send(publish("s", "r"))
		p.send(publish("t", "r"))
		p.want("start s", "start t")
		p.send(offer("s"))
		time.Sleep(time.Second)
		p.send(offer("t"))
		p.send(object{"command": "ping"})
		p.want("pong")
		p.say("stop", "s") // before its answer
		p.want("notification publish_finished s")
		time.Sleep(4999 * time.Millisecond)
		p.want()
		time.Sleep(time.Millisecond)
		p.want("takeConfiguration answer t", "notification publish_started t")
		b.conference.Delay = time.Minute
		p.send(offer("t"))
		for range 3 {
			time.Sleep(3 * time.Second)
			p.send(object{"command": "ping"})
		}
		time.Sleep(time.Second)
		p.want("pong", "pong", "pong", "error notSetRemoteDescription t")
	})
}

func TestTaskFlood(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		b.conference.Delay = time.Second
		p := b.page()
		p.send(publish("s", "r"))
		p.want("start s")
		p.send(offer("s"))
		for range taskQueue + 2 {
			if p.ws.WriteJSON(candidate("s", "candidate:x", "0", 0)) != nil {
				break
			}
		}
		if !p.isLost() {
			t.Error("a client may send without bound")
		}
	})
}

func TestViewerOfACrowd(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, v := b.page(), b.page()
		const n = taskQueue/2 + 10
		for i := range n {
			a.live(fmt.Sprintf("s%d", i), "r")
		}
		b.conference.Log()
		play := playOf("r", "v")
		play["disableTracksByDefault"] = true
		v.send(play)
		if v.isLost() {
			t.Error("the viewer lost its socket")
		}
		if got := len(b.conference.Log()); got != 1+2*n {
			t.Errorf("%d events, want one play and %d tracks off", got, 2*n)
		}
		a.live("late", "r")
		wantLog(t, b.conference, "publish r late", "answer late 1", "enable v late audio false", "enable v late video false")
	})
}

// TestTracksAreBounded names streams that no server would keep.
func TestTracksAreBounded(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		v, long := b.page(), strings.Repeat("x", maxName+1)
		many := make([]string, maxNamed+1)
		for i := range many {
			many[i] = "!s"
		}
		for _, c := range []struct {
			key   string
			value any
		}{
			{"trackList", []string{"a", long}},
			{"trackList", []string{"!a b"}},
			{"trackList", many},
			{"userPublishId", long},
			{"userPublishId", "a b"},
		} {
			play := playOf("r", "v")
			play[c.key] = c.value
			v.send(play)
			v.want("error invalidStreamName r")
		}
		play := playOf("r", "v")
		play["trackList"] = many[1:]
		v.send(play)
		v.want("takeConfiguration offer r map[]")
		b.conference.Log()
		toggle := object{"command": "toggleVideo", "streamId": "r", "trackId": long, "enabled": false}
		v.send(toggle)
		toggle["trackId"] = "a b"
		v.send(toggle)
		wantLog(t, b.conference)
		toggles := 0
		for i := range maxNamed + 5 {
			toggle["trackId"] = fmt.Sprintf("s%d", i)
			v.send(toggle)
			synctest.Wait()
			toggles += len(b.conference.Log())
		}
		if toggles != maxNamed {
			t.Errorf("%d streams switched, want %d", toggles, maxNamed)
		}
		toggle["trackId"] = "s0"
		v.send(toggle)
		wantLog(t, b.conference, "enable v s0 video false")
	})
}

func TestFind(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.page(), b.page()
		found := func(want string) {
			t.Helper()
			c.say("getBroadcastObject", "s")
			var o struct {
				Room    string `json:"mainTrackStreamId"`
				Virtual bool   `json:"virtual"`
			}
			text, _ := c.last()["broadcast"].(string)
			if err := json.Unmarshal([]byte(text), &o); err != nil {
				t.Errorf("broadcast %q: %v", text, err)
			}
			if o.Room != want || o.Virtual {
				t.Errorf("found %s, want it in %q", text, want)
			}
		}
		for _, step := range []struct{ published, want string }{{"y", "y"}, {"x", "x"}, {"z", "x"}} {
			a.live("s", step.published)
			a = b.page() // a socket has a stream once
			found(step.want)
		}
		c.send(playOf("z", ""))
		synctest.Wait() // its offer comes in its own time
		found("z")      // which is played
		c.say("stop", "z")
		a.live("s", "")
		found("") // alone
	})
}
