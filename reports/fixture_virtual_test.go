package reports

import (
	"fmt"
	"math/rand/v2"

	"github.com/peerfleet/peerfleet/metrics"
)

// virtualRun is what the simulated network leaves of a run: nothing that is measured of a machine.
func virtualRun(name string) *metrics.Run {
	run := baseRun()
	run.Scenario.Name, run.Scenario.Clock, run.Scenario.Network = name, "virtual", "simulated"
	run.ElapsedS, run.SimulatedS, run.TraceHash = 3.2, 132, "9c1185a5c5e9fc54"
	return run
}

// pairsFixture is every pair of five links: what NATs let through, with one blocked link.
func pairsFixture() *metrics.Run {
	run := virtualRun("nat-matrix")
	links := []string{"public", "full-cone", "port-restricted", "symmetric", "udp-blocked"}
	r := rand.New(rand.NewPCG(fixSeed, 4))
	for i, a := range links {
		for j, b := range links {
			c := metrics.Cell{
				ID: fmt.Sprintf("peers.a.link=%s,peers.b.link=%s", a, b), Vary: map[string]any{"peers.a.link": a, "peers.b.link": b},
				Peers: metrics.PeerCounts{Planned: 2, Joined: 2, Connected: 2, Failures: map[string]int{}}, Audit: metrics.CellAudit{Valid: true, CPUs: 2},
			}
			kind, took := pairOutcome(i, j)
			e := entries{r: r}
			if kind != "" {
				tags := metrics.Tags{Topology: "p2p"}
				e.raw("connect.total", tags, "ms", 2, took, 20)
				e.raw("bandwidth.peer.up", tags, "bit/s", 2, streamBPS, 100)
				tags.Candidate = kind
				e.raw("ice.selected", tags, "count", 1, 1, 0)
			} else {
				c.Peers.Connected, c.Peers.Failed, c.Peers.Failures["ice_timeout"] = 0, 2, 2
			}
			c.Metrics = e.list
			run.Cells = append(run.Cells, c)
		}
	}
	return run
}

func pairOutcome(i, j int) (kind string, took float64) {
	switch {
	case i == 4 && j == 4:
		return "", 0
	case i+j == 0:
		return "host", 280
	case max(i, j) == 4, i+j >= 5:
		return "relay", 1340
	case max(i, j) == 3:
		return "prflx", 360
	}
	return "srflx", 420
}

// tracedFixture is a call of two with what one of them saw on its way, blocked packets, pauses and
// foreign names included.
func tracedFixture() *metrics.Run {
	run := virtualRun("traced")
	c := callCell(rand.New(rand.NewPCG(fixSeed, 5)), "mesh", 2, 12)
	c.Audit = metrics.CellAudit{Valid: true, CPUs: 2}
	c.Trace = &metrics.Trace{Peer: "anna", Truncated: true, Steps: traceSteps()}
	c.PeersDetail[0].Name = "anna"
	c.PeersDetail[0].Connect = map[string]float64{"signaling": 121.7, "ice": 324.7, "dtls": 126.1, "first_packet": 951.7, "total": 990}
	run.Cells = []metrics.Cell{c}
	return run
}

func traceSteps() []metrics.TraceStep {
	const server, turn, host, srflx = "203.0.113.10:5080", "203.0.113.10:3478", "192.168.7.20:41022", "198.51.100.9:61234"
	var steps []metrics.TraceStep
	add := func(at float64, direction, layer, what, remote string, bytes int) *metrics.TraceStep {
		steps = append(steps, metrics.TraceStep{TMS: at, Layer: layer, Direction: direction, What: what, Remote: remote, Bytes: bytes, Count: 1})
		return &steps[len(steps)-1]
	}
	add(0.2, "sent", "stream", "connect", server, 0)
	add(40.4, "received", "stream", "connected", server, 0)
	add(40.5, "sent", "signaling", "HTTP upgrade request", server, 228)
	add(80.9, "received", "signaling", "HTTP upgrade response", server, 129)
	add(81.2, "sent", "signaling", "join", server, 77)
	add(121.7, "received", "signaling", "notification (joined)", server, 92)
	add(322.1, "received", "signaling", "start", server, 60)
	add(324.4, "sent", "signaling", "takeConfiguration (offer)", server, 2960)
	add(324.6, "sent", "turn", "Allocate request", turn, 28)
	add(324.7, "sent", "stun", "Binding request", turn, 28)
	add(365, "received", "turn", "Allocate error 401", turn, 88)
	add(365.1, "received", "stun", "Binding success", turn, 44)
	add(365.2, "sent", "turn", "Allocate request", turn, 120)
	c := add(365.3, "sent", "signaling", "takeCandidate", server, 240)
	c.Count, c.UntilMS = 3, 405.9
	add(405.8, "received", "turn", "Allocate success", turn, 104)
	add(460.2, "received", "signaling", "takeConfiguration (answer)", server, 2811)
	b := add(462, "sent", "stun", "Binding request", host, 116)
	b.Count, b.UntilMS, b.Fate = 4, 1062, "unreachable"
	add(463, "sent", "stun", "Binding request", srflx, 116)
	add(464, "sent", "turn", "CreatePermission request", turn, 140)
	add(503, "received", "turn", "CreatePermission success", turn, 60)
	add(503.2, "sent", "turn", "relayed Binding request", turn, 152)
	l := add(663, "sent", "stun", "Binding request", srflx, 116)
	l.Fate = "lost"
	add(703.5, "received", "stun", "Binding request", srflx, 116)
	add(703.6, "sent", "stun", "Binding success", srflx, 64)
	add(744.1, "received", "stun", "Binding success", srflx, 64)
	add(744.3, "sent", "stun", "Binding request, USE-CANDIDATE", srflx, 120)
	add(784.9, "received", "stun", "Binding success", srflx, 64)
	add(785.3, "sent", "dtls", "ClientHello", srflx, 149)
	add(826, "received", "dtls", "HelloVerifyRequest", srflx, 48)
	add(826.1, "sent", "dtls", "ClientHello", srflx, 169)
	add(868, "received", "dtls", "ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone", srflx, 622)
	add(869.4, "sent", "dtls", "Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, encrypted handshake", srflx, 552)
	add(911, "received", "dtls", "ChangeCipherSpec, encrypted handshake", srflx, 75)
	add(912.2, "sent", "media", "RTP pt 111", srflx, 94)
	add(918.8, "sent", "media", "RTP pt 96", srflx, 1216)
	add(951.7, "received", "media", "RTP pt 111", srflx, 94)
	add(990, "received", "media", "RTP pt 96", srflx, 1216)
	add(1000, "sent", "dtls", "SCTP", srflx, 77)
	add(1001, "sent", hostile()[0], hostile()[2], hostile()[4], 9)
	for i := range 40 {
		add(1100+float64(i), "received", "stun", fmt.Sprintf("Binding request to %d", i), fmt.Sprintf("[2001:db8:1234:5678:9abc:def0:1234:%x]:%d", i, 40000+i), 96)
	}
	return steps
}
