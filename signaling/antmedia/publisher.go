package antmedia

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// offerTimeout is how long a publisher may take from its start to its offer.
const offerTimeout = 30 * time.Second

// publisher is the publish session of one stream. The server's mutex guards its fields.
type publisher struct {
	*worker[signaling.Ingress]
	client     *client
	stage      *stage
	id         string
	inRoom     bool   // published into a room, not just by itself
	lobby      string // the room of joinRoom that it belongs to; "" for none
	name, meta string
	since      time.Time // the start of the media
	answered   bool      // the client has its first answer
	connected  bool      // as the conference says
	started    bool      // both, and announced
	offers     int
	deadline   *time.Timer // for the first offer
}

// publisher finds a live publish session of this client.
func (c *client) publisher(id string) *publisher {
	if p := c.publishers[id]; p != nil && !p.ended {
		return p
	}
	return nil
}

// publish starts a publish session. A stream without a main track is a room of its own, so that
// it can be played by its own ID.
func (c *client) publish(m message) {
	s := c.server
	into := cmp.Or(m.MainTrack, s.records[m.StreamID].room())
	room := cmp.Or(into, m.StreamID)
	p := &publisher{id: m.StreamID, inRoom: into != "", name: m.StreamName.upTo(maxName), meta: m.MetaData.upTo(maxMeta)}
	if !p.inRoom {
		p.lobby, p.name, p.meta = c.lobby.room, cmp.Or(p.name, c.lobby.name), cmp.Or(p.meta, c.lobby.meta)
	}
	s.records[m.StreamID].describe(p)
	switch {
	case s.config.Conference == nil:
		c.refuse(defServerError, m.StreamID)
		return
	case !validName(room):
		c.refuse(defInvalidName, m.StreamID)
		return
	case !c.permitted(m, permitPublish, into), !c.inSeason(m.StreamID, room):
		return
	case c.full(), s.stages[room] == nil && s.roomsFull():
		c.refuse(defHighResourceUsage, m.StreamID)
		return
	case c.publisher(m.StreamID) != nil:
		c.refuse(defStreamIDInUse, m.StreamID)
		return
	case p.inRoom && s.stages[room].streamsFull(s.streamLimit(room), m.StreamID):
		c.refuse(defManyStreams, m.StreamID)
		return
	}
	st := s.stage(room)
	var before <-chan struct{}
	if old := st.publishers[m.StreamID]; old != nil {
		if !old.ended && !old.client.stale() {
			c.refuse(defStreamIDInUse, m.StreamID)
			return
		}
		if !old.ended {
			old.client.evict()
		}
		before = old.done
	}
	p.worker, p.client, p.stage = newWorker[signaling.Ingress](c), c, st
	c.startPublisher(p, before)
}

func (c *client) startPublisher(p *publisher, before <-chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background()) // p.end cancels
	p.cancel = cancel
	p.deadline = time.AfterFunc(offerTimeout, p.late)
	p.stage.publishers[p.id], c.publishers[p.id] = p, p
	c.sessions = true
	c.work.Go(func() {
		if err := p.run(ctx, before, p.prepare, p.ready); err != nil {
			p.fail(defServerError, err)
		}
		p.release()
	})
}

func (p *publisher) prepare() (signaling.Ingress, error) {
	return p.stage.server.config.Conference.Publish(signaling.Publication{
		Room: p.stage.name, Stream: p.id, Started: p.up, Ended: p.down,
	})
}

// locked runs f under the server's mutex if the session still lives.
func (p *publisher) locked(f func()) {
	s := p.stage.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.ended {
		f()
	}
}

func (p *publisher) ready(signaling.Ingress) {
	p.locked(func() {
		p.client.send(object{"command": cmdStart, "streamId": p.id, "subscriberId": ""})
	})
}

// offered answers an offer, the first or a renewed one.
func (p *publisher) offered(sdp string) {
	strict := p.stage.server.config.Strict
	if strict {
		offer, refused := strictOffer(sdp)
		if refused != "" {
			p.end()
			p.client.refuse(refused, p.id)
			return
		}
		sdp = offer
	}
	p.offers++
	p.deadline.Stop()
	p.do(func(ctx context.Context, in signaling.Ingress) {
		var answer string
		err := within(ctx, func(ctx context.Context) (err error) {
			answer, err = in.Answer(ctx, sdp)
			return err
		})
		if err != nil {
			p.fail(defBadRemote, err)
			return
		}
		p.locked(func() {
			var apart []signaling.Candidate
			if strict {
				answer, apart = trickled(answer)
			}
			p.client.send(description(typeAnswer, p.id, evenLength(answer), nil))
			p.client.trickle(p.id, apart)
			p.answered = true
			p.start()
		})
	})
}

func (p *publisher) candidate(m message) {
	p.do(func(_ context.Context, in signaling.Ingress) {
		if err := in.AddCandidate(candidateOf(m)); err != nil {
			p.stage.server.log.Debug("candidate of a publisher", "stream", p.id, "error", err)
		}
	})
}

// do queues a task. A client that sends faster than its session can follow loses its socket.
func (p *publisher) do(task func(context.Context, signaling.Ingress)) {
	if !p.add(task) {
		p.client.socket.kill(errFlood)
	}
}

// up is called by the conference.
func (p *publisher) up() {
	p.locked(func() {
		p.connected = true
		p.start()
	})
}

// start announces the stream. A connection that is up at once waits for its answer to be on the
// way: clients expect that order. The server's mutex is held.
func (p *publisher) start() {
	if p.started || !p.answered || !p.connected {
		return
	}
	p.started, p.since = true, time.Now()
	p.stage.server.began(p)
	notice := noticePublishStarted
	if p.stage.server.restored(p.id, p.since) {
		notice = noticeRestored
	}
	o := notification(notice, p.id)
	if p.inRoom {
		o["room"], o["ATTR_ROOM_NAME"] = p.stage.name, p.stage.name
	}
	p.client.send(o)
	p.stage.announce(noticeTrackAdded, p.id)
	for _, v := range p.stage.viewers {
		v.filterStream(p.id)
	}
}

// down is called by the conference.
func (p *publisher) down(err error) {
	p.locked(func() {
		p.stage.server.log.Info("publisher lost", "room", p.stage.name, "stream", p.id, "error", err)
		p.finish()
	})
}

// late ends a publisher that never offered.
func (p *publisher) late() {
	p.locked(func() {
		if p.offers > 0 {
			return
		}
		p.end()
		p.client.refuse(defPublishTimeout, p.id)
	})
}

func (p *publisher) fail(definition string, err error) {
	p.stage.server.log.Warn("publish", "room", p.stage.name, "stream", p.id, "error", err)
	p.locked(func() {
		p.end()
		p.client.refuse(definition, p.id)
	})
}

// finish ends the session and says so. The server's mutex is held.
func (p *publisher) finish() {
	p.end()
	p.client.send(notification(noticePublishFinished, p.id))
}

// end ends the session; its media is closed soon after. The server's mutex is held.
func (p *publisher) end() {
	if p.ended {
		return
	}
	p.ended = true
	p.deadline.Stop()
	p.cancel()
	if p.started {
		p.stage.announce(noticeTrackRemoved, p.id)
	}
	p.stage.empty()
	if p.lobby != "" { // nothing else will come of the stage, and pages wait to be told
		for _, v := range slices.Clone(p.stage.viewers) {
			v.finish()
		}
	}
}

// release frees the name once the media is closed.
func (p *publisher) release() {
	s := p.stage.server
	s.mu.Lock()
	defer s.mu.Unlock()
	p.end()
	if p.stage.publishers[p.id] == p {
		delete(p.stage.publishers, p.id)
		s.forgetPassing(p.id)
	}
	if p.client.publishers[p.id] == p {
		delete(p.client.publishers, p.id)
	}
	p.stage.tidy()
}
