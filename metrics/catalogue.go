package metrics

// Units of metrics as they stand in run.json. A number is always in its metric's unit.
const (
	UnitMS    = "ms"
	UnitRatio = "ratio" // 0 to 1
	UnitCount = "count"
	UnitPerS  = "1/s"
	UnitBPS   = "bit/s"
	UnitCores = "cores"
	UnitBytes = "bytes"
	UnitScore = "1-5" // a mean opinion score
)

// Def is what is fixed about a metric.
type Def struct {
	Name         string
	Unit         string
	Hist         bool // recorded by Set.Hist in microseconds and not by Set.Add; the unit is ms
	LowerIsWorse bool // a comparison takes a fall for the worse, elsewhere a rise
	Help         string
}

// Lookup finds a metric by its exact name.
func Lookup(name string) (Def, bool) {
	for _, d := range catalogue() {
		if d.Name == name {
			return d, true
		}
	}
	return Def{}, false
}

// Names returns the name of every metric in the order of the reference.
func Names() []string {
	defs := catalogue()
	names := make([]string, len(defs))
	for i, d := range defs {
		names[i] = d.Name
	}
	return names
}

// catalogue is a function and not a variable so that nothing can change it.
func catalogue() []Def {
	return []Def{
		{Name: "connect.signaling", Unit: UnitMS, Help: "intended start to signaling connected and room entered"},
		{Name: "connect.offer_answer", Unit: UnitMS, Help: "first description, local or remote, to both applied"},
		{Name: "connect.gathering", Unit: UnitMS, Help: "gathering started to the first usable candidate sent"},
		{Name: "connect.ice", Unit: UnitMS, Help: "first remote candidate known to ICE connected"},
		{Name: "connect.dtls", Unit: UnitMS, Help: "ICE connected to DTLS connected"},
		{Name: "connect.first_packet", Unit: UnitMS, Help: "intended start to the first media packet"},
		{Name: "connect.first_frame", Unit: UnitMS, Help: "intended start to the first complete decodable video frame; first audio packet if there is only audio"},
		{Name: "connect.total", Unit: UnitMS, Help: "intended start to the first frame of every track due at the join"},
		{Name: "connect.data_channel", Unit: UnitMS, Help: "intended start to the data channel open"},
		{Name: "join.success", Unit: UnitRatio, LowerIsWorse: true, Help: "joins that reached connect.total over joins intended"},
		{Name: "media.delay", Unit: UnitMS, Hist: true, Help: "frame captured to frame complete at the receiver; audio: packet"},
		{Name: "media.jitter", Unit: UnitMS, Hist: true, Help: "interarrival jitter (RFC 3550 section 6.4.1)"},
		{Name: "media.loss", Unit: UnitRatio, Help: "packets that never arrived in time, after repair"},
		{Name: "media.loss_wire", Unit: UnitRatio, Help: "packets missing before repair"},
		{Name: "media.freeze_ratio", Unit: UnitRatio, Help: "time frozen over time played, per track"},
		{Name: "media.freeze_count", Unit: UnitCount, Help: "freezes by the webrtc-stats rule, per track"},
		{Name: "media.fps", Unit: UnitPerS, LowerIsWorse: true, Help: "frames rendered"},
		{Name: "media.mouth_to_ear", Unit: UnitMS, Help: "audio: delay, packetisation, codec look-ahead and jitter buffer"},
		{Name: "media.mos", Unit: UnitScore, LowerIsWorse: true, Help: "audio: ITU-T G.107 from mouth-to-ear delay and loss after the buffer"},
		{Name: "media.video_score", Unit: UnitScore, LowerIsWorse: true, Help: "video: estimated score"},
		{Name: "media.nack", Unit: UnitCount, Help: "generic NACK packets, per track"},
		{Name: "media.pli", Unit: UnitCount, Help: "picture loss indications, per track"},
		{Name: "media.retransmitted", Unit: UnitCount, Help: "packets retransmitted, per track"},
		{Name: "data.rtt", Unit: UnitMS, Hist: true, Help: "round trip of a data-channel message"},
		{Name: "data.loss", Unit: UnitRatio, Help: "data-channel messages that never arrived"},
		{Name: "bandwidth.peer.up", Unit: UnitBPS, Help: "sent by a peer on the wire, IP and UDP headers included"},
		{Name: "bandwidth.peer.down", Unit: UnitBPS, Help: "received by a peer on the wire, IP and UDP headers included"},
		{Name: "bandwidth.server.in", Unit: UnitBPS, Help: "received by the server on the wire"},
		{Name: "bandwidth.server.out", Unit: UnitBPS, Help: "sent by the server on the wire"},
		{Name: "bandwidth.turn", Unit: UnitBPS, Help: "relayed by the TURN server on the wire"},
		{Name: "ice.selected", Unit: UnitCount, Help: "connected pairs by candidate"},
		{Name: "signaling.rtt", Unit: UnitMS, Help: "application ping over signaling"},
		{Name: "recovery.outage", Unit: UnitMS, Help: "last frame before a disturbance to the first frame after it"},
		{Name: "server.cpu", Unit: UnitCores, Help: "load of the embedded server, where it can be told apart"},
		{Name: "server.memory", Unit: UnitBytes, Help: "memory of the embedded server, where it can be told apart"},
		{Name: "generator.cpu", Unit: UnitCores, Help: "load of this process"},
		{Name: "generator.lateness", Unit: UnitMS, Hist: true, Help: "how much later than its due time the emulator handed a packet on"},
	}
}
