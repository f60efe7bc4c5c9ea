package antmedia

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"command":"ping"}`,
		`{"command":"pong"}`,
		`{"command":"publish","streamId":"sA","token":null,"subscriberId":"","subscriberCode":"","streamName":"nameA","mainTrack":"room1","video":true,"audio":true,"metaData":"{\"isMicMuted\":false}","role":""}`,
		`{"command":"start","streamId":"sA","subscriberId":""}`,
		`{"command":"play","streamId":"room1","token":"","room":"","trackList":["!a","b"],"subscriberId":"","subscriberName":"","subscriberCode":"","viewerInfo":"","role":"","userPublishId":"sA","disableTracksByDefault":false}`,
		`{"command":"takeConfiguration","streamId":"room1","type":"offer","sdp":"v=0\r\nm=audio 9 x 0\r\na=mid:0\r\n","idMapping":{"0":"ARDAMSasB","1":"ARDAMSvsB"},"subscriberId":"","linkSession":null}`,
		`{"command":"takeCandidate","streamId":"p1","label":1,"id":"1","candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host"}`,
		`{"command":"takeCandidate","streamId":"p1","label":"1"}`,
		`{"command":"join","streamId":"p1","multiPeer":false,"mode":"both"}`,
		`{"command":"peerMessageCommand","streamId":"p1","definition":"peerfleet.renegotiate","data":"{\"restartIce\":true,\"audio\":1,\"video\":2}"}`,
		`{"command":"notification","definition":"publish_started","streamId":"sA","room":"room1","ATTR_ROOM_NAME":"room1"}`,
		`{"command":"error","definition":"no_stream_exist","error_code":"404","information":{"a":1},"streamId":"x"}`,
		`{"command":"roomInformation","room":"r","ATTR_ROOM_NAME":"r","streams":["a"],"streamList":[{"streamId":"a"}]}`,
		`{"command":"getSubtracks","streamId":"r","role":null,"offset":0,"size":50}`,
		`{"command":"joinRoom","room":"r","streamId":null,"mode":"legacy","metadata":7}`,
		`[]`, `null`, `""`, `{`, "{\"command\":\"\xff\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := decode(frame)
		if err != nil {
			return
		}
		if m.Command == "" {
			t.Errorf("%q: no command", frame)
		}
		for mid, stream := range streamsOf(m.IDMapping) {
			if len(stream) > len(m.IDMapping[mid]) {
				t.Errorf("label %q: stream %q", m.IDMapping[mid], stream)
			}
		}
		for mid, label := range labelsOf(m.SDP, "s") {
			if mid == "" || labelStream(label) != "s" {
				t.Errorf("mid %q: label %q", mid, label)
			}
		}
	})
}

func TestDecodeOptionalFieldsOfAnyType(t *testing.T) {
	m, err := decode([]byte(`{"command":"error","definition":"x","streamId":null,"information":{"a":1},"error_code":404,"streamName":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(message{Command: "error", Definition: "x"}, m); d != "" {
		t.Errorf("message (-want +got):\n%s", d)
	}
}

func TestLabels(t *testing.T) {
	sdp := signalingtest.SDP("audio", "video", "application", "video")
	want := map[string]string{"0": "ARDAMSaX", "1": "ARDAMSvX", "3": "ARDAMSvX"}
	if d := cmp.Diff(want, labelsOf(sdp, "X")); d != "" {
		t.Errorf("labels (-want +got):\n%s", d)
	}
	streams := streamsOf(map[string]string{"0": "ARDAMSaalice", "1": "ARDAMSvvideoTrack1", "2": "odd"})
	if d := cmp.Diff(map[string]string{"0": "alice", "1": "videoTrack1", "2": "odd"}, streams); d != "" {
		t.Errorf("streams (-want +got):\n%s", d)
	}
	if streamsOf(nil) != nil {
		t.Error("streams of no labels are not nil")
	}
}

func TestValidName(t *testing.T) {
	for id, want := range map[string]bool{"a-B.9_": true, "": false, "a b": false, "ä": false, "a/b": false} {
		if got := validName(id); got != want {
			t.Errorf("%q: got %v, want %v", id, got, want)
		}
	}
}
