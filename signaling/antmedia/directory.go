package antmedia

import (
	"encoding/json"
)

// Bounds on what clients ask the directory to return or keep.
const (
	maxPage = 250
	maxMeta = 16 << 10
)

// roomInfo lists the live streams of a room but for the caller's own.
func (c *client) roomInfo(m message) {
	if m.Room == "" {
		c.refuse(defNoRoom, m.StreamID)
		return
	}
	var live []string
	st := c.server.stages[m.Room]
	if st != nil {
		live = st.live()
	}
	if len(live) == 0 {
		o := failure(defNoActiveStreams, m.StreamID)
		o["room"] = m.Room
		c.send(o)
		return
	}
	streams, list := []string{}, []object{}
	for _, id := range live {
		if id == m.StreamID {
			continue
		}
		p := st.publishers[id]
		streams = append(streams, id)
		list = append(list, object{"streamId": id, "streamName": p.name, "metaData": p.meta})
	}
	c.send(object{
		"command": cmdRoomInfo, "room": m.Room, "ATTR_ROOM_NAME": m.Room, "streams": streams, "streamList": list,
	})
}

// query finds the handler of a question about broadcasts; nil for anything else.
func (c *client) query(command string) func(message) {
	switch command {
	case cmdGetBroadcast:
		return c.broadcast
	case cmdGetSubtracks:
		return c.subtracks
	case cmdCountTracks:
		return func(m message) {
			o := notification(noticeSubtrackCount, m.StreamID)
			o["count"] = len(c.liveIn(m.StreamID))
			c.send(o)
		}
	case cmdGetTrackList:
		return func(m message) {
			ids := append([]string{}, c.liveIn(m.StreamID)...)
			c.send(object{"command": cmdTrackList, "streamId": m.StreamID, "trackList": ids})
		}
	case cmdUpdateMeta:
		return c.updateMeta
	default:
		return nil
	}
}

func (c *client) liveIn(room string) []string {
	if st := c.server.stages[room]; st != nil {
		return st.live()
	}
	return nil
}

// broadcast describes a room or a published stream. A room's list of streams is always an
// array: pages iterate it unasked.
func (c *client) broadcast(m message) {
	var b object
	st := c.server.stages[m.StreamID]
	if p := c.find(m.StreamID); p != nil && (st == nil || !p.inRoom) {
		b = p.broadcast()
	} else if st != nil {
		b = object{
			"streamId": st.name, "status": "broadcasting", "type": "liveStream", "virtual": true,
			"subTrackStreamIds": append([]string{}, st.live()...),
		}
	} else {
		o := failure(defNoStream, m.StreamID)
		o["error_code"] = "404"
		c.send(o)
		return
	}
	o := notification(noticeBroadcast, m.StreamID)
	o["broadcast"] = jsonText(b)
	c.send(o)
}

// find looks a stream up: in the rooms this client takes part in, then in the room of its own
// name, then in all, of which the first by name counts.
func (c *client) find(stream string) *publisher {
	for _, name := range inOrder(c.viewers) {
		if p := c.server.stages[name].publisher(stream); p != nil {
			return p
		}
	}
	for _, id := range inOrder(c.publishers) {
		if p := c.publishers[id].stage.publisher(stream); p != nil {
			return p
		}
	}
	if p := c.server.stages[stream].publisher(stream); p != nil {
		return p
	}
	var found *publisher
	for _, st := range c.server.stages {
		if p := st.publisher(stream); p != nil && (found == nil || st.name < found.stage.name) {
			found = p
		}
	}
	return found
}

// broadcast describes the stream. Metadata is null where there is none: pages parse anything
// else as JSON.
func (p *publisher) broadcast() object {
	b := object{
		"streamId": p.id, "name": p.name, "status": "broadcasting", "type": "liveStream",
		"metaData": nil,
	}
	if p.inRoom {
		b["mainTrackStreamId"] = p.stage.name
	}
	if p.meta != "" {
		b["metaData"] = p.meta
	}
	return b
}

func (c *client) subtracks(m message) {
	live := c.liveIn(m.StreamID)
	size := m.Size
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	from := min(max(m.Offset, 0), len(live))
	to := min(from+size, len(live))
	list := []string{}
	for _, id := range live[from:to] {
		list = append(list, jsonText(c.server.stages[m.StreamID].publishers[id].broadcast()))
	}
	o := notification(noticeSubtracks, m.StreamID)
	o["subtrackList"] = list
	c.send(o)
}

// updateMeta replaces the metadata of a stream of the caller's own.
func (c *client) updateMeta(m message) {
	if p := c.publisher(m.StreamID); p != nil && len(m.MetaData) <= maxMeta {
		p.meta = string(m.MetaData)
	}
}

func jsonText(o object) string {
	b, err := json.Marshal(o)
	if err != nil {
		return "{}" // strings, booleans and lists of strings always encode
	}
	return string(b)
}
