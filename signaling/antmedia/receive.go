package antmedia

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/peerfleet/peerfleet/signaling"
)

// receive acts on a message from the service.
func (s *session) receive(ctx context.Context, m incoming) {
	switch m.Command {
	case cmdStart:
		s.started(ctx, m.message)
	case cmdConfiguration:
		s.described(ctx, m.message)
	case cmdCandidate:
		s.candidate(m.message)
	case cmdStop:
		delete(s.early, m.StreamID)
		s.drop(m.StreamID)
	case cmdNotification:
		s.notified(m.message)
	case cmdError:
		s.refused(m.message)
	case cmdPeerMessage:
		s.peerMessage(m.message)
	case cmdRoomInfo:
		s.informed(m.Streams)
	case cmdPong:
		s.ponged(m.at)
	}
}

// started makes an offer: of a stream to the service, or to a peer that has come.
func (s *session) started(ctx context.Context, m message) {
	id := m.StreamID
	if s.conference() {
		stream, ok := s.stream(id)
		if !ok || s.links[id] != nil || s.left {
			return
		}
		l := s.connect(ctx, signaling.ConnectionSpec{ID: id, Purpose: signaling.ToPublish, Stream: stream.ID})
		l.requestOffer(signaling.OfferOptions{})
		if answered := s.starting[id]; answered != nil {
			delete(s.starting, id)
			answered <- nil
		}
		s.admit(nil, id)
		return
	}
	if !s.expects(id) {
		return
	}
	s.drop(id) // a peer that came back without having been reported as gone
	l := s.connect(ctx, signaling.ConnectionSpec{ID: id, Purpose: signaling.ToPeer, Remote: s.remote(m)})
	l.offerer = true
	l.requestOffer(signaling.OfferOptions{})
}

// expects tells whether an ID can be that of a connection that the far end opens.
func (s *session) expects(id string) bool {
	switch {
	case s.left:
		return false
	case s.conference():
		return id == s.peer.Room && s.play.asked && !s.play.closing
	case s.pairwise():
		return s.pairs[id] != ""
	case s.peer.Topology == signaling.TopologyMesh:
		return strings.HasPrefix(id, s.peer.Room+"_")
	default:
		return id == s.peer.Room
	}
}

// remote names the peer at the far end, as far as the service told.
func (s *session) remote(m message) string {
	if name := s.pairs[m.StreamID]; name != "" {
		return name
	}
	if name, ok := strings.CutPrefix(m.StreamID, s.peer.Room+"_"); ok && s.peer.Topology == signaling.TopologyMesh {
		return name
	}
	return string(m.StreamName)
}

// described takes an offer or answer to its link.
func (s *session) described(ctx context.Context, m message) {
	l := s.links[m.StreamID]
	if m.Type == typeAnswer {
		if l != nil {
			l.accept(s.description(m))
		}
		return
	}
	if l == nil {
		if !s.expects(m.StreamID) {
			return
		}
		spec := signaling.ConnectionSpec{ID: m.StreamID, Purpose: signaling.ToPeer, Remote: s.remote(m)}
		if s.conference() {
			spec.Purpose, spec.Remote = signaling.ToPlay, ""
			s.admit(nil, m.StreamID)
		}
		l = s.connect(ctx, spec)
	}
	l.answer(s.description(m))
}

// description adds who owns which media section, where the service says it: it does for a
// room's streams. Between peers its labels only repeat the connection's own name.
func (s *session) description(m message) signaling.Description {
	d := signaling.Description{SDP: m.SDP}
	if s.conference() {
		d.Streams = streamsOf(m.IDMapping)
	}
	return d
}

// candidate takes a candidate to its link, or keeps it for the link that is to come: services
// send candidates ahead of offers.
func (s *session) candidate(m message) {
	if l := s.links[m.StreamID]; l != nil {
		l.addCandidate(candidateOf(m))
		return
	}
	if !s.expects(m.StreamID) {
		return
	}
	kept := s.early[m.StreamID]
	if len(kept) < maxEarly && (kept != nil || len(s.early) < maxEarly) {
		s.early[m.StreamID] = append(kept, candidateOf(m))
	}
}

func (s *session) notified(m message) {
	switch m.Definition {
	case noticeJoined:
		s.admit(nil, m.StreamID)
	case noticePublishStarted, noticeRestored:
		// A stream restored from an earlier socket gets no start of its own.
		if answered := s.starting[m.StreamID]; answered != nil {
			delete(s.starting, m.StreamID)
			answered <- nil
		}
		s.admit(nil, m.StreamID)
	case noticePublishFinished:
		s.publishEnded(m.StreamID)
	case noticePlayFinished:
		if m.StreamID == s.peer.Room && s.conference() {
			s.confirm(m.StreamID)
			s.playEnded()
		}
	case noticeLeft:
		s.confirm(m.StreamID)
	case noticeServerWillStop:
		s.end(ErrServiceStopping, true)
	}
}

// publishEnded acts on the end of a stream: one that we stopped, or the service's doing.
func (s *session) publishEnded(id string) {
	switch {
	case s.left:
		s.confirm(id)
	case s.stopped[id] > 1:
		s.stopped[id]--
	case s.stopped[id] == 1:
		delete(s.stopped, id)
	default:
		s.drop(id)
		s.forget(id)
	}
}

// refused acts on an error: it concerns a room query, the play of a room that is still empty,
// the entry, a stream that is being published, or nothing that matters.
func (s *session) refused(m message) {
	fault := &ServiceError{Definition: m.Definition, StreamID: m.StreamID, Information: string(m.Information)}
	id := m.StreamID
	switch {
	case m.Definition == defNoActiveStreams:
		s.informed(nil)
	case m.Definition == defNoStream && s.conference() && s.peer.Receive && (id == s.peer.Room || id == ""):
		if s.links[s.peer.Room] == nil && !s.left {
			s.play.after(retryPeriod)
		}
	case s.starting[id] != nil:
		s.forget(id)
		s.starting[id] <- fault
		delete(s.starting, id)
	case m.Definition == defNoName:
		// Older services say so to a ping.
	case s.entry.done != nil && (id == "" || s.mine(id)):
		s.admit(fault)
	case s.mine(id) && (s.links[id] == nil || endsStream(m.Definition)) && !s.left:
		s.end(fault, false)
	default:
		s.target.log.Warn("service reports an error", "peer", s.peer.ID, "error", fault)
	}
}

// endsStream tells whether an error says that a stream is not taken although its publishing has
// begun. Nothing else will come of it.
func endsStream(definition string) bool {
	switch definition {
	case defBadRemote, defNoCodec, defPublishTimeout, defServerError,
		"notSetLocalDescription", "encoderNotOpened", "encoderBlocked", "noPacketReceivedForTimeoutDuration":
		return true
	default:
		return false
	}
}

// mine tells whether an ID is one that this session asked for by name.
func (s *session) mine(id string) bool {
	_, published := s.stream(id)
	return published && s.conference() || id == s.peer.Room || s.pairs[id] != ""
}

func (s *session) stream(id string) (signaling.Stream, bool) {
	for _, stream := range s.streams {
		if stream.ID == id {
			return stream, true
		}
	}
	return signaling.Stream{}, false
}

// wish is the content of our own message between peers.
type wish struct {
	RestartICE bool `json:"restartIce"`
	Audio      int  `json:"audio"`
	Video      int  `json:"video"`
}

// maxTracks bounds what another peer can make us offer.
const maxTracks = 64

// peerMessage acts on the wish of an answerer for a new offer. The data is JSON text.
func (s *session) peerMessage(m message) {
	l := s.links[m.StreamID]
	if l == nil || m.Definition != defRenegotiate {
		return
	}
	var text string
	var w wish
	if json.Unmarshal(m.Data, &text) != nil || json.Unmarshal([]byte(text), &w) != nil {
		return
	}
	if !l.offerer || w.Audio < 0 || w.Video < 0 || w.Audio > maxTracks || w.Video > maxTracks {
		return
	}
	l.requestOffer(signaling.OfferOptions{RestartICE: w.RestartICE, Audio: w.Audio, Video: w.Video})
}
