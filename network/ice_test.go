package network

import (
	"context"
	"testing"

	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/pion/ice/v4"
)

// TestICEConnectsThroughHosts has two agents find each other over lossy links, and makes sure
// that what they said passed the model.
func TestICEConnectsThroughHosts(t *testing.T) {
	s := newTestNetwork(t)
	p := impair.Profile{LossRatio: .1, Delay: 5 * ms}
	hosts := [2]Host{attach(t, s, p, p), attach(t, s, p, p)}
	var agents [2]*ice.Agent
	for i, h := range hosts {
		a, err := ice.NewAgentWithOptions(ice.WithNet(h), ice.WithIncludeLoopback(),
			ice.WithNetworkTypes([]ice.NetworkType{ice.NetworkTypeUDP4}),
			ice.WithMulticastDNSMode(ice.MulticastDNSModeDisabled))
		must(t, err)
		t.Cleanup(func() { _ = a.Close() }) // a second time when all went well
		agents[i] = a
	}
	for i, a := range agents {
		other := agents[1-i]
		must(t, a.OnCandidate(func(c ice.Candidate) {
			if c == nil {
				return
			}
			remote, err := ice.UnmarshalCandidate(c.Marshal())
			if err == nil {
				err = other.AddRemoteCandidate(remote)
			}
			if err != nil {
				t.Error(err)
			}
		}))
	}
	for _, a := range agents {
		must(t, a.GatherCandidates())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patient)
	defer cancel()
	accepted := make(chan error, 1)
	ufrag0, pwd0, err := agents[0].GetLocalUserCredentials()
	must(t, err)
	ufrag1, pwd1, err := agents[1].GetLocalUserCredentials()
	must(t, err)
	go func() { _, err := agents[1].Accept(ctx, ufrag0, pwd0); accepted <- err }()
	conn, err := agents[0].Dial(ctx, ufrag1, pwd1)
	must(t, err)
	must(t, <-accepted)
	_, err = conn.Write([]byte("hello"))
	must(t, err)
	for _, a := range agents {
		must(t, a.Close())
	}
	for i, h := range hosts {
		traffic := h.Link().Traffic()
		up, down := h.Link().Report()
		if up.Offered == 0 || down.Delivered == 0 || traffic.UpPackets != up.Offered || traffic.DownPackets > down.Delivered {
			t.Errorf("host %d: %+v, up offered %d, down delivered %d", i, traffic, up.Offered, down.Delivered)
		}
	}
}
