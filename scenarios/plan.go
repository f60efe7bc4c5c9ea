package scenarios

import (
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
)

// Plan is everything a run will do, decided before it starts. It is a value: equal scenarios and
// seeds give equal plans, and carrying it out does not change it.
type Plan struct {
	Name, Description string
	SHA256            string // of the scenario's text, hex
	Source            string // the scenario's text, secrets masked
	Seed              uint64
	Clock             string // "wall" or "virtual"
	Network           string // "sockets" or "simulated"
	Target            string // URL of the server under load; "": the embedded one
	Thresholds        []metrics.Threshold
	Cells             []Cell // every combination of vary, every repeat of each; in order
}

// Cell is one measured call: a combination of the varied values, run once.
type Cell struct {
	ID          string         // "peers.people.count=4,peers.people.topology=mesh", sorted; "" when nothing varies
	Vary        map[string]any // path to value
	Repeat      int            // from 0
	Seed        uint64
	Warmup      time.Duration // after the last intended join
	Duration    time.Duration // measured, after the warm-up
	JoinTimeout time.Duration
	AllowFailed float64 // ratio of peers, 0 to 1
	Server      Server
	Rooms       []Room
	Peers       []Peer
	Actions     []Action // of all peers, by time
	Expected    metrics.Expected
}

// MeasureFrom is when the warm-up ends, from the start of the cell: action and schedule times
// count from here.
func (c Cell) MeasureFrom() time.Duration {
	var last time.Duration
	for i := range c.Peers {
		last = max(last, c.Peers[i].JoinAt)
	}
	return last + c.Warmup
}

// VirtualCost predicts what carrying out the plan in virtual time costs: the packets delivered and
// the time that passes in the calls. packets times the measured cost of one is the time it takes.
// Like Expected, on which it rests, it leaves out actions and the legs of a relay.
func (p Plan) VirtualCost() (packets float64, callTime time.Duration) {
	for i := range p.Cells {
		d := p.Cells[i].MeasureFrom() + p.Cells[i].Duration
		packets += p.Cells[i].Expected.PacketsPerS * d.Seconds()
		callTime += d
	}
	return packets, callTime
}

// Server is the embedded server, or the TURN server in its place.
type Server struct {
	MeshLimit int
	TURN      TURN
}

// TURN is how peers reach a relay.
type TURN struct {
	Enabled    bool
	Transports []string // "udp", "tcp", "tls": of the bundled server
	RelayWait  *time.Duration
	// URLs and what follows name an external server in place of the bundled one.
	URLs               []string
	Username, Password string
	Secret             string // REST credentials
}

// Room is where peers meet.
type Room struct {
	Name     string
	Topology string // "p2p", "mesh", "conference"
}

// Peer is one synthetic peer.
type Peer struct {
	Index     int // in the cell
	Name      string
	Group     string
	Room      string
	Topology  string
	Up, Down  impair.Profile
	Gateway   nat.Gateway // defaults filled in; the zero value: no NAT
	Firewall  nat.Firewall
	RelayOnly bool          // ice: relay
	RelayWait time.Duration // ICE's wait before a relayed pair is accepted
	Publish   []Published   // from the join on
	Receive   bool
	Data      Data
	Seed      uint64
	JoinAt    time.Duration // intended, from the start of the cell
	// Due lists the streams this peer must receive for its join to count as connected: those of
	// the room's peers who join before it, or, when it is the first, of the next one who
	// publishes. DueFrom is the later of the two intended starts.
	Due     []Due
	DueFrom time.Duration
}

// Published is a stream that a peer publishes.
type Published struct {
	ID    string // the peer's name for the first, "<name>_presentation" for a second, "<name>_<media>" for more
	Media string // its name in the scenario
	media.Stream
}

// Due is a stream that has to arrive.
type Due struct {
	Stream       string
	Audio, Video bool
}

// Data is a peer's data-channel load.
type Data struct {
	Rate float64 // messages per second; 0: none
	Size int     // bytes
}

// ActionKind is what a peer does during the call.
type ActionKind string

// The actions.
const (
	Mute       ActionKind = "mute"
	Unmute     ActionKind = "unmute"
	Publish    ActionKind = "publish"
	Unpublish  ActionKind = "unpublish"
	SwitchLink ActionKind = "link"
	Leave      ActionKind = "leave"
	Drop       ActionKind = "drop"
	Rejoin     ActionKind = "rejoin"
	ICERestart ActionKind = "ice-restart"
)

// Action is something one peer does at a planned time.
type Action struct {
	At       time.Duration // from the end of the warm-up
	Peer     int           // index of the peer in the cell
	Kind     ActionKind
	Track    string // mute, unmute: "audio" or "video"
	Publish  Published
	Link     string // link: its name
	Up, Down impair.Profile
	Due      []Due // rejoin: what must arrive again
}
