package cli

import (
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/scenarios"
)

func TestPermitted(t *testing.T) {
	turn := func(url string) scenarios.Plan {
		return scenarios.Plan{Cells: []scenarios.Cell{{Server: scenarios.Server{TURN: scenarios.TURN{URLs: []string{url}}}}}}
	}
	for _, c := range []struct {
		name    string
		plan    scenarios.Plan
		allowed []string
		want    bool
	}{
		{"the embedded server", scenarios.Plan{}, nil, true},
		{"loopback by address", scenarios.Plan{Target: "ws://127.0.0.1:5080/live/websocket"}, nil, true},
		{"loopback by name", scenarios.Plan{Target: "ws://localhost:5080/live/websocket"}, nil, true},
		{"IPv6 loopback", scenarios.Plan{Target: "ws://[::1]:5080/live/websocket"}, nil, true},
		{"a host elsewhere", scenarios.Plan{Target: "wss://sfu.example/live/websocket"}, nil, false},
		{"an allowed host", scenarios.Plan{Target: "wss://sfu.example/live/websocket"}, []string{"sfu.example"}, true},
		{"another allowed host", scenarios.Plan{Target: "wss://sfu.example/live/websocket"}, []string{"sfu.example.org"}, false},
		{"an address elsewhere", scenarios.Plan{Target: "ws://192.0.2.1/live/websocket"}, nil, false},
		{"TURN on loopback", turn("turn:127.0.0.1:3478?transport=udp"), nil, true},
		{"TURN elsewhere", turn("turn:turn.example:3478?transport=udp"), nil, false},
		{"TURN without a port", turn("turns:turn.example"), []string{"turn.example"}, true},
		{"TURN by IPv6 address", turn("turn:[2001:db8::1]:3478"), []string{"2001:db8::1"}, true},
	} {
		if err := permitted(c.plan, c.allowed); (err == nil) != c.want {
			t.Errorf("%s: got %v, want permitted: %v", c.name, err, c.want)
		}
	}
}

func TestProgressLine(t *testing.T) {
	s := fleet.Status{
		Cell: 2, Cells: 10, ID: "peers.people.count=4", Phase: "measuring", Planned: 4, Joined: 4, Connected: 3, Failed: 1,
		Loss: 0.0123, CPU: 0.4, Left: 61 * time.Second,
	}
	want := "[2/10] measuring  joined 4/4  connected 3  failed 1  loss 1.23 %  cpu 0.40  left 1m1s  peers.people.count=4"
	if got := progressLine(s); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFileName(t *testing.T) {
	if got := fileName("Café: a/b 100%"); got != "Caf---a-b-100-" {
		t.Errorf("got %q", got)
	}
}
