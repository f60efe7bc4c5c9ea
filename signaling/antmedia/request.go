package antmedia

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

var errBusy = errors.New("too many requests are unanswered")

func (s *session) askToPublish(stream signaling.Stream) {
	s.send(object{
		"command": cmdPublish, "streamId": stream.ID, "token": s.target.config.Token(s.peer.Room), "subscriberId": "", "subscriberCode": "",
		"streamName": stream.ID, "mainTrack": s.peer.Room, "video": stream.Video, "audio": stream.Audio,
		"metaData": "", "role": "",
	})
}

// Publish adds a stream. In a conference it returns when the service has agreed; between peers
// the connections are renegotiated from now on.
func (s *session) Publish(ctx context.Context, stream signaling.Stream) error {
	if err := s.publish(ctx, stream); err != nil {
		return fmt.Errorf("publish %q: %w", stream.ID, err)
	}
	return nil
}

func (s *session) publish(ctx context.Context, stream signaling.Stream) error {
	answered := make(chan error, 1)
	err := s.do(ctx, func(context.Context) error {
		if _, twice := s.stream(stream.ID); twice {
			return errors.New("is published already")
		}
		if err := checkStream(s.peer, stream); err != nil {
			return err
		}
		s.streams = append(s.streams, stream)
		if !s.conference() {
			s.renegotiate(false)
			answered <- nil
			return nil
		}
		s.starting[stream.ID] = answered
		s.askToPublish(stream)
		return nil
	})
	if err != nil {
		return err
	}
	select {
	case err := <-answered:
		return err
	case <-s.quit:
		return s.gone()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unpublish ends a stream, at once and without waiting for the service.
func (s *session) Unpublish(ctx context.Context, id string) error {
	err := s.do(ctx, func(context.Context) error {
		if _, ok := s.stream(id); !ok {
			return errors.New("is not published")
		}
		if !s.conference() {
			s.forget(id)
			s.renegotiate(false)
			return nil
		}
		if answered := s.starting[id]; answered != nil {
			delete(s.starting, id)
			answered <- errors.New("unpublished meanwhile")
		}
		s.stop(id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("unpublish %q: %w", id, err)
	}
	return nil
}

// stop ends a stream's connection and its session at the service.
func (s *session) stop(id string) {
	s.drop(id)
	s.forget(id)
	s.stopped[id]++
	s.send(object{"command": cmdStop, "streamId": id})
}

func (s *session) forget(id string) {
	s.streams = slices.DeleteFunc(s.streams, func(st signaling.Stream) bool { return st.ID == id })
}

// RestartICE asks for fresh credentials on every connection and does not wait for them. A play
// connection, whose offers are the service's, is replaced.
func (s *session) RestartICE(ctx context.Context) error {
	err := s.do(ctx, func(context.Context) error {
		if !s.conference() {
			s.renegotiate(true)
			return nil
		}
		for _, id := range inOrder(s.links) {
			if l := s.links[id]; l.spec.Purpose == signaling.ToPublish {
				l.requestOffer(signaling.OfferOptions{RestartICE: true})
			}
		}
		if s.links[s.peer.Room] != nil {
			s.replay()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("restart ICE: %w", err)
	}
	return nil
}

// renegotiate has every peer connection negotiated again, by whichever side offers.
func (s *session) renegotiate(restart bool) {
	for _, id := range inOrder(s.links) {
		if l := s.links[id]; l.offerer {
			l.requestOffer(signaling.OfferOptions{RestartICE: restart})
		} else {
			audio, video := s.tracks()
			s.wishFor(l.spec.ID, wish{RestartICE: restart, Audio: audio, Video: video})
		}
	}
}

// tracks counts what the peer publishes.
func (s *session) tracks() (audio, video int) {
	for _, stream := range s.streams {
		if stream.Audio {
			audio++
		}
		if stream.Video {
			video++
		}
	}
	return audio, video
}

// wishFor asks the offerer of a connection for an offer.
func (s *session) wishFor(id string, w wish) {
	text, err := json.Marshal(w)
	if err != nil {
		s.end(fmt.Errorf("encode wish: %w", err), false)
		return
	}
	s.send(object{"command": cmdPeerMessage, "streamId": id, "definition": defRenegotiate, "data": string(text)})
}

// wantRoom asks for a new offer where the one just answered has fewer sections than the peer has
// tracks.
func (s *session) wantRoom(l *link, offer string) {
	audio, video := s.tracks()
	if s.links[l.spec.ID] != l || l.offerer || l.spec.Purpose != signaling.ToPeer {
		return
	}
	var offered wish
	for _, sec := range sections(offer) {
		switch {
		case sec.rejected:
		case sec.kind == "audio":
			offered.Audio++
		case sec.kind == "video":
			offered.Video++
		}
	}
	w := wish{Audio: audio, Video: video}
	if (audio > offered.Audio || video > offered.Video) && l.wished != w {
		l.wished = w // once: not every service relays it, not every peer obeys
		s.wishFor(l.spec.ID, w)
	}
}

// Ping measures until the answer is read, queueing at this end included. Answers carry no
// number: they are matched in order.
func (s *session) Ping(ctx context.Context) (time.Duration, error) {
	answered := make(chan time.Duration, 1)
	err := s.do(ctx, func(context.Context) error {
		if len(s.pings) >= maxWaiting {
			return errBusy
		}
		s.ping(answered)
		return nil
	})
	if err == nil {
		select {
		case d := <-answered:
			return d, nil
		case <-s.quit:
			err = s.gone()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return 0, fmt.Errorf("ping: %w", err)
}

func (s *session) ping(answered chan<- time.Duration) {
	if len(s.pings) >= maxWaiting { // a service that answers none still hears from us
		s.pings = slices.Delete(s.pings, 0, 1)
	}
	s.pings = append(s.pings, ping{at: time.Now(), answered: answered})
	s.send(object{"command": cmdPing})
}

func (s *session) ponged(at time.Time) {
	if len(s.pings) == 0 {
		return
	}
	if p := s.pings[0]; p.answered != nil {
		p.answered <- at.Sub(p.at)
	}
	s.pings = slices.Delete(s.pings, 0, 1)
}

// Members lists, in a conference, the streams the service says are live, but for the peer's
// own; a screen is one of its own. Between peers it lists who is connected or connecting.
func (s *session) Members(ctx context.Context) ([]string, error) {
	answered := make(chan []string, 1)
	err := s.do(ctx, func(context.Context) error {
		if !s.conference() {
			answered <- s.remotes()
			return nil
		}
		if len(s.queries) >= maxWaiting {
			return errBusy
		}
		s.queries = append(s.queries, answered)
		s.send(object{"command": cmdGetRoomInfo, "streamId": s.peer.ID, "room": s.peer.Room})
		return nil
	})
	if err == nil {
		select {
		case ids := <-answered:
			return ids, nil
		case <-s.quit:
			err = s.gone()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return nil, fmt.Errorf("list members: %w", err)
}

func (s *session) remotes() []string {
	ids := []string{}
	for _, l := range s.links {
		if l.spec.Remote != "" {
			ids = append(ids, l.spec.Remote)
		}
	}
	slices.Sort(ids)
	return ids
}

// informed answers the oldest query for the room.
func (s *session) informed(streams []string) {
	if len(s.queries) == 0 {
		return
	}
	others := []string{}
	for _, id := range streams {
		if _, own := s.stream(id); !own && id != s.peer.ID {
			others = append(others, strings.Clone(id))
		}
	}
	slices.Sort(others)
	s.queries[0] <- others
	s.queries = slices.Delete(s.queries, 0, 1)
}
