package antmedia

import (
	"slices"
	"strings"
)

// lobby is a room of joinRoom, from before conferences had a main track, as one socket joined it: a
// list of streams, each published by itself and played by itself. What a socket publishes without a
// room goes into its lobby, and has the name and metadata given there unless it brings its own.
type lobby struct{ room, name, meta string }

// joinRoom remembers the room and lists its streams.
func (c *client) joinRoom(m message) {
	room, id := m.Room, m.StreamID
	if room == "" {
		room = m.MainTrack
	}
	if id == "" {
		id = "stream-" + c.server.nextName()
	}
	switch {
	case room == "":
		c.refuse(defNoRoom, id)
		return
	case !validName(room), !validName(id):
		c.refuse(defInvalidName, id)
		return
	}
	c.lobby = lobby{room: room, name: m.StreamName.upTo(maxName), meta: m.RoomMeta.upTo(maxMeta)}
	streams, list := listed(c.server.inRoom(room), id)
	o := notification(noticeJoinedRoom, id)
	o["room"], o["ATTR_ROOM_NAME"], o["maxTrackCount"] = room, room, -1
	o["streams"], o["streamList"] = streams, list
	c.send(o)
}

// leaveRoom ends everything that the client has of the room.
func (c *client) leaveRoom(m message) {
	room := m.Room
	if room == "" {
		room = m.MainTrack
	}
	if room == "" {
		c.refuse(defNoRoom, m.StreamID)
		return
	}
	for _, id := range inOrder(c.viewers) {
		v := c.viewers[id]
		if !v.ended && (v.stage.name == room || v.stage.lobby() == room) {
			v.finish()
		}
	}
	for _, id := range inOrder(c.publishers) {
		p := c.publishers[id]
		if !p.ended && (p.lobby == room || p.stage.name == room) {
			p.finish()
		}
	}
	if c.lobby.room == room {
		c.lobby = lobby{}
	}
	o := notification(noticeLeftRoom, m.StreamID)
	o["room"], o["ATTR_ROOM_NAME"] = room, room
	c.send(o)
}

// lobby is the room of joinRoom that the stage's streams belong to; "" for none.
func (st *stage) lobby() string {
	for _, p := range st.publishers {
		if p.lobby != "" {
			return p.lobby
		}
	}
	return ""
}

// inRoom are the live streams of a room, by name: those published into it, and those of its lobby.
func (s *Server) inRoom(room string) []*publisher {
	var found []*publisher
	for _, name := range inOrder(s.stages) {
		st := s.stages[name]
		for _, id := range st.live() {
			if p := st.publishers[id]; name == room && p.lobby == "" || p.lobby == room {
				found = append(found, p)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b *publisher) int { return strings.Compare(a.id, b.id) })
	return found
}
