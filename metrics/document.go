package metrics

import "time"

// Schema names the format of run.json.
const Schema = "peerfleet.run/1"

// Run is the document of a run: all that was asked and all that was measured. Reports are pure
// functions of it. Times are in ms, rates in bit/s, ratios 0 to 1.
type Run struct {
	Schema     string       `json:"schema"`
	Tool       Tool         `json:"tool"`
	Scenario   ScenarioInfo `json:"scenario"`
	Host       HostInfo     `json:"host"`
	Started    time.Time    `json:"started"`
	ElapsedS   float64      `json:"elapsed_s"`
	SimulatedS float64      `json:"simulated_s"`
	Verdict    string       `json:"verdict"` // pass, fail, invalid, error, interrupted
	ExitCode   int          `json:"exit_code"`
	Error      string       `json:"error,omitempty"`
	Audit      RunAudit     `json:"audit"`
	// TraceHash tells whether two runs on the simulated network were the same to the last packet:
	// their times, addresses and sizes, in order. "" on sockets.
	TraceHash  string            `json:"trace_hash,omitempty"`
	Cells      []Cell            `json:"cells"`
	Thresholds []ThresholdResult `json:"thresholds"`
}

// Tool is what made the run.
type Tool struct {
	Version string            `json:"version"`
	Go      string            `json:"go"`
	Pion    map[string]string `json:"pion"` // module name without its path: "webrtc", "turn", "ice", …
}

// ScenarioInfo is what was asked.
type ScenarioInfo struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	SHA256      string `json:"sha256"`
	Seed        uint64 `json:"seed"`
	Clock       string `json:"clock"`
	Network     string `json:"network"`
	Target      string `json:"target,omitempty"`
	Source      string `json:"source"`
}

// HostInfo is the machine.
type HostInfo struct {
	CPUs   int    `json:"cpus"`
	CPU    string `json:"cpu"`
	OS     string `json:"os"`
	Kernel string `json:"kernel"`
	Arch   string `json:"arch"`
}

// RunAudit says whether the measurement can be trusted.
type RunAudit struct {
	Valid    bool      `json:"valid"`
	Findings []Finding `json:"findings"`
}

// Finding is one broken limit of the audit.
type Finding struct {
	ID       string  `json:"id"`
	Cell     string  `json:"cell"`
	Measured float64 `json:"measured"`
	Allowed  float64 `json:"allowed"`
	Text     string  `json:"text"` // the cause and what to do
}

// Cell is one measured call.
type Cell struct {
	ID          string         `json:"id"`
	Vary        map[string]any `json:"vary"`
	Repeat      int            `json:"repeat"`
	AllowFailed float64        `json:"allow_failed"` // ratio of peers that may fail
	WarmupS     float64        `json:"warmup_s"`
	DurationS   float64        `json:"duration_s"` // measured
	ICEWaits    ICEWaits       `json:"ice_waits_ms"`
	Expected    Expected       `json:"expected"`
	Peers       PeerCounts     `json:"peers"`
	Metrics     []Entry        `json:"metrics"`
	Series      []Series       `json:"series"`
	Links       []Link         `json:"links"`
	Events      []Event        `json:"events"`
	PeersDetail []PeerDetail   `json:"peers_detail"` // worst first
	Audit       CellAudit      `json:"audit"`
	SimulatedS  float64        `json:"simulated_s,omitempty"` // of the cell, on its own clock
	TraceHash   string         `json:"trace_hash,omitempty"`  // see Run.TraceHash
	Trace       *Trace         `json:"trace,omitempty"`       // of the peer that was asked for
}

// Trace is what one peer's connections went through, from its intended start to its first media.
type Trace struct {
	Peer string `json:"peer"`
	// Truncated tells that there was more than is kept.
	Truncated bool        `json:"truncated,omitempty"`
	Steps     []TraceStep `json:"steps"` // by time
}

// TraceStep is one packet of a trace that means something, or a row of equal ones.
type TraceStep struct {
	TMS       float64 `json:"t_ms"`               // since the peer's intended start
	Layer     string  `json:"layer"`              // signaling, stun, turn, dtls, media, stream
	Direction string  `json:"direction"`          // sent, received
	What      string  `json:"what"`               // "Binding request", "ClientHello", "takeConfiguration (offer)"
	Remote    string  `json:"remote"`             // address and port of the far end
	Bytes     int     `json:"bytes"`              // payload of the first of them
	Count     int     `json:"count"`              // packets; from 1
	UntilMS   float64 `json:"until_ms,omitempty"` // of the last of several
	Fate      string  `json:"fate,omitempty"`     // of a packet that the host's own link or border stopped
}

// TooManyFailed tells whether more peers failed than the scenario allows.
func (c *Cell) TooManyFailed() bool {
	return float64(c.Peers.Failed) > c.AllowFailed*float64(c.Peers.Planned)+1e-9
}

// ICEWaits are the acceptance waits the peers ran with, in ms.
type ICEWaits struct {
	Host  float64 `json:"host"`
	Srflx float64 `json:"srflx"`
	Prflx float64 `json:"prflx"`
	Relay float64 `json:"relay"`
}

// Expected is what the closed form of the topology predicts for the measured window, on the
// wire, without loss: the lines beside the measured points.
type Expected struct {
	Participants int     `json:"participants"` // largest room
	StreamBPS    float64 `json:"stream_bps"`   // everything one publisher sends once
	PeerUpBPS    float64 `json:"peer_up_bps"`  // mean over peers
	PeerDownBPS  float64 `json:"peer_down_bps"`
	ServerInBPS  float64 `json:"server_in_bps"`
	ServerOutBPS float64 `json:"server_out_bps"`
	PacketsPerS  float64 `json:"packets_per_s"` // sent by all, server included
	Streams      int     `json:"streams"`       // received tracks
	Sockets      int     `json:"sockets"`
	MemoryBytes  int64   `json:"memory_bytes"`
}

// PeerCounts sums up the joins of a cell.
type PeerCounts struct {
	Planned    int            `json:"planned"`
	Joined     int            `json:"joined"`
	Connected  int            `json:"connected"`
	Failed     int            `json:"failed"`
	Unfinished int            `json:"unfinished"`
	Failures   map[string]int `json:"failures"` // by kind
}

// Add adds another cell's counts.
func (p *PeerCounts) Add(o PeerCounts) {
	p.Planned += o.Planned
	p.Joined += o.Joined
	p.Connected += o.Connected
	p.Failed += o.Failed
	p.Unfinished += o.Unfinished
	for kind, n := range o.Failures {
		if p.Failures == nil {
			p.Failures = map[string]int{}
		}
		p.Failures[kind] += n
	}
}

// Series is a metric by the second of the cell; the first value belongs to its start.
type Series struct {
	Name   string  `json:"name"`
	Tags   Tags    `json:"tags"`
	Unit   string  `json:"unit"`
	StepS  float64 `json:"step_s"`
	Values []Value `json:"values"`
}

// Link is the account of one direction of a peer's access link.
type Link struct {
	Host              string     `json:"host"`
	Direction         string     `json:"direction"` // up, down
	Offered           uint64     `json:"offered"`
	Delivered         uint64     `json:"delivered"`
	Lost              uint64     `json:"lost"`
	QueuedOut         uint64     `json:"queued_out"`
	Discarded         uint64     `json:"discarded,omitempty"` // under way when their socket was closed
	ConfiguredLoss    float64    `json:"configured_loss"`
	DeliveredLoss     float64    `json:"delivered_loss"`
	Burst             float64    `json:"burst,omitempty"` // configured mean burst length
	ConfiguredDelayMS float64    `json:"configured_delay_ms"`
	DelayMS           DelayRange `json:"delay_ms"`
	Varies            bool       `json:"varies,omitempty"` // a schedule or an action changed it during the call
}

// DelayRange is what packets saw on a link.
type DelayRange struct {
	P50 Value `json:"p50"`
	P99 Value `json:"p99"`
}

// Event is something that happened to a peer, from the start of the cell.
type Event struct {
	TS     float64 `json:"t_s"`
	Peer   string  `json:"peer"`
	What   string  `json:"what"`
	Detail string  `json:"detail"`
}

// PeerDetail is one peer's own figures.
type PeerDetail struct {
	Name      string             `json:"name"`
	Group     string             `json:"group"`
	Room      string             `json:"room"`
	Topology  string             `json:"topology"`
	State     string             `json:"state"` // connected, failed, unfinished
	Failure   string             `json:"failure,omitempty"`
	Detail    string             `json:"detail,omitempty"`
	Connect   map[string]float64 `json:"connect_ms"` // phase to ms
	Candidate string             `json:"candidate,omitempty"`
	UpBPS     float64            `json:"up_bps"`
	DownBPS   float64            `json:"down_bps"`
	Tracks    []TrackDetail      `json:"tracks"`
}

// TrackDetail is one received track over the measured window.
type TrackDetail struct {
	From          string  `json:"from"` // stream
	Kind          string  `json:"kind"`
	Packets       uint64  `json:"packets"`
	LossWire      float64 `json:"loss_wire"`
	Loss          float64 `json:"loss"`
	DelayP50MS    Value   `json:"delay_p50_ms"`
	DelayP95MS    Value   `json:"delay_p95_ms"`
	JitterMS      Value   `json:"jitter_ms"`
	FPS           Value   `json:"fps"`
	FreezeCount   int     `json:"freeze_count"`
	FreezeRatio   float64 `json:"freeze_ratio"`
	NACK          int     `json:"nack"`
	PLI           int     `json:"pli"`
	Retransmitted int     `json:"retransmitted"`
}

// CellAudit is the generator's and the emulator's account of themselves. What is measured of the
// machine is absent in virtual time, which knows no machine.
type CellAudit struct {
	Valid           bool    `json:"valid"`
	CPU             float64 `json:"cpu,omitzero"` // mean load of this process, in cores
	CPUs            int     `json:"cpus"`
	MemoryBytes     int64   `json:"memory_bytes,omitzero"` // resident, at its largest
	LatenessMS      Spread  `json:"lateness_ms,omitzero"`
	SendLatenessMS  Spread  `json:"send_lateness_ms,omitzero"`
	StartLatenessMS Spread  `json:"start_lateness_ms,omitzero"`
	SocketDrops     uint64  `json:"socket_drops"`
	Sockets         int     `json:"sockets"`
	PacketsSent     uint64  `json:"packets_sent"`
	PacketsReceived uint64  `json:"packets_received"`
	CPUPerPacketUS  float64 `json:"cpu_per_packet_us,omitzero"` // CPU time of the window over packets read by peers and sent on by the servers
}

// Spread is a distribution in two figures.
type Spread struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// ThresholdResult is the outcome of one threshold in one cell.
type ThresholdResult struct {
	Metric  string `json:"metric"` // with its selector, as written
	Expr    string `json:"expr"`
	Cell    string `json:"cell"`
	Repeat  int    `json:"repeat"`
	Value   Value  `json:"value"`
	Limit   Value  `json:"limit"`
	Unit    string `json:"unit"`
	Samples int    `json:"samples"`
	Verdict string `json:"verdict"` // pass, fail, no data
	Aborted bool   `json:"aborted,omitempty"`
}
