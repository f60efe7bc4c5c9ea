package sfu

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// addVideo publishes further video tracks and negotiates them.
func (p *publisher) addVideo(ids ...string) []*rtpstream.Track {
	p.t.Helper()
	var tracks []*rtpstream.Track
	for _, id := range ids {
		track := rtpstream.NewTrack(rtpstream.TrackConfig{ID: id, StreamID: "s", Codec: rtpstream.VP8()})
		sender, err := p.pc.AddTrack(track)
		if err != nil {
			p.t.Fatal(err)
		}
		p.wg.Go(func() { track.ServeRTCP(sender) })
		tracks = append(tracks, track)
	}
	p.negotiate(nil)
	return tracks
}

func TestRepairLongAfterIsNoReplay(t *testing.T) {
	host := newTestHost(t)
	var quiet, losing atomic.Bool
	host.lose = func(p []byte) bool { // feedback, while quiet
		return len(p) > 1 && p[0]>>6 == 2 && p[1] >= 192 && p[1] <= 223 && quiet.Load()
	}
	s := newTestSFU(t, Config{Host: host})
	from := newTestHost(t)
	from.lose = func(p []byte) bool { return isRTP(p) && losing.Swap(false) }
	p := newPublisher(t, s, from, "r", "alice", false)
	video := p.addVideo("v")[0]
	h := rtp.Header{Version: 2}
	send := func(n int) {
		for range n {
			h.SequenceNumber++
			h.Timestamp += 90
			if err := video.Write(&h, []byte{0x10, 1, 0, 0, 1, 2}); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "media", func() bool { send(1); return s.Stats().Received > 0 })
	waitFor(t, "a repair of a packet 200 packets ago", func() bool {
		before := s.Stats()
		quiet.Store(true)
		losing.Store(true)
		send(1)
		send(200)
		end := time.Now().Add(900 * time.Millisecond) // then it is given up
		for ; time.Now().Before(end) && s.Stats().Received < before.Received+200; time.Sleep(time.Millisecond) {
		}
		quiet.Store(false)
		for ; time.Now().Before(end) && s.Stats().Repaired == before.Repaired; time.Sleep(time.Millisecond) {
		}
		return s.Stats().Repaired > before.Repaired
	})
}

// journal is a log that is read while it is written.
type journal struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return bytes.Count(j.buf.Bytes(), []byte(text))
}

func TestSecondTrackOfAKindIsRefused(t *testing.T) {
	var log journal
	s := newTestSFU(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	p := publish(t, s, "r", "alice", false)
	v := play(t, s, "r", "bob", "")
	for _, track := range p.addVideo("v", "w") {
		p.wg.Go(func() {
			ticker := time.NewTicker(5 * time.Millisecond)
			defer ticker.Stop()
			for h := (rtp.Header{Version: 2}); ; h.SequenceNumber++ {
				select {
				case <-p.stop:
					return
				case <-ticker.C:
					_ = track.Write(&h, []byte{0x10, 1, 0, 0, 1, 2}) // a lost one is missed at the far end
				}
			}
		})
	}
	waitFor(t, "the second track to be refused", func() bool { return log.count("track is not forwarded") == 1 })
	n := v.got("v:alice").packets
	waitFor(t, "media of the first", func() bool { return v.got("v:alice").packets > n+20 })
}

func TestAnswerWithoutAnOffer(t *testing.T) {
	s := newTestSFU(t, Config{})
	v := play(t, s, "r", "bob", "")
	for range 2 {
		if err := v.e.Answer(context.Background(), v.pc.LocalDescription().SDP); err != nil {
			t.Errorf("got %v for a repeated answer, want it passed over", err)
		}
	}
	publish(t, s, "r", "alice", true)
	waitFor(t, "media", func() bool { return v.got("v:alice").packets > 0 })
}

func TestMuteWhileATrackIsAdded(t *testing.T) {
	for n := range 200 {
		e := &egress{off: map[muted]bool{}}
		in := &ingress{}
		in.p.Stream = "alice"
		v := &view{e: e, source: &source{in: in, kind: webrtc.RTPCodecTypeVideo}}
		var wg sync.WaitGroup
		wg.Go(func() { e.Enable("alice", "video", false) })
		if n == 0 {
			wg.Wait() // just before; otherwise at the same time
		}
		e.show(v)
		wg.Wait()
		if !v.off {
			t.Fatal("the mute was lost")
		}
	}
}
