package antmedia

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/signaling"
)

// maxNamed bounds the streams that a viewer may name to have or not to have.
const maxNamed = 1024

var errFlood = errors.New("the client sends faster than its sessions can follow")

// viewer is a play session: everything of one room on one connection. The server's mutex guards
// its fields.
type viewer struct {
	*worker[signaling.Egress]
	client  *client
	stage   *stage
	id      string // the room's
	exclude string
	only    []string // streams wanted; none means all
	never   []string // streams not wanted
	muted   bool     // nothing is wanted until it is enabled
	ready   bool     // the media is open and filtered

	subscriber, name string // as the client calls itself
	called           string // as the conference calls it
	connected        bool

	toggled map[string]struct{} // streams switched by the client
}

// viewer finds a live play session of this client.
func (c *client) viewer(id string) *viewer {
	if v := c.viewers[id]; v != nil && !v.ended {
		return v
	}
	return nil
}

// play starts a play session. An empty or unknown room is offered all the same, with nothing
// but a data channel: a refusal would make every SDK ask again each three and a half seconds.
func (c *client) play(m message) {
	s := c.server
	switch {
	case s.config.Conference == nil:
		c.refuse(defNoStream, m.StreamID)
		return
	case !validTracks(m):
		c.refuse(defInvalidName, m.StreamID)
		return
	case c.viewer(m.StreamID) != nil:
		c.refuse(defAlreadyPlaying, m.StreamID)
		return
	case !c.permitted(m, permitPlay, ""), !c.inSeason(m.StreamID, m.StreamID):
		return
	case s.config.Strict && len(s.stages[m.StreamID].live()) == 0:
		o := failure(defNoStream, m.StreamID)
		o["error_code"] = "404"
		c.send(o)
		return
	case s.stages[m.StreamID].viewersFull(s.viewerLimit(m.StreamID)):
		c.refuse(defManyViewers, m.StreamID)
		return
	case c.full(), s.stages[m.StreamID] == nil && s.roomsFull():
		c.refuse(defHighResourceUsage, m.StreamID)
		return
	}
	v := &viewer{
		worker: newWorker[signaling.Egress](c), client: c, stage: s.stage(m.StreamID), id: m.StreamID,
		exclude: m.UserPublishID, muted: m.AllDisabled,
		subscriber: m.Subscriber.upTo(maxName), name: m.ViewerName.upTo(maxName),
		toggled: map[string]struct{}{},
	}
	for _, id := range m.TrackList {
		if not, ok := strings.CutPrefix(id, "!"); ok {
			v.never = append(v.never, not)
		} else {
			v.only = append(v.only, id)
		}
	}
	var before <-chan struct{}
	if old := c.viewers[m.StreamID]; old != nil {
		before = old.done
	}
	c.startViewer(v, before)
}

// validTracks tells whether a play names nothing but streams, and not too many.
func validTracks(m message) bool {
	bad := func(id string) bool { return !validName(strings.TrimPrefix(id, "!")) }
	return len(m.TrackList) <= maxNamed && !slices.ContainsFunc(m.TrackList, bad) &&
		(m.UserPublishID == "" || validName(m.UserPublishID))
}

func (c *client) startViewer(v *viewer, before <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background()) // v.end cancels
	v.cancel = cancel
	name := v.exclude
	if name == "" {
		name = "viewer-" + c.server.nextName()
	}
	v.called = name
	c.viewers[v.id] = v
	v.stage.viewers = append(v.stage.viewers, v)
	c.sessions = true
	c.work.Go(func() {
		open := func() (signaling.Egress, error) { return v.prepare(name) }
		if err := v.run(ctx, before, open, v.filterAll); err != nil {
			v.fail(defServerError, err)
		}
		v.release()
	})
}

func (v *viewer) prepare(name string) (signaling.Egress, error) {
	return v.stage.server.config.Conference.Play(signaling.Viewing{
		Room: v.stage.name, Viewer: name, Exclude: v.exclude,
		Label: trackLabel, MediaStream: mediaStream,
		Offer: v.offer, Started: v.up, Ended: v.down,
	})
}

func (v *viewer) locked(f func()) {
	s := v.stage.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !v.ended {
		f()
	}
}

// offer is called by the conference. The mapping is always there, be it empty: without one the
// SDK fails on every track.
func (v *viewer) offer(sdp string, labels map[string]string) {
	if labels == nil {
		labels = map[string]string{}
	}
	v.locked(func() {
		if v.stage.server.config.Strict {
			rest, candidates := trickled(sdp)
			v.client.trickle(v.id, candidates)
			sdp = rest
		}
		o := description(typeOffer, v.id, evenLength(sdp), labels)
		o["subscriberId"] = ""
		v.client.send(o)
	})
}

func (v *viewer) answered(sdp string) {
	v.do(func(ctx context.Context, out signaling.Egress) {
		err := within(ctx, func(ctx context.Context) error { return out.Answer(ctx, sdp) })
		if err != nil {
			v.fail(defBadRemote, err)
		}
	})
}

func (v *viewer) candidate(m message) {
	v.do(func(_ context.Context, out signaling.Egress) {
		if err := out.AddCandidate(candidateOf(m)); err != nil {
			v.stage.server.log.Debug("candidate of a viewer", "room", v.id, "error", err)
		}
	})
}

func (v *viewer) do(task func(context.Context, signaling.Egress)) {
	if !v.add(task) {
		v.client.socket.kill(errFlood)
	}
}

// toggle switches what one viewer gets of a stream.
func (c *client) toggle(m message) {
	v := c.viewer(m.StreamID)
	if v == nil || !validName(m.TrackID) {
		return
	}
	if _, known := v.toggled[m.TrackID]; !known && len(v.toggled) >= maxNamed {
		return
	}
	v.toggled[m.TrackID] = struct{}{}
	if m.Command != cmdToggleVideo {
		v.enable(m.TrackID, "audio", m.Enabled)
	}
	if m.Command != cmdToggleAudio {
		v.enable(m.TrackID, "video", m.Enabled)
	}
}

// notify sends text over the data channel; it is lost where too much else waits.
func (v *viewer) notify(text string) {
	_ = v.add(func(_ context.Context, out signaling.Egress) { out.Notify(text) })
}

func (v *viewer) enable(stream, kind string, on bool) {
	v.do(func(_ context.Context, out signaling.Egress) { out.Enable(stream, kind, on) })
}

func (v *viewer) wants(stream string) bool {
	return !v.muted && !slices.Contains(v.never, stream) && (len(v.only) == 0 || slices.Contains(v.only, stream))
}

// filterStream keeps a stream that has just come from a viewer who did not ask for it.
func (v *viewer) filterStream(stream string) {
	if !v.ended && v.ready && !v.wants(stream) {
		v.do(func(_ context.Context, out signaling.Egress) { disable(out, stream) })
	}
}

// filterAll does the same for the streams that were there before the viewer. It runs where the
// tasks do, and queues none: there may be more streams than the queue holds.
func (v *viewer) filterAll(out signaling.Egress) {
	var unwanted []string
	v.locked(func() {
		v.ready = true
		unwanted = slices.DeleteFunc(v.stage.live(), v.wants)
	})
	for _, id := range unwanted {
		disable(out, id)
	}
}

func disable(out signaling.Egress, stream string) {
	out.Enable(stream, "audio", false)
	out.Enable(stream, "video", false)
}

// up is called by the conference.
func (v *viewer) up() {
	v.locked(func() {
		v.connected = true
		v.client.send(notification(noticePlayStarted, v.id))
	})
}

// down is called by the conference.
func (v *viewer) down(err error) {
	v.locked(func() {
		v.stage.server.log.Info("viewer lost", "room", v.id, "error", err)
		v.end()
		v.client.send(notification(noticePlayFinished, v.id))
	})
}

func (v *viewer) fail(definition string, err error) {
	v.stage.server.log.Warn("play", "room", v.id, "error", err)
	v.locked(func() {
		v.end()
		v.client.refuse(definition, v.id)
	})
}

// finish ends the session and says so. The server's mutex is held.
func (v *viewer) finish() {
	v.end()
	v.client.send(notification(noticePlayFinished, v.id))
}

// end ends the session; its media is closed soon after. The server's mutex is held.
func (v *viewer) end() {
	if v.ended {
		return
	}
	v.ended = true
	v.cancel()
	v.stage.viewers = slices.DeleteFunc(v.stage.viewers, func(o *viewer) bool { return o == v })
}

func (v *viewer) release() {
	s := v.stage.server
	s.mu.Lock()
	defer s.mu.Unlock()
	v.end()
	if v.client.viewers[v.id] == v {
		delete(v.client.viewers, v.id)
	}
	v.stage.tidy()
}

func candidateOf(m message) signaling.Candidate {
	return signaling.Candidate{Candidate: m.Candidate, MID: m.MID, MLine: m.Label}
}
