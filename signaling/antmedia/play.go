package antmedia

import "time"

// play is the state of a session's play command.
type play struct {
	asked   bool // the service knows that we want to play
	closing bool // stop is sent; whatever comes for the old connection is void
	timer   *time.Timer
}

// due fires when it is time to ask again.
func (p *play) due() <-chan time.Time {
	if p.timer == nil {
		return nil
	}
	return p.timer.C
}

func (p *play) after(d time.Duration) {
	p.cancel()
	p.timer = time.NewTimer(d)
}

func (p *play) cancel() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// askToPlay asks for everything in the room but the peer's own stream.
func (s *session) askToPlay() {
	s.play.cancel()
	s.play.asked, s.play.closing = true, false
	s.send(object{
		"command": cmdPlay, "streamId": s.peer.Room, "token": s.target.config.Token(s.peer.Room), "room": "", "trackList": []string{},
		"subscriberId": "", "subscriberName": "", "subscriberCode": "", "viewerInfo": "", "role": "",
		"userPublishId": s.peer.ID, "disableTracksByDefault": false,
	})
}

// replay ends the play connection and asks for a new one, at once when the service has
// confirmed the end, otherwise after a second.
func (s *session) replay() {
	s.play.closing = true
	s.drop(s.peer.Room)
	s.send(object{"command": cmdStop, "streamId": s.peer.Room})
	s.play.after(leaveTimeout)
}

// playEnded acts on the service's end of the play session: one that we asked for, or that of a
// room without streams, which is played again later.
func (s *session) playEnded() {
	switch {
	case s.left || !s.peer.Receive:
	case s.play.closing:
		s.askToPlay()
	default:
		s.drop(s.peer.Room)
		s.play.asked = false
		s.play.after(retryPeriod)
	}
}
