package sfu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPublishAndPlay(t *testing.T) {
	s := newTestSFU(t, Config{})
	p := publish(t, s, "r", "alice", true)
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 20 && v.got("a:alice").packets > 20 })
	waitFor(t, "a keyframe", func() bool { return v.got("v:alice").keyframes > 0 })
	if got := v.got("v:alice").capture; len(got) != 8 || !bytes.Equal(got[:7], []byte{1, 2, 3, 4, 5, 6, 7}) {
		t.Errorf("got capture time % x, want the one that was sent", got)
	}
	now := time.Now()
	p.video.SetClock(rtpstream.NTP(now), 0, now)
	sr, ok := p.video.SenderReport(rtpstream.SSRC(p.videoSender), now)
	if !ok {
		t.Fatal("no sender report")
	}
	if err := p.pc.WriteRTCP([]rtcp.Packet{sr}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a sender report", func() bool { return v.got("v:alice").reports > 0 })
	st := s.Stats()
	if st.Publishers != 1 || st.Viewers != 1 || st.Rooms != 1 || st.Forwarded == 0 || st.Batches == 0 {
		t.Errorf("got stats %+v", st)
	}
	waitFor(t, "a reception report", func() bool {
		r, ok := p.video.Remote(rtpstream.SSRC(p.videoSender))
		return ok && r.RTT > 0 && r.RTT < patience
	})
}

func TestListenAddr(t *testing.T) {
	for _, c := range []struct {
		addr    string
		want    string // of the candidate; empty: refused
		network network.SocketsConfig
	}{
		{"", "127.0.0.1", network.SocketsConfig{}},
		{"127.0.0.2:0", "127.0.0.2", network.SocketsConfig{External: true}},
		{":0", "127.0.0.1", network.SocketsConfig{External: true}},
		{"[::1]:0", "", network.SocketsConfig{External: true}},
		{"nonsense", "", network.SocketsConfig{}},
	} {
		t.Run(c.addr, func(t *testing.T) {
			s, err := New(Config{Host: newHostOn(t, c.network), ListenAddr: c.addr})
			if c.want == "" {
				if err == nil {
					t.Error("the address was taken")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			v := newViewer(t, s, "r", "bob", "")
			offer := <-v.offers
			if !strings.Contains(offer, fmt.Sprintf(" %s %d typ host", c.want, s.Addr().Port)) {
				t.Errorf("got offer\n%s\nwant a host candidate %s", offer, c.want)
			}
		})
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an SFU without a host was made")
	}
}

func TestPublicIP(t *testing.T) {
	s := newTestSFU(t, Config{PublicIPs: []string{"198.51.100.7"}})
	v := newViewer(t, s, "r", "bob", "")
	offer := <-v.offers
	if !strings.Contains(offer, " 198.51.100.7 ") || strings.Contains(offer, " 127.0.0.1 ") {
		t.Errorf("got offer\n%s\nwant the public address in place of the host's", offer)
	}
}

func TestKeyframeRequestsAreCoalescedAndRepeated(t *testing.T) {
	s := &source{kind: webrtc.RTPCodecTypeVideo, in: &ingress{kick: make(chan struct{}, 1)}}
	now := time.Now()
	var sent []int
	for n := range 800 { // 8 s in steps of 10 ms
		switch n {
		case 0, 1, 10, 40: // requests of several viewers
			s.wantKeyframe()
		case 120, 795: // a keyframe passes
			s.wanted.Store(false)
		case 125: // within the interval: waits, and is not lost
			s.wantKeyframe()
		}
		if s.keyframeDue(now.Add(time.Duration(n) * 10 * time.Millisecond)) {
			sent = append(sent, n)
		}
	}
	want := []int{0, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 700}
	if d := cmp.Diff(want, sent); d != "" {
		t.Error(d)
	}
}

func TestEmptyRoomAndLateTracks(t *testing.T) {
	s := newTestSFU(t, Config{})
	v := play(t, s, "r", "bob", "bob")
	if n := len(v.pc.GetTransceivers()); n != 0 {
		t.Errorf("got %d media sections in an empty room, want 0", n)
	}
	publish(t, s, "r", "alice", true)
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 0 && v.got("a:alice").packets > 0 })
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.offered != 2 {
		t.Errorf("got %d offers, want one for the empty room and one for both tracks", v.offered)
	}
	want := map[string]bool{"a:alice": true, "v:alice": true}
	got := map[string]bool{}
	for _, l := range v.labels {
		got[l] = true
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestLateViewerGetsAKeyframe(t *testing.T) {
	s := newTestSFU(t, Config{})
	p := publish(t, s, "r", "alice", true)
	first := play(t, s, "r", "bob", "")
	waitFor(t, "a keyframe for the first", func() bool { return first.got("v:alice").keyframes > 0 })
	before := p.keyframes.Load()
	late := play(t, s, "r", "carol", "")
	waitFor(t, "a keyframe for the second", func() bool { return late.got("v:alice").keyframes > 0 })
	if p.keyframes.Load() == before {
		t.Error("no keyframe was asked for")
	}
}

func TestConference(t *testing.T) {
	s := newTestSFU(t, Config{})
	names := []string{"a", "b", "c"}
	var viewers []*viewer
	var publishers []*publisher
	for _, n := range names {
		viewers = append(viewers, play(t, s, "r", n, n))
		publishers = append(publishers, publish(t, s, "r", n, true))
	}
	for i, v := range viewers {
		for j, n := range names {
			if i == j {
				continue
			}
			waitFor(t, fmt.Sprintf("media from %s at %s", n, v.name), func() bool {
				return v.got("v:"+n).packets > 5 && v.got("a:"+n).packets > 5 && v.got("v:"+n).keyframes > 0
			})
		}
		if v.got("v:"+v.name).packets != 0 {
			t.Errorf("%s received itself", v.name)
		}
	}
	publishers[0].close()
	waitFor(t, "the tracks to be withdrawn", func() bool {
		viewers[1].mu.Lock()
		defer viewers[1].mu.Unlock()
		return len(viewers[1].labels) == 2
	})
	publish(t, s, "r", "a", true)
	waitFor(t, "media after the return", func() bool {
		viewers[1].mu.Lock()
		defer viewers[1].mu.Unlock()
		return len(viewers[1].labels) == 4
	})
	waitFor(t, "a fresh media section", func() bool { return len(viewers[1].pc.GetTransceivers()) == 6 })
}

func TestEnable(t *testing.T) {
	s := newTestSFU(t, Config{})
	publish(t, s, "r", "alice", true)
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 5 && v.got("v:alice").keyframes > 0 })
	v.e.Enable("alice", "video", false)
	time.Sleep(100 * time.Millisecond)
	video, audio := v.got("v:alice"), v.got("a:alice")
	waitFor(t, "audio", func() bool { return v.got("a:alice").packets > audio.packets+20 })
	if got := v.got("v:alice").packets; got != video.packets {
		t.Errorf("got %d video packets while it was off", got-video.packets)
	}
	v.e.Enable("alice", "video", true)
	waitFor(t, "video again", func() bool {
		return v.got("v:alice").packets > video.packets+20 && v.got("v:alice").keyframes > video.keyframes
	})
	if got := v.got("v:alice").counters; got.WireLost != 0 {
		t.Errorf("got %d packets lost, want no gap where it was off", got.WireLost)
	}
}

func TestRepairFromOneHistory(t *testing.T) {
	host := newTestHost(t)
	var n atomic.Uint32
	var losing atomic.Bool
	host.lose = func(p []byte) bool {
		return isRTP(p) && p[1]&0x7f == 96 && losing.Load() && n.Add(1)%10 == 0
	}
	s := newTestSFU(t, Config{Host: host})
	p := publish(t, s, "r", "alice", true)
	a, b := play(t, s, "r", "a", ""), play(t, s, "r", "b", "")
	waitFor(t, "media", func() bool { return a.got("v:alice").packets > 5 && b.got("v:alice").packets > 5 })
	losing.Store(true)
	waitFor(t, "repairs", func() bool {
		return a.got("v:alice").counters.Repaired > 5 && b.got("v:alice").counters.Repaired > 5
	})
	losing.Store(false)
	for _, v := range []*viewer{a, b} {
		waitFor(t, "every loss to be repaired", func() bool { return v.got("v:alice").counters.Pending == 0 })
		if c := v.got("v:alice").counters; c.Lost != 0 || c.WireLost == 0 {
			t.Errorf("%s: got %+v", v.name, c)
		}
	}
	if got := p.video.Stats().NACKs; got != 0 {
		t.Errorf("the publisher was asked for %d repairs of what only viewers lost", got)
	}
	if s.Stats().Retransmitted == 0 {
		t.Error("no retransmissions were counted")
	}
}

func TestLossTowardsTheSFUIsRepaired(t *testing.T) {
	s := newTestSFU(t, Config{})
	var losing atomic.Bool
	var n atomic.Uint32
	p := publishFrom(t, s, "r", "alice", func(p []byte) bool {
		return isRTP(p) && p[1]&0x7f == 96 && losing.Load() && n.Add(1)%10 == 0
	})
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 5 })
	losing.Store(true)
	waitFor(t, "repairs", func() bool { return s.Stats().Repaired > 5 })
	losing.Store(false)
	waitFor(t, "the viewer to have all", func() bool {
		c := v.got("v:alice").counters
		return c.Received > 20 && c.Pending == 0
	})
	if got := s.Stats().Lost; got != 0 {
		t.Errorf("got %d packets lost, want all repaired", got)
	}
	if p.video.Stats().Retransmitted == 0 {
		t.Error("the publisher was not asked for repairs")
	}
}

func TestDataChannelRelay(t *testing.T) {
	s := newTestSFU(t, Config{})
	alice := publish(t, s, "r", "alice", false)
	views := map[string]*viewer{}
	for _, n := range []string{"alice", "bob", "carol"} {
		views[n] = play(t, s, "r", n, n)
		views[n].open()
	}
	other := play(t, s, "elsewhere", "dave", "dave")
	other.open()
	waitFor(t, "the publisher's channel", func() bool { return alice.channel.ReadyState() == webrtc.DataChannelStateOpen })
	if err := alice.channel.SendText("hello"); err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 40_000)
	if err := alice.channel.Send(big); err != nil {
		t.Fatal(err)
	}
	want := []string{"true:5:hello", "false:40000:xxxxxxxx"}
	for _, n := range []string{"bob", "carol"} {
		waitFor(t, "messages at "+n, func() bool { return len(views[n].texts()) == 2 })
		if d := cmp.Diff(want, views[n].texts()); d != "" {
			t.Errorf("%s: %s", n, d)
		}
	}
	if err := views["bob"].open().SendText("from bob"); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"alice", "carol"} {
		waitFor(t, "bob's message at "+n, func() bool {
			return strings.Contains(strings.Join(views[n].texts(), " "), "from bob")
		})
	}
	if got := views["alice"].texts(); len(got) != 1 {
		t.Errorf("the sender got %v, want bob's message only", got)
	}
	if got := append(other.texts(), views["bob"].texts()[2:]...); len(got) != 0 {
		t.Errorf("got %v where nothing was meant to go", got)
	}
}

func TestFullDataChannelDropsForItsViewerOnly(t *testing.T) {
	s := newTestSFU(t, Config{})
	alice := publish(t, s, "r", "alice", false)
	var silent atomic.Bool
	bob, carol := play(t, s, "r", "bob", ""), playTo(t, s, "r", "carol", func([]byte) bool { return silent.Load() })
	bob.open()
	carol.open()
	waitFor(t, "the publisher's channel", func() bool { return alice.channel.ReadyState() == webrtc.DataChannelStateOpen })
	silent.Store(true) // nothing is acknowledged any more
	block := bytes.Repeat([]byte("x"), 50_000)
	const messages = 30 // 1.5 MB
	for i := range messages {
		if err := alice.channel.Send(block); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "bob", func() bool { return len(bob.texts()) == i+1 })
	}
	st := s.Stats()
	if st.DroppedMessages == 0 || st.DroppedMessages > messages/2 {
		t.Errorf("got %d messages dropped, want those beyond 1 MiB", st.DroppedMessages)
	}
	if st.RelayedMessages+st.DroppedMessages != 2*messages {
		t.Errorf("got %d relayed and %d dropped, want %d together", st.RelayedMessages, st.DroppedMessages, 2*messages)
	}
}

func TestEnableBeforeTheStreamIsThere(t *testing.T) {
	s := newTestSFU(t, Config{})
	v := play(t, s, "r", "bob", "")
	v.e.Enable("alice", "video", false)
	publish(t, s, "r", "alice", true)
	waitFor(t, "audio", func() bool { return v.got("a:alice").packets > 20 })
	if got := v.got("v:alice").packets; got != 0 {
		t.Errorf("got %d video packets while it was off", got)
	}
}

func TestCandidatesBeforeTheOffer(t *testing.T) {
	s := newTestSFU(t, Config{})
	started := make(chan struct{})
	in, err := s.Publish(signaling.Publication{Room: "r", Stream: "alice", Started: func() { close(started) }})
	if err != nil {
		t.Fatal(err)
	}
	pc := newPeer(t, newTestHost(t))
	defer func() {
		if err := errors.Join(in.Close(), pc.GracefulClose()); err != nil {
			t.Error(err)
		}
	}()
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		out := signaling.Candidate{}
		if c != nil {
			out = signaling.Candidate{Candidate: c.ToJSON().Candidate, MID: "0"}
		}
		if err := in.AddCandidate(out); err != nil {
			t.Error(err)
		}
	})
	if _, err := pc.CreateDataChannel("d", nil); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	described(t, pc, offer)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := in.Answer(ctx, offer.SDP) // as made, without candidates
	if err != nil {
		t.Fatal(err)
	}
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-started:
	case <-time.After(patience):
		t.Fatal("the stream did not start")
	}
}

func TestMalformedDescriptions(t *testing.T) {
	s := newTestSFU(t, Config{})
	in, err := s.Publish(signaling.Publication{Room: "r", Stream: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sdp := range []string{"", "v=0", "nonsense\r\n"} {
		if _, err := in.Answer(context.Background(), sdp); err == nil {
			t.Errorf("offer %q was answered", sdp)
		}
	}
	v := newViewer(t, s, "r", "bob", "")
	<-v.offers
	if err := v.e.Answer(context.Background(), "nonsense"); err == nil {
		t.Error("a malformed answer was taken")
	}
	if err := in.AddCandidate(signaling.Candidate{Candidate: "nonsense"}); err != nil {
		t.Errorf("got %v for a candidate that waits for its offer", err)
	}
}

func TestICERestartOffer(t *testing.T) {
	s := newTestSFU(t, Config{})
	p := publish(t, s, "r", "alice", true)
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 5 })
	before := ufrag(p.pc.CurrentRemoteDescription().SDP)
	answer := p.negotiate(&webrtc.OfferOptions{ICERestart: true})
	if got := ufrag(answer); got == before || got == "" {
		t.Errorf("got ICE user fragment %q after the restart, want a new one", got)
	}
	if !strings.Contains(answer, "a=candidate:") {
		t.Error("the answer has no candidates")
	}
	n := v.got("v:alice").packets
	waitFor(t, "media after the restart", func() bool { return v.got("v:alice").packets > n+50 })
}

func ufrag(sdp string) string {
	_, rest, _ := strings.Cut(sdp, "a=ice-ufrag:")
	line, _, _ := strings.Cut(rest, "\r\n")
	return line
}

func TestUnansweredOffer(t *testing.T) {
	s := newTestSFU(t, Config{AnswerTimeout: 50 * time.Millisecond})
	v := newViewer(t, s, "r", "bob", "")
	select {
	case err := <-v.ended:
		if !errors.Is(err, ErrUnanswered) {
			t.Errorf("got %v, want ErrUnanswered", err)
		}
	case <-time.After(patience):
		t.Fatal("the viewing did not end")
	}
	if err := v.e.Answer(context.Background(), ""); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestStreamNameIsTaken(t *testing.T) {
	s := newTestSFU(t, Config{})
	p := publish(t, s, "r", "alice", false)
	if _, err := s.Publish(signaling.Publication{Room: "r", Stream: "alice"}); !errors.Is(err, ErrStreamTaken) {
		t.Errorf("got %v, want ErrStreamTaken", err)
	}
	p.close()
	publish(t, s, "r", "alice", false)
}

func TestPeerGoesAwayWithoutAWord(t *testing.T) {
	s := newTestSFU(t, Config{DisconnectedTimeout: 500 * time.Millisecond, FailedTimeout: 500 * time.Millisecond})
	p := publish(t, s, "r", "alice", true)
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 5 })
	if err := p.pc.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-p.ended:
		if !errors.Is(err, ErrConnectionLost) {
			t.Errorf("got %v, want ErrConnectionLost", err)
		}
	case <-time.After(patience):
		t.Fatal("the publication did not end")
	}
	waitFor(t, "the viewer to be told", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.labels) == 0
	})
}

func TestSocketDies(t *testing.T) {
	host := newTestHost(t)
	s := newTestSFU(t, Config{Host: host, DisconnectedTimeout: 300 * time.Millisecond, FailedTimeout: 300 * time.Millisecond})
	p := publish(t, s, "r", "alice", true)
	v := play(t, s, "r", "bob", "")
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 5 })
	host.Crash()
	for name, ended := range map[string]chan error{"publication": p.ended, "viewing": v.ended} {
		select {
		case err := <-ended:
			if !errors.Is(err, ErrConnectionLost) {
				t.Errorf("%s: got %v, want ErrConnectionLost", name, err)
			}
		case <-time.After(patience):
			t.Errorf("the %s did not end", name)
		}
	}
}

func TestDeadViewerDelaysNobody(t *testing.T) {
	s := newTestSFU(t, Config{})
	publish(t, s, "r", "alice", true)
	dead := newViewer(t, s, "r", "dead", "") // never answers
	alive := play(t, s, "r", "alive", "")
	waitFor(t, "media", func() bool { return alive.got("v:alice").keyframes > 0 })
	gone := play(t, s, "r", "gone", "")
	waitFor(t, "media", func() bool { return gone.got("v:alice").packets > 0 })
	if err := gone.pc.Close(); err != nil {
		t.Fatal(err)
	}
	n := alive.got("v:alice").packets
	waitFor(t, "media beside the dead", func() bool { return alive.got("v:alice").packets > n+50 })
	if c := alive.got("v:alice").counters; c.Lost != 0 {
		t.Errorf("got %d packets lost", c.Lost)
	}
	_ = dead
}

func TestChurnLeavesNothing(t *testing.T) {
	s := newTestSFU(t, Config{})
	p := publish(t, s, "r", "alice", true)
	in := p.in.(*ingress)
	for round := range 4 {
		var viewers []*viewer
		for i := range 5 {
			viewers = append(viewers, play(t, s, "r", fmt.Sprintf("v%d-%d", round, i), ""))
		}
		waitFor(t, "media", func() bool { return viewers[4].got("v:alice").packets > 0 })
		for _, v := range viewers {
			v.close()
		}
	}
	for _, src := range in.sources {
		if got := src.track.Stats().Connections; got != 0 {
			t.Errorf("got %d connections bound to %s, want 0", got, src.kind)
		}
		src.mu.Lock()
		if len(src.views) != 0 {
			t.Errorf("got %d views of %s, want 0", len(src.views), src.kind)
		}
		src.mu.Unlock()
	}
	if st := s.Stats(); st.Viewers != 0 || st.Publishers != 1 {
		t.Errorf("got %+v", st)
	}
	p.close()
	if st := s.Stats(); st.Rooms != 0 || st.Forwarded == 0 {
		t.Errorf("got %+v", st)
	}
}

func TestJoinStormIsCoalesced(t *testing.T) {
	s := newTestSFU(t, Config{})
	v := newViewer(t, s, "r", "bob", "")
	for i := range 5 {
		publish(t, s, "r", fmt.Sprint(i), true)
	}
	v.wg.Go(v.answer) // the first offer has waited all the while
	waitFor(t, "all tracks", func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return len(v.labels) == 10
	})
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.offered != 2 {
		t.Errorf("got %d offers for five joins, want 2", v.offered)
	}
}

func TestClosedConference(t *testing.T) {
	s := newTestSFU(t, Config{})
	publish(t, s, "r", "alice", true)
	play(t, s, "r", "bob", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Play(signaling.Viewing{Room: "r"}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := s.Publish(signaling.Publication{Room: "r"}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}
