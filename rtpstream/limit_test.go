package rtpstream

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// nackAll is feedback that asks for the same packets over and over.
func nackAll(first uint16, pairs int) *rtcp.TransportLayerNack {
	n := &rtcp.TransportLayerNack{MediaSSRC: 100}
	for i := range pairs {
		n.Nacks = append(n.Nacks, rtcp.NackPair{PacketID: first + uint16(i%10)*17, LostPackets: 0xffff})
	}
	return n
}

func TestRepairIsBounded(t *testing.T) {
	c, other := newConnection(100), newConnection(200)
	track := NewTrack(TrackConfig{ID: "v", StreamID: "s", Codec: VP8()})
	for _, c := range []*connection{c, other} {
		if _, err := track.Bind(c); err != nil {
			t.Fatal(err)
		}
	}
	for seq := range uint16(200) {
		write(t, track, seq)
	}
	s := server{b: track.find(100)}
	for n := range 20 { // half a second apart, so that each is long after the last
		track.handle(&s, nackAll(100, 250), ms(500*n))
	}
	got := track.Stats()
	if want := uint64(firstResends + 200/2); got.Retransmitted != want {
		t.Errorf("got %d packets again, want %d", got.Retransmitted, want)
	}
	if got.Refused+got.Retransmitted+got.Unavailable != got.NACKedSeqs || got.Refused == 0 {
		t.Errorf("the account does not add up: %+v", got)
	}
	s = server{b: track.find(200)}
	track.handle(&s, &rtcp.TransportLayerNack{MediaSSRC: 200, Nacks: []rtcp.NackPair{{PacketID: 200}}}, ms(0))
	if track.Stats().Retransmitted != got.Retransmitted+1 {
		t.Error("one connection used up what another may have")
	}
}

func TestRepairIsNotRepeatedAtOnce(t *testing.T) {
	c := newConnection(100)
	track := newTestTrack(t, c)
	write(t, track, 1, 2, 3)
	s := server{b: track.find(100)}
	var resent []int
	for _, step := range []struct {
		at  int // ms
		rtt time.Duration
	}{{0, 0}, {10, 0}, {20, 0}, {50, 100 * time.Millisecond}, {69, 100 * time.Millisecond}, {100, 100 * time.Millisecond}} {
		s.b.remote.RTT = step.rtt
		before := track.Stats().Retransmitted
		track.handle(&s, &rtcp.TransportLayerNack{MediaSSRC: 100, Nacks: []rtcp.NackPair{{PacketID: 101}}}, ms(step.at))
		if track.Stats().Retransmitted > before {
			resent = append(resent, step.at)
		}
	}
	if len(resent) != 3 || resent[1] != 20 || resent[2] != 100 {
		t.Errorf("sent again at %v ms, want 0, 20 and 100", resent)
	}
	if got := track.Stats().Refused; got != 3 {
		t.Errorf("got %d refused, want 3", got)
	}
}

func TestCreditIsSpentAndSavedWithinBounds(t *testing.T) {
	var l limit
	packets := uint64(0)
	spend := func() (n int) {
		for seq := uint16(0); l.allows(seq, ms(0)); seq++ {
			l.spend(seq, ms(0))
			packets++
			n++
		}
		return n
	}
	l.follow(0)
	for _, c := range []struct{ sent, want int }{{0, 64}, {0, 0}, {1, 0}, {1, 1}, {100, 50}, {1 << 16, 512}, {0, 0}} {
		packets += uint64(c.sent)
		l.refill(packets, 512)
		l.recent = [recentResends]struct {
			at  time.Time
			seq uint16
		}{}
		if got := spend(); got != c.want {
			t.Errorf("got %d repairs after %d packets, want %d", got, c.sent, c.want)
		}
	}
}
