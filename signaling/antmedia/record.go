package antmedia

import (
	"cmp"
	"time"
)

// record is a stream or room that REST has created, or whose limits it has set: it stays while
// nobody is there. The server's mutex guards it.
type record struct {
	id, kind, name, description, meta string
	mainTrack                         string // the room the stream belongs to; "" is none
	created                           time.Time
	streamLimit, viewerLimit          int   // below 1: the server's own
	from, until                       int64 // Unix seconds between which it may be used; 0 is no bound
	began                             bool  // it has been live
	passing                           bool  // made by its use: forgotten with it
}

// room is the room that a stream was put in. A record that is nil puts it in none.
func (r *record) room() string {
	if r == nil {
		return ""
	}
	return r.mainTrack
}

func (r *record) inSeason(now time.Time) bool {
	return r == nil || (r.from == 0 || now.Unix() >= r.from) && (r.until == 0 || now.Unix() < r.until)
}

// inSeason answers a client that comes for a stream or a room before or after its time.
func (c *client) inSeason(stream, room string) bool {
	now := time.Now()
	switch {
	case !c.server.records[stream].inSeason(now):
		c.refuse(defStreamInactive, stream)
	case !c.server.records[room].inSeason(now):
		c.refuse(defRoomInactive, stream)
	default:
		return true
	}
	return false
}

// streamLimit is how many streams a room may have; 0 is no limit.
func (s *Server) streamLimit(room string) int {
	if r := s.records[room]; r != nil && r.streamLimit > 0 {
		return r.streamLimit
	}
	return s.config.MaxStreams
}

// viewerLimit is the same for viewers.
func (s *Server) viewerLimit(id string) int {
	if r := s.records[id]; r != nil && r.viewerLimit > 0 {
		return r.viewerLimit
	}
	return s.config.MaxViewers
}

// describe names a publisher as its record does, where it brings no name of its own.
func (r *record) describe(p *publisher) {
	if r != nil {
		p.name, p.meta = cmp.Or(p.name, r.name), cmp.Or(p.meta, r.meta)
	}
}

// began notes that a stream, and the room it is in, have been live.
func (s *Server) began(p *publisher) {
	for _, id := range []string{p.id, p.stage.name} {
		if r := s.records[id]; r != nil {
			r.began = true
		}
	}
}

// forget drops a record that was made for one use.
func (s *Server) forgetPassing(id string) {
	if r := s.records[id]; r != nil && r.passing {
		delete(s.records, id)
	}
}
