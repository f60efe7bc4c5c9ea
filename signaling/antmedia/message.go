package antmedia

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The commands of the protocol that this package sends or acts on.
const (
	cmdPublish       = "publish"
	cmdPlay          = "play"
	cmdStop          = "stop"
	cmdJoin          = "join"
	cmdLeave         = "leave"
	cmdStart         = "start"
	cmdConfiguration = "takeConfiguration"
	cmdCandidate     = "takeCandidate"
	cmdPeerMessage   = "peerMessageCommand"
	cmdPing          = "ping"
	cmdPong          = "pong"
	cmdNotification  = "notification"
	cmdError         = "error"
	cmdGetICEServer  = "getIceServerConfig"
	cmdICEServer     = "iceServerConfig"
	cmdGetRoomInfo   = "getRoomInfo"
	cmdRoomInfo      = "roomInformation"
	cmdGetBroadcast  = "getBroadcastObject"
	cmdGetSubtracks  = "getSubtracks"
	cmdCountTracks   = "getSubtracksCount"
	cmdGetTrackList  = "getTrackList"
	cmdTrackList     = "trackList"
	cmdToggleAudio   = "toggleAudio"
	cmdToggleVideo   = "toggleVideo"
	cmdEnableTrack   = "enableTrack"
	cmdUpdateMeta    = "updateStreamMetaData"
	cmdGetStreamInfo = "getStreamInfo"
	cmdStreamInfo    = "streamInformation"
	cmdCountViewers  = "getSubscriberCount"
	cmdGetViewers    = "getSubscribers"
	cmdGetDebugInfo  = "getDebugInfo"
	cmdJoinRoom      = "joinRoom"
	cmdLeaveRoom     = "leaveFromRoom"
)

// The definitions of notifications.
const (
	noticePublishStarted  = "publish_started"
	noticePublishFinished = "publish_finished"
	noticePlayStarted     = "play_started"
	noticePlayFinished    = "play_finished"
	noticeRestored        = "session_restored"
	noticeJoined          = "joined"
	noticeLeft            = "leaved"
	noticeTrackAdded      = "subtrackAdded"
	noticeTrackRemoved    = "subtrackRemoved"
	noticeBroadcast       = "broadcastObject"
	noticeSubtracks       = "subtrackList"
	noticeSubtrackCount   = "subtrackCount"
	noticeViewerCount     = "subscriberCount"
	noticeViewers         = "subscriberList"
	noticeDebugInfo       = "debugInfo"
	noticeJoinedRoom      = "joinedTheRoom"
	noticeLeftRoom        = "leavedFromRoom"
	noticeServerWillStop  = "server_will_stop"
)

// The definitions of errors that the server sends or the client acts on.
const (
	defStreamIDInUse     = "streamIdInUse"
	defAlreadyPlaying    = "already_playing"
	defInvalidName       = "invalidStreamName"
	defNoName            = "noStreamNameSpecified"
	defNoSpace           = "NoSpaceForNewPeer"
	defNoPeer            = "no_peer_associated_before"
	defNoActiveStreams   = "no_active_streams_in_room"
	defNoStream          = "no_stream_exist"
	defNoRoom            = "no_room_specified"
	defPublishTimeout    = "publishTimeoutError"
	defBadRemote         = "notSetRemoteDescription"
	defHighResourceUsage = "highResourceUsage"
	defServerError       = "server_error_check_logs"
	defMalformed         = "missingParameter"
	defNoCodec           = "no_codec_enabled_in_the_server"
	defUnauthorized      = "unauthorized_access"
	defManyViewers       = "viewerLimitReached"
	defManyStreams       = "main_track_has_max_subtrack_count__not_allowed_to_add_more_subtracks"
	defStreamInactive    = "stream_not_active_or_expired"
	defRoomInactive      = "room_not_active_or_expired"
)

// defRenegotiate is our own peerMessageCommand: the answerer of a peer connection asks the
// offerer for a new offer.
const defRenegotiate = "peerfleet.renegotiate"

const (
	typeOffer  = "offer"
	typeAnswer = "answer"
)

// maxName bounds stream and room IDs; AMS knows no bound of its own. maxCandidate bounds a
// candidate, which is seldom longer than two hundred characters.
const (
	maxName      = 256
	maxCandidate = 4 << 10
)

// object is an outgoing message; its keys are the protocol's.
type object map[string]any

// message is an incoming message of either end: the union of the fields that are read.
type message struct {
	Command    string            `json:"command"`
	StreamID   string            `json:"streamId"`
	Definition string            `json:"definition"`
	Type       string            `json:"type"`
	SDP        string            `json:"sdp"`
	IDMapping  map[string]string `json:"idMapping"`
	Label      int               `json:"label"`
	MID        string            `json:"id"`
	Candidate  string            `json:"candidate"`
	Data       json.RawMessage   `json:"data"`

	Token         text     `json:"token"`
	Room          string   `json:"room"`
	MainTrack     string   `json:"mainTrack"`
	StreamName    text     `json:"streamName"`
	MetaData      text     `json:"metaData"`
	RoomMeta      text     `json:"metadata"` // of joinRoom, which alone spells it so
	UserPublishID string   `json:"userPublishId"`
	Subscriber    text     `json:"subscriberId"`
	ViewerName    text     `json:"subscriberName"`
	TrackID       string   `json:"trackId"`
	TrackList     []string `json:"trackList"`
	Enabled       bool     `json:"enabled"`
	AllDisabled   bool     `json:"disableTracksByDefault"`
	Offset        int      `json:"offset"`
	Size          int      `json:"size"`
	Streams       []string `json:"streams"`
	Information   text     `json:"information"`
}

// text is a field that is nice to have: anything but a string reads as empty.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = ""
	}
	*t = text(s)
	return nil
}

// upTo is the text, or nothing where it is longer than anybody needs.
func (t text) upTo(n int) string {
	if len(t) > n {
		return ""
	}
	return string(t)
}

// decode reads one frame. Fields that nobody here reads may have any type; a field that is
// read must have its own, as Ant Media Server requires.
func decode(frame []byte) (message, error) {
	var m message
	if err := json.Unmarshal(frame, &m); err != nil {
		return message{}, fmt.Errorf("decode message: %w", err)
	}
	if err := m.check(); err != nil {
		return message{}, fmt.Errorf("decode message: %w", err)
	}
	return m, nil
}

func (m *message) check() error {
	switch m.Command {
	case "":
		return errors.New("no command")
	case cmdConfiguration:
		if m.Type != typeOffer && m.Type != typeAnswer {
			return fmt.Errorf("session description of type %q", m.Type)
		}
		if m.SDP == "" {
			return errors.New("empty session description")
		}
	case cmdCandidate:
		if m.Label < 0 || m.Label > 1<<16 {
			return fmt.Errorf("candidate for media section %d", m.Label)
		}
		if len(m.Candidate) > maxCandidate || len(m.MID) > maxName {
			return fmt.Errorf("candidate of %d characters", len(m.Candidate))
		}
	case cmdError, cmdNotification:
		if m.Definition == "" {
			return fmt.Errorf("%s without a definition", m.Command)
		}
	}
	return nil
}

// validName tells whether an ID is one that Ant Media Server accepts.
func validName(id string) bool {
	if id == "" || len(id) > maxName {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

func notification(definition, id string) object {
	return object{"command": cmdNotification, "definition": definition, "streamId": id, "subscriberId": ""}
}

func failure(definition, id string) object {
	o := object{"command": cmdError, "definition": definition}
	if id != "" {
		o["streamId"] = id
	}
	return o
}

func description(kind, id, sdp string, labels map[string]string) object {
	o := object{"command": cmdConfiguration, "streamId": id, "type": kind, "sdp": sdp}
	if labels != nil {
		o["idMapping"] = labels
	}
	return o
}

func candidate(id, text, mid string, mline int) object {
	return object{"command": cmdCandidate, "streamId": id, "candidate": text, "id": mid, "label": mline}
}
