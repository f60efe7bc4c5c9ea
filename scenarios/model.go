package scenarios

import (
	"slices"
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

// model is what one cell of the file says, references resolved and defaults filled in.
type model struct {
	id          string
	vary        map[string]any
	duration    time.Duration
	warmup      time.Duration
	joinTimeout time.Duration
	allowFailed float64
	server      Server
	groups      []group
}

// link is an access link.
type link struct {
	up, down impair.Profile
	gateway  nat.Gateway
	firewall nat.Firewall
}

// group is a group of equal peers.
type group struct {
	name      string
	count     int // in each room
	rooms     int
	room      string
	shared    bool // the room is named, other groups may share it
	topology  string
	link      link
	placed    bool // the link is as the file says, not at fault
	relayOnly bool
	receive   bool
	publish   []stream
	data      Data
	join      schedule
	actions   []action
	slots     []string // media in the order of their stream names
	sound     bool     // count, rooms and topology are as the file says, none at fault
	at        *value
}

func (g *group) size() int { return g.count * g.rooms }

// stream is media under its name in the file.
type stream struct {
	name string
	media.Stream
}

// schedule is when the peers of a group join.
type schedule struct {
	kind  string // every, at, over, rate, poisson
	after time.Duration
	rate  float64
}

// action is an entry of a group's actions.
type action struct {
	at     time.Duration
	kind   ActionKind
	track  string
	stream stream
	link   string
	to     link
	peers  int // the first so many
	place  place
}

// builder makes the model of one cell. Whatever is at fault is reported and left at its default,
// so that the rest can be examined.
type builder struct {
	*faults
	options Options
	dir     string // of the scenario file
	root    *value
	links   map[string]link
	media   map[string]media.Stream
	traces  map[string]traceResult // shared by all cells
	sockets bool                   // network: sockets
	hint    string                 // how to get the other network, where a flag has chosen this one
	model
}

type traceResult struct {
	trace *impair.Trace
	err   error
}

func (b *builder) build() {
	b.duration = timeOr(b.root.child("duration"), 10*time.Second)
	b.warmup = timeOr(b.root.child("warmup"), 2*time.Second)
	b.joinTimeout = timeOr(b.root.child("join_timeout"), 15*time.Second)
	if v := b.root.child("allow_failed"); v != nil {
		b.allowFailed = v.real
	}
	b.buildLinks()
	b.buildMedia()
	b.buildServer()
	b.buildGroups()
	b.letTLSOut()
	b.checkRooms()
	for i := range b.groups {
		b.checkActions(&b.groups[i])
	}
}

// timeOr is a duration of the file or its default.
func timeOr(v *value, otherwise time.Duration) time.Duration {
	if v == nil {
		return otherwise
	}
	return v.time
}

func (b *builder) buildMedia() {
	b.media = builtinMedia()
	v := b.root.child("media")
	if v == nil {
		return
	}
	for _, name := range v.names {
		m := v.child(name)
		if !m.has("audio") && !m.has("video") {
			b.at(m.place, "neither audio nor video")
			continue
		}
		b.media[name] = media.Stream{Audio: audioOf(m), Video: videoOf(m)}
	}
}

// builtinMedia are the streams that need no definition.
func builtinMedia() map[string]media.Stream {
	camera := &media.Video{Codec: media.VP8, Content: media.Camera, Width: 640, Height: 360, FPS: 30, BitrateBPS: 500_000}
	screen := &media.Video{Codec: media.VP8, Content: media.Screen, Width: 1920, Height: 1080, FPS: 5, BitrateBPS: 1_000_000}
	return map[string]media.Stream{
		"camera": {Audio: &media.Audio{Codec: media.Opus, BitrateBPS: 32_000}, Video: camera},
		"screen": {Video: screen},
	}
}

func audioOf(m *value) *media.Audio {
	if !m.has("audio") {
		return nil
	}
	a := &media.Audio{Codec: media.Opus, BitrateBPS: 32_000}
	v := m.child("audio")
	if w := v.child("bitrate"); w != nil {
		a.BitrateBPS = w.whole
	}
	if w := v.child("dtx"); w != nil {
		a.DTX = w.flag
	}
	return a
}

func videoOf(m *value) *media.Video {
	if !m.has("video") {
		return nil
	}
	a := &media.Video{Codec: media.VP8, Content: media.Camera, Width: 640, Height: 360, FPS: 30, BitrateBPS: 500_000}
	v := m.child("video")
	if w := v.child("codec"); w != nil {
		a.Codec = media.Codec(w.text)
	}
	if w := v.child("content"); w != nil {
		a.Content = media.Content(w.text)
	}
	if w := v.child("width"); w != nil {
		a.Width = int(w.whole)
	}
	if w := v.child("height"); w != nil {
		a.Height = int(w.whole)
	}
	if w := v.child("fps"); w != nil {
		a.FPS = w.real
	}
	if w := v.child("bitrate"); w != nil {
		a.BitrateBPS = w.whole
	}
	if w := v.child("keyframe"); w != nil {
		a.Keyframe = w.time
	}
	return a
}

// streamNamed finds media by its name.
func (b *builder) streamNamed(v *value) (stream, bool) {
	m, ok := b.media[v.text]
	if ok {
		return stream{v.text, m}, true
	}
	if !b.root.child("media").has(v.text) { // else its definition is at fault, and reported there
		b.at(v.place, "no media %q%s", v.text, meant(v.text, sortedKeys(b.media)))
	}
	return stream{}, false
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
