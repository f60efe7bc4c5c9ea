package antmedia

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func joinRoom(room, id string) object {
	return object{
		"command": "joinRoom", "room": room, "mainTrack": room, "streamId": id, "mode": "legacy",
		"streamName": "the one in " + room, "metadata": `{"isMicMuted":true}`,
	}
}

func leaveRoom(room, id string) object {
	return object{"command": "leaveFromRoom", "room": room, "mainTrack": room, "streamId": id}
}

// TestLobby goes through a room of joinRoom: everybody publishes by itself, plays the others one by
// one, and learns of their end.
func TestLobby(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		a, c := b.page(), b.page()
		a.send(joinRoom("old", "a"))
		want := map[string]any{
			"command": "notification", "definition": "joinedTheRoom", "streamId": "a", "subscriberId": "",
			"room": "old", "ATTR_ROOM_NAME": "old", "maxTrackCount": -1.0, "streams": []any{}, "streamList": []any{},
		}
		if d := cmp.Diff(want, a.last()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		a.want("notification joinedTheRoom a")
		unnamed := publish("a", "")
		unnamed["streamName"] = ""
		a.send(unnamed)
		a.want("start a")
		a.send(offer("a"))
		a.want("takeConfiguration answer a", "notification publish_started a")
		a.send(object{"command": "getRoomInfo", "streamId": "a", "room": "old"})
		a.want("roomInformation")

		c.send(joinRoom("old", ""))
		got := c.last()
		if d := cmp.Diff([]any{map[string]any{"streamId": "a", "streamName": "the one in old", "metaData": `{"isMicMuted":true}`}}, got["streamList"]); d != "" {
			t.Errorf("streams (-want +got):\n%s", d)
		}
		id, _ := got["streamId"].(string)
		if !validName(id) {
			t.Fatalf("got %q for a name, want one made up", id)
		}
		c.want("notification joinedTheRoom " + id)
		c.live(id, "")
		c.live("elsewhere", "conference") // a stream with a room of its own is none of the lobby's
		c.send(playOf("a", ""))
		c.want("takeConfiguration offer a map[1:ARDAMSaa 2:ARDAMSva]")
		c.send(answer("a"))
		c.want("notification play_started a")
		a.send(object{"command": "getRoomInfo", "streamId": "a", "room": "old"})
		if d := cmp.Diff([]any{id}, a.last()["streams"]); d != "" {
			t.Errorf("room (-want +got):\n%s", d)
		}
		a.want("roomInformation")

		a.send(leaveRoom("old", "a"))
		a.want("notification publish_finished a", "notification leavedFromRoom a")
		c.want("notification subtrackRemoved a a", "notification play_finished a")
		c.send(object{"command": "getRoomInfo", "streamId": id, "room": "old"})
		c.want("roomInformation")
		c.send(leaveRoom("old", id))
		c.want("notification publish_finished "+id, "notification leavedFromRoom "+id)
		c.send(object{"command": "getRoomInfo", "streamId": id, "room": "old"})
		c.want("error no_active_streams_in_room " + id)
		a.live("a", "") // no longer of the lobby
		c.send(object{"command": "getRoomInfo", "streamId": id, "room": "old"})
		c.want("error no_active_streams_in_room " + id)
	})
}

func TestLobbyFaults(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		p := b.page()
		p.send(object{"command": "joinRoom", "streamId": "a"})
		p.want("error no_room_specified a")
		p.send(joinRoom("a/b", "a"))
		p.want("error invalidStreamName a")
		p.send(object{"command": "leaveFromRoom"})
		p.want("error no_room_specified")
		p.send(leaveRoom("unknown", "a"))
		p.want("notification leavedFromRoom a")
	})
}
