package rtpstream

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/webrtc/v4"
)

const description = "v=0\r\n" +
	"a=candidate:0 1 udp 1 192.0.2.9 9 typ host\r\n" + // before any section: of nobody
	"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" +
	"a=mid:0\r\n" +
	"a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\r\n" +
	"a=candidate:2 1 udp 1694498815 198.51.100.1 4001 typ srflx raddr 0.0.0.0 rport 0\r\n" +
	"m=video 9 UDP/TLS/RTP/SAVPF 96\n" +
	"a=mid:1\n" +
	"a=candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host\n" + // the same, of the bundle
	"a=candidate:3 1 udp 16777215 203.0.113.1 4002 typ relay raddr 0.0.0.0 rport 0\n" +
	"a=end-of-candidates"

func TestSplitCandidates(t *testing.T) {
	rest, found := splitCandidates(description)
	want := "v=0\r\n" +
		"a=candidate:0 1 udp 1 192.0.2.9 9 typ host\r\n" +
		"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" +
		"a=mid:0\r\n" +
		"m=video 9 UDP/TLS/RTP/SAVPF 96\n" +
		"a=mid:1\n" +
		"a=end-of-candidates"
	if diff := cmp.Diff(want, rest); diff != "" {
		t.Errorf("rest (-want +got):\n%s", diff)
	}
	var got []string
	for _, c := range found {
		got = append(got, fmt.Sprint(*c.SDPMLineIndex, " ", c.Candidate))
	}
	if diff := cmp.Diff([]string{
		"0 candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host",
		"0 candidate:2 1 udp 1694498815 198.51.100.1 4001 typ srflx raddr 0.0.0.0 rport 0",
		"1 candidate:3 1 udp 16777215 203.0.113.1 4002 typ relay raddr 0.0.0.0 rport 0",
	}, got); diff != "" {
		t.Errorf("candidates (-want +got):\n%s", diff)
	}
	if got := StripCandidates(description); got != rest {
		t.Errorf("stripped: got %q", got)
	}
	if rest, found := splitCandidates(""); rest != "" || found != nil {
		t.Errorf("of nothing: got %q, %v", rest, found)
	}
}

// taker is a connection that notes when it learns what.
type taker struct {
	start time.Time
	notes []string
}

func (k *taker) SetRemoteDescription(d webrtc.SessionDescription) error {
	k.note(fmt.Sprintf("description with %d candidates", strings.Count(d.SDP, "a=candidate:")))
	return nil
}

func (k *taker) AddICECandidate(c webrtc.ICECandidateInit) error {
	k.note(c.Candidate)
	if strings.Contains(c.Candidate, "bad") {
		return fmt.Errorf("bad candidate")
	}
	return nil
}

func (k *taker) note(what string) {
	k.notes = append(k.notes, fmt.Sprintf("%v: %s", time.Since(k.start), what))
}

// TestCandidatesComeOneByOne holds candidates back until there are descriptions of both sides, and
// then gives them one at a time, a gap before each.
func TestCandidatesComeOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &taker{start: time.Now()}
		c := NewCandidates(k, time.Millisecond)
		add := func(text string) error { return c.Add(webrtc.ICECandidateInit{Candidate: text}) }
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		must(add("early"))
		must(c.Describe(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: "m=audio\r\na=candidate:inside\r\n"}))
		must(add("between"))
		must(c.Release())
		done := make(chan error)
		for range 2 {
			go func() { done <- add("late") }()
		}
		must(<-done)
		must(<-done)
		if err := add("bad"); err == nil {
			t.Error("a bad candidate is no error")
		}
		must(c.Describe(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer}))
		must(add("of the next"))
		must(c.Release())
		if diff := cmp.Diff([]string{
			"0s: description with 0 candidates",
			"1ms: early", "2ms: candidate:inside", "3ms: between", "4ms: late", "5ms: late", "6ms: bad",
			"6ms: description with 0 candidates",
			"7ms: of the next",
		}, k.notes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestHeldCandidatesAreBounded(t *testing.T) {
	k := &taker{start: time.Now()}
	c := NewCandidates(k, 0)
	for range 2 * maxHeldCandidates {
		if err := c.Add(webrtc.ICECandidateInit{Candidate: "one"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Release(); err != nil || len(k.notes) != maxHeldCandidates {
		t.Errorf("got %d, %v, want %d", len(k.notes), err, maxHeldCandidates)
	}
}
