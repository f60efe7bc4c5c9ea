package antmedia

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/peerfleet/peerfleet/signaling"
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
	live := c.server.inRoom(m.Room)
	if len(live) == 0 {
		o := failure(defNoActiveStreams, m.StreamID)
		o["room"] = m.Room
		c.send(o)
		return
	}
	streams, list := listed(live, m.StreamID)
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
	case cmdGetStreamInfo:
		return c.streamInfo
	case cmdCountViewers:
		return func(m message) {
			o := notification(noticeViewerCount, m.StreamID)
			o["count"] = len(c.viewersOf(m.StreamID))
			c.send(o)
		}
	case cmdGetViewers:
		return c.subscribers
	case cmdGetDebugInfo:
		return c.debugInfo
	default:
		return nil
	}
}

func (c *client) liveIn(room string) []string { return c.server.stages[room].live() }

// broadcast describes a room or a published stream.
func (c *client) broadcast(m message) {
	b, ok := c.server.broadcast(m.StreamID, c.find(m.StreamID))
	if !ok {
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
	return c.server.find(stream)
}

// find looks a stream up in the room of its own name, then in all, of which the first by name
// counts. The mutex is held.
func (s *Server) find(stream string) *publisher {
	if p := s.stages[stream].publisher(stream); p != nil {
		return p
	}
	var found *publisher
	for _, st := range s.stages {
		if p := st.publisher(stream); p != nil && (found == nil || st.name < found.stage.name) {
			found = p
		}
	}
	return found
}

// pageOf is the part of n that a message asks for.
func pageOf(m message, n int) (from, to int) {
	size := m.Size
	if size <= 0 || size > maxPage {
		size = maxPage
	}
	from = min(max(m.Offset, 0), n)
	return from, min(from+size, n)
}

func (c *client) subtracks(m message) {
	live := c.liveIn(m.StreamID)
	from, to := pageOf(m, len(live))
	list := []string{}
	for _, id := range live[from:to] {
		list = append(list, jsonText(c.server.describe(c.server.stages[m.StreamID].publishers[id])))
	}
	o := notification(noticeSubtracks, m.StreamID)
	o["subtrackList"] = list
	c.send(o)
}

// listed are streams but one, as rooms list them.
func listed(live []*publisher, but string) (ids []string, list []object) {
	ids, list = []string{}, []object{}
	for _, p := range live {
		if p.id != but {
			ids = append(ids, p.id)
			list = append(list, object{"streamId": p.id, "streamName": p.name, "metaData": p.meta})
		}
	}
	return ids, list
}

// streamInfo tells what is known of a stream, or of every stream of a room.
func (c *client) streamInfo(m message) {
	asked := c.server.streamsOf(m.StreamID, c.find(m.StreamID))
	if len(asked) == 0 {
		o := failure(defNoStream, m.StreamID)
		o["error_code"] = "404"
		o["information"] = "stream_not_exist_or_not_streaming"
		c.send(o)
		return
	}
	gather(asked, func(all []signaling.StreamInfo) {
		list := []object{}
		for _, i := range all {
			list = append(list, object{
				"streamWidth": i.Width, "streamHeight": i.Height, "videoCodec": i.VideoCodec,
				"videoBitrate": int(i.VideoBPS), "audioBitrate": int(i.AudioBPS),
			})
		}
		c.locked(func() { c.send(object{"command": cmdStreamInfo, "streamId": m.StreamID, "streamInfo": list}) })
	})
}

// streamsOf are the live streams that an ID means: p, or else those of the room of that name. The
// mutex is held.
func (s *Server) streamsOf(id string, p *publisher) []*publisher {
	if p != nil {
		if !p.started {
			return nil
		}
		return []*publisher{p}
	}
	var all []*publisher
	for _, stream := range s.stages[id].live() {
		all = append(all, s.stages[id].publishers[stream])
	}
	return all
}

// gather asks the media of streams, each on its own goroutine, and calls done on the last of these
// with what they say, in order. It never does where a stream ends meanwhile or has too much to do.
func gather(asked []*publisher, done func([]signaling.StreamInfo)) {
	all := make([]signaling.StreamInfo, len(asked))
	var missing atomic.Int64
	missing.Store(int64(len(asked)))
	for i, p := range asked {
		_ = p.add(func(_ context.Context, in signaling.Ingress) {
			all[i] = in.Info()
			if missing.Add(-1) == 0 {
				done(all)
			}
		})
	}
}

func (c *client) locked(f func()) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	f()
}

func (c *client) viewersOf(id string) []*viewer {
	if st := c.server.stages[id]; st != nil {
		return st.viewers
	}
	return nil
}

// subscribers lists who plays a room or stream.
func (c *client) subscribers(m message) {
	all := c.viewersOf(m.StreamID)
	from, to := pageOf(m, len(all))
	list := []string{}
	for _, v := range all[from:to] {
		list = append(list, jsonText(object{
			"subscriberId": v.subscriber, "subscriberName": v.name, "streamId": v.id, "connected": v.connected,
			"currentConcurrentConnections": 1, "concurrentConnectionsLimit": 1,
		}))
	}
	o := notification(noticeViewers, m.StreamID)
	o["subscriberList"] = list
	c.send(o)
}

// debugInfo tells in words how a room or stream stands.
func (c *client) debugInfo(m message) {
	var b strings.Builder
	if p := c.find(m.StreamID); p != nil {
		fmt.Fprintf(&b, "stream %s: answered %v, connected %v, started %v\n", p.id, p.answered, p.connected, p.started)
	}
	if st := c.server.stages[m.StreamID]; st != nil {
		fmt.Fprintf(&b, "room %s: %d streams, %d viewers\n", st.name, len(st.live()), len(st.viewers))
	}
	if b.Len() == 0 {
		b.WriteString("unknown\n")
	}
	o := notification(noticeDebugInfo, m.StreamID)
	o["debugInfo"] = b.String()
	c.send(o)
}

// updateMeta replaces the metadata of a stream of the caller's own.
func (c *client) updateMeta(m message) {
	if p := c.publisher(m.StreamID); p != nil && len(m.MetaData) <= maxMeta {
		p.meta = string(m.MetaData)
	}
}

func jsonText(o any) string {
	b, err := json.Marshal(o)
	if err != nil {
		return "{}" // nothing that cannot be encoded is ever given
	}
	return string(b)
}
