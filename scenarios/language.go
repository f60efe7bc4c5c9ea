package scenarios

import (
	"regexp"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

const (
	maxPeers = 100_000
	day      = 24 * time.Hour
)

var (
	printable   = regexp.MustCompile(`^[^\p{C}]+$`)
	metricKey   = regexp.MustCompile(`^[^{}]+(\{[^{}]*\})?$`)
	variedPath  = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	turnAddress = regexp.MustCompile(`^turns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?$`)
)

// language describes the whole file.
func language() *spec {
	name := anyText("Names the scenario in reports; any printable text.", 100)
	name.pattern, name.rule = printable, "printable text"
	peers := mapOf("The groups of peers.", 1000, groupSpec())
	peers.least = 1
	return obj("A peerfleet scenario: a fleet of WebRTC peers, the links they sit on and the objectives to hold.",
		must("name", name),
		opt("description", anyText("Which question the scenario answers.", 4000)),
		opt("seed", &spec{kind: seed, doc: "Where all randomness comes from; default 1."}),
		opt("clock", oneOf("wall (default) or virtual.", "wall", "virtual")),
		opt("network", oneOf("sockets (default on the wall clock) or simulated (always in virtual time).", "sockets", "simulated")),
		opt("duration", dur("Measured time, after the last planned join and the warm-up; default 10s.", time.Millisecond, day)),
		opt("warmup", dur("Time after the last planned join that is not measured; default 2s.", 0, time.Hour)),
		opt("repeat", whole("How often each cell is carried out; default 1.", 1, 1000)),
		opt("allow_failed", share("Share of peers that may fail to join or connect; default 0%.")),
		opt("join_timeout", dur("How long a join may take up to its first frame of every track; default 15s.", time.Millisecond, time.Hour)),
		opt("links", mapOf("Access links by name; a preset's name may be used without defining it.", 1000, linkSpec())),
		opt("media", mapOf("What peers publish, by name; camera and screen exist without defining them.", 1000, mediaSpec())),
		opt("server", serverSpec()),
		must("peers", peers),
		opt("vary", &spec{
			kind: named, doc: "Paths into this file and the values each takes; every combination is one cell of the run.",
			item: &spec{kind: list, doc: "The values, in order.", item: &spec{kind: anything}, least: 1}, most: 16,
			pattern: variedPath, rule: "a path of keys joined by dots",
		}),
		opt("thresholds", thresholdsSpec()),
	)
}

func linkSpec() *spec {
	up, down := directionKeys(), directionKeys()
	return obj("An access link as its peer sees it.",
		opt("up", obj("From the peer into the network.", up...)),
		opt("down", obj("From the network to the peer.", down...)),
		opt("rtt", dur("Round-trip time, half of it as delay each way.", 0, time.Minute)),
		opt("nat", natSpec()),
		opt("firewall", oneOf("What the network lets out; default open.", words(nat.Firewalls())...)))
}

func natSpec() *spec {
	carrier := obj("A carrier-grade NAT in front of it, as a kind or an object; links with equal ones share it. Default none.", natKeys()...)
	s := obj("The NAT in front of the peer, as a kind or an object; default none.", append(natKeys(),
		opt("shared", yesNo("Every peer on this link is behind one and the same NAT; default false: each has its own.")),
		opt("carrier", carrier))...)
	carrier.short, s.short = "kind", "kind"
	return s
}

func natKeys() []key {
	return []key{
		must("kind", oneOf("How it maps and filters UDP.", words(nat.Kinds())...)),
		opt("timeout", dur("How long an idle UDP mapping lives; default 2m.", time.Second, day)),
		opt("hairpin", yesNo("Hosts behind it reach each other by their outside addresses; default false.")),
		opt("ports", oneOf("Which outside ports it takes; default preserve, random with symmetric.", words(nat.Choices())...)),
	}
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

func directionKeys() []key {
	change := obj("A change of the link for a while.",
		must("at", dur("When, from the end of the warm-up.", 0, day)),
		opt("for", dur("How long; left out: until the end.", time.Millisecond, day)),
		opt("set", obj("What is different meanwhile.", profileKeys()...)),
		opt("blackout", yesNo("Nothing passes.")))
	return append(profileKeys(),
		opt("schedule", listOf("Changes during the call.", change)),
		opt("trace", anyText("A Mahimahi trace file in place of rate, relative to the scenario file.", 1000)))
}

func profileKeys() []key {
	return []key{
		opt("rate", bits("Serialisation rate, IP and UDP headers counted; left out: unlimited.", 1e3, 1e12)),
		opt("queue", &spec{kind: queue, doc: "What may wait for the rate, as time or bytes; default 100ms."}),
		opt("aqm", oneOf("How the queue drops; default droptail.", "droptail", "codel")),
		opt("delay", dur("One-way delay.", 0, time.Minute)),
		opt("jitter", dur("Standard deviation of the delay; for uniform its half-width.", 0, time.Minute)),
		opt("distribution", oneOf("Shape of the jitter; default normal.", "normal", "uniform", "pareto")),
		opt("order", oneOf("keep (default): jitter never reorders; free: it may.", "keep", "free")),
		opt("loss", share("Mean loss before the queue.")),
		opt("burst", num("Mean length of a loss burst in packets; 1 or left out: independent losses.", 1, 10_000)),
		opt("duplicate", share("Probability that a packet arrives twice.")),
		opt("corrupt", share("Probability that a bit of a packet is flipped.")),
		opt("reorder", share("Probability that a packet is held back by reorder_by.")),
		opt("reorder_by", dur("How long a reordered packet is held back; default 10ms.", 0, time.Minute)),
	}
}

func mediaSpec() *spec {
	return obj("A stream: audio, video or both.",
		opt("audio", obj("One packet every 20 ms.",
			opt("codec", oneOf("Default opus.", "opus")),
			opt("bitrate", bits("Of the payload; default 32kbps.", 6e3, 510e3)),
			opt("dtx", yesNo("Sends next to nothing in silence; default false.")))),
		opt("video", obj("Frames at a steady rate.",
			opt("codec", oneOf("Default vp8.", "vp8", "h264")),
			opt("content", oneOf("What is shown; default camera.", "camera", "screen")),
			opt("width", whole("Pixels; default 640.", 16, 7680)),
			opt("height", whole("Pixels; default 360.", 16, 4320)),
			opt("fps", num("Frames per second; default 30.", 1, 240)),
			opt("bitrate", bits("Of the payload; default 500kbps.", 10e3, 100e6)),
			opt("keyframe", dur("Interval of unasked keyframes; left out: only when asked for.", 100*time.Millisecond, time.Hour)))))
}

func serverSpec() *spec {
	urls := listOf("External servers in place of the bundled one, as turn: or turns: URIs.",
		&spec{kind: text, least: 1, most: 300, pattern: turnAddress, rule: "a URI like turn:turn.example.org:3478?transport=udp"})
	transports := listOf("How peers reach the bundled server; default [udp, tcp], and tls where a peer's firewall is tls-443-only.", oneOf("", "udp", "tcp", "tls"))
	urls.least, urls.most, transports.least, transports.most = 1, 16, 1, 3
	return obj("The embedded server.",
		opt("mesh_limit", whole("Members of a mesh room at most; default 6.", 2, 64)),
		opt("turn", obj("The TURN server; on by default.",
			opt("enabled", yesNo("false: nothing is relayed; on the simulated network STUN is still answered.")),
			opt("transports", transports),
			opt("relay_wait", dur("How long ICE waits before it accepts a relayed path; default 0s with ice: relay, else 1s.", 0, time.Minute)),
			opt("urls", urls),
			opt("username", &spec{kind: text, doc: "For urls; ${NAME} takes it from the environment.", least: 1, most: 500}),
			opt("password", &spec{kind: secret, doc: "For urls; ${NAME} takes it from the environment.", least: 1, most: 500}),
			opt("secret", &spec{kind: secret, doc: "For urls, in place of username and password: shared secret of REST credentials.", least: 1, most: 500}))))
}

func groupSpec() *spec {
	publish := listOf("Media by name; default [camera]. An empty list: nothing.", identifier(""))
	publish.most = 16
	return obj("A group of equal peers.",
		opt("count", whole("Peers in each room; default 2.", 1, maxPeers)),
		opt("rooms", whole("How many rooms, each with its own peers; default 1.", 1, maxPeers)),
		opt("room", identifier("Groups that name the same room meet in it; default: the group's own.")),
		opt("topology", oneOf("How media travels; default conference.", "p2p", "mesh", "conference")),
		opt("link", identifier("A link of this file or a preset; left out: a perfect link.")),
		opt("ice", oneOf("all (default) or relay: only through TURN.", "all", "relay")),
		opt("publish", publish),
		opt("receive", oneOf("all (default) or none.", "all", "none")),
		opt("data", obj("Data-channel messages.",
			must("rate", num("Messages per second.", 0.001, 10_000)),
			opt("size", whole("Bytes; default 100.", 16, 65_536)))),
		opt("join", obj("When peers join: exactly one of these; default {every: 250ms}.",
			opt("every", dur("One after the other at this distance.", 0, time.Hour)),
			opt("at", dur("All at once.", 0, day)),
			opt("over", dur("Evenly spread over this time.", 0, day)),
			opt("rate", num("Peers per second, evenly.", 0.001, 100_000)),
			opt("poisson", num("Peers per second on average, at random.", 0.001, 100_000)))),
		opt("actions", listOf("What peers do during the call.", actionSpec())))
}

func actionSpec() *spec {
	return obj("An action.",
		must("at", dur("When, from the end of the warm-up.", 0, day)),
		must("do", oneOf("What.", "mute", "unmute", "publish", "unpublish", "link", "leave", "drop", "rejoin", "ice-restart")),
		opt("track", oneOf("mute, unmute: which.", "audio", "video")),
		opt("media", identifier("publish, unpublish: which.")),
		opt("link", identifier("link: the new one.")),
		opt("peers", whole("The first so many of the group; left out: all.", 1, maxPeers)))
}

func thresholdsSpec() *spec {
	expr := anyText("Statistic, comparison and limit with its unit, like p(95) < 3s.", 200)
	item := obj("An objective.",
		must("expr", expr),
		opt("abort", yesNo("Ends the run early when crossed.")),
		opt("after", dur("Not before this much of the measurement has passed.", 0, day)),
		opt("optional", yesNo("Holds when there is no data.")))
	item.short = "expr"
	each := listOf("Objectives.", item)
	each.single, each.least, each.most = true, 1, 100
	return &spec{
		kind: named, doc: "Objectives by metric, with an optional {tag=value} selector.", item: each,
		most: 200, pattern: metricKey, rule: "a metric like connect.total or media.loss{group=people}",
	}
}
