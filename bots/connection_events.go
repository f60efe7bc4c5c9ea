package bots

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/webrtc/v4"
)

// The handlers below are called from goroutines of the WebRTC stack: they note what happened and
// return.

func (c *connection) onCandidate(k *webrtc.ICECandidate) {
	if k == nil {
		c.mark(func(m *connectionMarks) { m.gathered = true })
		return
	}
	c.mark(func(m *connectionMarks) {
		if m.firstCandidate.IsZero() {
			m.firstCandidate, m.candidate = time.Now(), k.Typ.String()
		}
	})
	j := k.ToJSON()
	out := signaling.Candidate{Candidate: j.Candidate}
	if j.SDPMid != nil {
		out.MID = *j.SDPMid
	}
	if j.SDPMLineIndex != nil {
		out.MLine = int(*j.SDPMLineIndex)
	}
	c.spec.Signal(out)
}

func (c *connection) onICE(state webrtc.ICEConnectionState) {
	if state == webrtc.ICEConnectionStateConnected {
		c.mark(func(m *connectionMarks) {
			if m.ice.IsZero() {
				m.ice = time.Now()
			}
		})
	}
}

func (c *connection) onState(state webrtc.PeerConnectionState) {
	now := time.Now()
	switch state {
	case webrtc.PeerConnectionStateConnected:
		if !c.up.Swap(true) && c.counted() {
			candidate, path := c.path()
			c.s.b.tally.selected(candidate, path)
		}
		c.mark(func(m *connectionMarks) {
			if m.dtls.IsZero() {
				m.dtls = now
			}
		})
		c.s.connectionUp(c, now)
	case webrtc.PeerConnectionStateFailed:
		err := c.stage()
		if err == nil {
			err = failure(KindICEFailed, errors.New("connection failed"))
		}
		c.s.connectionLost(c, err)
	case webrtc.PeerConnectionStateClosed:
		if !c.isClosed() {
			c.s.connectionLost(c, failure(KindClosedByPeer, fmt.Errorf("%s connection: %w", c.spec.Purpose, errClosed)))
		}
	}
}

// stage says where a connection is stuck or broken: nil when it is up.
func (c *connection) stage() error {
	m, state := c.moments(), c.pc.ConnectionState()
	what := string(c.spec.Purpose) + " connection"
	if c.spec.Remote != "" {
		what += " with " + c.spec.Remote
	}
	failed := state == webrtc.PeerConnectionStateFailed
	switch {
	case state == webrtc.PeerConnectionStateConnected:
		return nil
	case m.negotiated.IsZero():
		return failure(KindSignalTimeout, fmt.Errorf("%s: no complete offer and answer", what))
	case m.firstCandidate.IsZero():
		return failure(KindGatherNone, fmt.Errorf("%s: no candidate was gathered", what))
	case m.ice.IsZero() && failed:
		return failure(KindICEFailed, fmt.Errorf("%s: no candidate pair answered", what))
	case m.ice.IsZero():
		return failure(KindICETimeout, fmt.Errorf("%s: no candidate pair has answered yet", what))
	case m.dtls.IsZero() && failed:
		return failure(KindDTLSFailed, fmt.Errorf("%s: DTLS failed", what))
	case m.dtls.IsZero():
		return failure(KindDTLSTimeout, fmt.Errorf("%s: DTLS has not finished", what))
	case state == webrtc.PeerConnectionStateClosed:
		return failure(KindClosedByPeer, fmt.Errorf("%s: %w", what, errClosed))
	}
	return failure(KindICEFailed, fmt.Errorf("%s: connectivity was lost (%s)", what, state))
}

func (c *connection) onTrack(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	in, err := newInput(c, t, r)
	if err != nil {
		c.s.b.tally.event(time.Now(), "track-refused", err.Error())
		return
	}
	if !c.s.addInput(in) {
		return
	}
	if !c.goOwned(in.read) {
		in.end(in.conn.s.b.now()) // the connection is closing
		return
	}
	c.goOwned(in.readRTCP)
}

// streamOf is the published stream a remote track belongs to: as the dialect says by mid, else
// by the track's media-stream ID.
func (c *connection) streamOf(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) string {
	c.mu.Lock()
	streams := c.streams
	c.mu.Unlock()
	if streams != nil {
		if tr := r.RTPTransceiver(); tr != nil && streams[tr.Mid()] != "" {
			return streams[tr.Mid()]
		}
	}
	if id := t.StreamID(); id != "" && id != "-" {
		return id
	}
	return c.spec.Remote
}

// path is how the selected candidate pair runs, and its type: "relay" if either end is relayed,
// else "srflx" or "prflx" if either is reflexive, else "host".
func (c *connection) path() (candidate, path string) {
	sctp := c.pc.SCTP()
	if sctp == nil || sctp.Transport() == nil || sctp.Transport().ICETransport() == nil {
		return "", ""
	}
	pair, err := sctp.Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil {
		return "", ""
	}
	for _, want := range []webrtc.ICECandidateType{
		webrtc.ICECandidateTypeRelay, webrtc.ICECandidateTypeSrflx, webrtc.ICECandidateTypePrflx,
	} {
		if pair.Local.Typ == want || pair.Remote.Typ == want {
			candidate = want.String()
			break
		}
	}
	switch candidate {
	case "relay":
		return candidate, "relay"
	case "":
		candidate = "host"
	}
	return candidate, "direct"
}

// counted tells whether this end of a connection counts the selected pair: the offerer's between
// two peers, the peer's towards a server.
func (c *connection) counted() bool {
	return c.spec.Purpose != signaling.ToPeer || c.moments().offered
}

func hasCandidate(sdp string) bool { return strings.Contains(sdp, "a=candidate:") }
