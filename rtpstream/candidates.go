package rtpstream

import (
	"errors"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// maxHeldCandidates bounds what is kept for a description that may never come.
const maxHeldCandidates = 64

// Candidates hands remote candidates to a connection: not before there is a description they can
// belong to, and one at a time. An ICE agent checks what it has whenever it learns of a candidate,
// but looks no further when it learns of another meanwhile; a gap between them makes it act the
// same in every run. It is safe for concurrent use.
type Candidates struct {
	pc   remoteEnd
	gap  time.Duration
	turn chan struct{} // held by who uses what follows; a channel, for virtual time passes meanwhile

	described bool
	held      []webrtc.ICECandidateInit
}

// remoteEnd is what of a webrtc.PeerConnection learns of the far end.
type remoteEnd interface {
	SetRemoteDescription(d webrtc.SessionDescription) error
	AddICECandidate(c webrtc.ICECandidateInit) error
}

// NewCandidates makes the only way of remote descriptions and candidates to a connection. The gap
// precedes every candidate. It is meant for virtual time, where any will do, and zero elsewhere:
// there it would cost more than it says.
func NewCandidates(pc remoteEnd, gap time.Duration) *Candidates {
	return &Candidates{pc: pc, gap: gap, turn: make(chan struct{}, 1)}
}

// Describe applies a remote description; candidates, whether in it or not, wait for Release.
func (c *Candidates) Describe(d webrtc.SessionDescription) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	rest, found := splitCandidates(d.SDP)
	d.SDP = rest
	if err := c.pc.SetRemoteDescription(d); err != nil {
		return err
	}
	c.described = false
	for _, i := range found {
		c.hold(i)
	}
	return nil
}

// Release adds what has waited, and has Add add at once from now on. It follows Describe once a
// local description has been applied as well. The errors are of single candidates.
func (c *Candidates) Release() error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	held := c.held
	c.held, c.described = nil, true
	var errs []error
	for _, i := range held {
		errs = append(errs, c.add(i))
	}
	return errors.Join(errs...)
}

// Add adds a candidate, or keeps it for Release; what exceeds 64 of them is forgotten.
func (c *Candidates) Add(i webrtc.ICECandidateInit) error {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	if !c.described {
		c.hold(i)
		return nil
	}
	return c.add(i)
}

func (c *Candidates) hold(i webrtc.ICECandidateInit) {
	if len(c.held) < maxHeldCandidates {
		c.held = append(c.held, i)
	}
}

func (c *Candidates) add(i webrtc.ICECandidateInit) error {
	time.Sleep(c.gap)
	return c.pc.AddICECandidate(i)
}

// StripCandidates is a description without its candidates.
func StripCandidates(sdp string) string {
	rest, _ := splitCandidates(sdp)
	return rest
}

// splitCandidates takes the candidates (RFC 8839 section 5.1) out of a description.
func splitCandidates(sdp string) (rest string, found []webrtc.ICECandidateInit) {
	var b strings.Builder
	b.Grow(len(sdp))
	var section uint16 // counts from 1
	seen := map[string]bool{}
	for line := range strings.Lines(sdp) {
		text := strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(text, "m=") {
			section++
		}
		candidate, ok := strings.CutPrefix(text, "a=candidate:")
		if !ok || section == 0 {
			b.WriteString(line)
			continue
		}
		if seen[candidate] {
			continue // of a section in the same bundle
		}
		seen[candidate] = true
		index := section - 1
		found = append(found, webrtc.ICECandidateInit{Candidate: "candidate:" + candidate, SDPMLineIndex: &index})
	}
	return b.String(), found
}
