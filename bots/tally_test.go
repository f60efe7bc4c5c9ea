package bots

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/scenarios"
)

func newTestBot() *Bot {
	return New(Config{
		Peer:        scenarios.Peer{Name: "people-0", Group: "people", Room: "r", Topology: "mesh", Receive: true},
		JoinTimeout: 15 * time.Second,
	})
}

// TestFailedJoinIsAValue holds that a join which fails counts with its time limit.
func TestFailedJoinIsAValue(t *testing.T) {
	b := newTestBot()
	s := newStay(b, visit{})
	b.tally.started(visit{}, time.Now())
	b.tally.joined(s, failure(KindICETimeout, context.DeadlineExceeded))
	r := b.Recording()
	for name, want := range map[string]float64{"connect.total": 15000, "join.success": 0} {
		got := r.Set.Get(metrics.Key{Name: name, Tags: b.tally.base})
		if got == nil || len(got.Values) != 1 || got.Values[0] != want {
			t.Errorf("%s: got %+v, want one value %v", name, got, want)
		}
	}
	if r.Connected || r.Detail.State != "failed" || r.Detail.Failure != string(KindICETimeout) {
		t.Errorf("got %+v, want a failed peer with its kind", r.Detail)
	}
}

// TestSince holds that a join which had to wait for somebody counts from that one's start, and
// what it could do alone from its own.
func TestSince(t *testing.T) {
	start := time.Unix(100, 0)
	s := &stay{v: visit{intended: start, dueFrom: start.Add(2 * time.Second)}}
	for _, c := range []struct{ at, want time.Duration }{
		{500 * time.Millisecond, 500 * time.Millisecond},
		{2300 * time.Millisecond, 300 * time.Millisecond},
	} {
		if got := s.since(start.Add(c.at)); got != c.want {
			t.Errorf("%v after the start: got %v, want %v", c.at, got, c.want)
		}
	}
}

func TestBandwidthOfTheWindow(t *testing.T) {
	b := newTestBot()
	start := time.Unix(100, 0)
	b.tally.startWindow(start, network.Traffic{UpBytes: 1000, DownBytes: 5000})
	b.tally.endWindow(start.Add(2*time.Second), network.Traffic{UpBytes: 3000, DownBytes: 5000})
	b.tally.endWindow(start.Add(9*time.Second), network.Traffic{UpBytes: 9999}) // the window is over
	r := b.Recording()
	if r.Detail.UpBPS != 8000 || r.Detail.DownBPS != 0 {
		t.Errorf("got %v up and %v down, want 8000 and 0", r.Detail.UpBPS, r.Detail.DownBPS)
	}
	if got := r.Set.Get(metrics.Key{Name: "bandwidth.peer.up", Tags: b.tally.base}); got == nil || len(got.Values) != 1 {
		t.Errorf("got %+v, want one value a peer", got)
	}
}

func TestDataLoss(t *testing.T) {
	b := newTestBot()
	now := time.Unix(100, 0)
	b.tally.dataArrived(3, 1) // before the window: not counted
	b.tally.startWindow(now, network.Traffic{})
	for _, seq := range []uint32{10, 11, 13, 14} {
		b.tally.dataArrived(3, seq)
	}
	b.tally.endWindow(now.Add(time.Second), network.Traffic{})
	got := b.Recording().Set.Get(metrics.Key{Name: "data.loss", Tags: b.tally.base})
	if got == nil || len(got.Values) != 1 || got.Values[0] < 0.199 || got.Values[0] > 0.201 {
		t.Errorf("got %+v, want one message of five lost", got)
	}
}

func TestKindOfWrapped(t *testing.T) {
	err := errors.Join(errors.New("x"), failure(KindDTLSFailed, errors.New("y")))
	if got := KindOf(err); got != KindDTLSFailed {
		t.Errorf("got %s, want the kind of the failure inside", got)
	}
}
