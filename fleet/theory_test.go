package fleet

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/scenarios"
)

// flights is how many times the delay of one link a phase takes, for the faster and for the slower
// of two peers. A server is one link away and a peer two, so that a round trip to a server counts 2
// and one to a peer 4.
type flights struct{ min, max float64 }

// TestConnectTimeIsFlights connects two peers over links of several delays: every phase is a straight
// line through nought whose slope is its number of flights.
func TestConnectTimeIsFlights(t *testing.T) {
	const (
		server = 2 // a round trip to a server
		peer   = 4 // a round trip to a peer
	)
	// TCP, the WebSocket upgrade, join and joined.
	signaling := flights{3 * server, 3 * server}
	// A check, and the check that nominates.
	toPeer, toServer := flights{2 * peer, 2 * peer}, flights{2 * server, 2 * server}
	// ClientHello and HelloVerifyRequest, ClientHello and ServerHello up to ServerHelloDone, the
	// client's Finished and the server's (RFC 6347 section 4.2.4). The server's side has ICE connected
	// as late as the client's first flight takes effect, and is done when it has the client's Finished.
	dtlsPeer, dtlsServer := flights{2 * peer, 3 * peer}, flights{3 * server, 3 * server}
	tests := map[string]struct {
		topology, ice, turn string
		phases              map[string]flights
	}{
		"p2p": {"p2p", "all", "false", map[string]flights{
			"connect.signaling":    signaling,
			"connect.gathering":    {0, 0}, // host candidates need nobody
			"connect.offer_answer": {0, peer},
			"connect.ice":          toPeer,
			"connect.dtls":         dtlsPeer,
			// After DTLS: INIT, COOKIE ECHO and the channel's own open and acknowledgement, and before
			// it what the other phases are.
			"connect.data_channel": {9 * peer, 9*peer + server},
		}},
		"conference": {"conference", "all", "false", map[string]flights{
			"connect.signaling":    signaling,
			"connect.gathering":    {0, 0},
			"connect.offer_answer": {0, 0}, // the answer leaves when the offer has come
			"connect.ice":          toServer,
			"connect.dtls":         dtlsServer,
			"connect.data_channel": {10 * server, 10 * server},
		}},
		"relay": {"p2p", "relay", "true", map[string]flights{
			"connect.signaling":    signaling,
			"connect.gathering":    {2 * server, 2 * server}, // Allocate refused for want of a nonce, and Allocate
			"connect.offer_answer": {0, peer},
			"connect.ice":          toPeer, // permissions cost nothing: nobody waits for them
			"connect.dtls":         dtlsPeer,
			"connect.data_channel": {9*peer + 2*server, 9*peer + 3*server},
		}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			for _, delay := range []float64{10, 20, 40, 80} {
				text := call(c.topology, 2, fmt.Sprintf("    ice: %s\nserver: {turn: {enabled: %s}}\nclock: virtual\n", c.ice, c.turn))
				text = strings.ReplaceAll(text, "delay: 20ms", fmt.Sprintf("delay: %vms", delay))
				text = strings.Replace(text, "every: 100ms", "every: 4s", 1) // the first is ready before the second comes
				s, err := scenarios.Parse("test.yaml", []byte(text), scenarios.Options{})
				if err != nil {
					t.Fatal(err)
				}
				cell := trusted(t, Run(context.Background(), s.Plan(1), Config{}))
				for phase, want := range c.phases {
					got := merged(cell, phase, metrics.Tags{})
					if got.Count != 2 {
						t.Errorf("delay %v ms: %s has %d values, want 2", delay, phase, got.Count)
						continue
					}
					// A tenth of a millisecond is for what keeps the peers' own doings apart.
					if math.Abs(float64(got.Min)-want.min*delay) > 0.1 || math.Abs(float64(got.Max)-want.max*delay) > 0.1 {
						t.Errorf("delay %v ms: %s took %v and %v ms, want %v and %v flights", delay, phase, got.Min, got.Max, want.min, want.max)
					}
				}
			}
		})
	}
}
