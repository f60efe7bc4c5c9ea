package antmedia

// stage is a room whose media goes through the server: the protocol's main track. The server's
// mutex guards it.
type stage struct {
	server     *Server
	name       string
	publishers map[string]*publisher // by stream ID; one that has ended stays until its media is closed
	viewers    []*viewer             // in order of coming
}

func (s *Server) stage(name string) *stage {
	st := s.stages[name]
	if st == nil {
		st = &stage{server: s, name: name, publishers: map[string]*publisher{}}
		s.stages[name] = st
	}
	return st
}

// publisher finds a stream that has not ended. A stage that is nil has none.
func (st *stage) publisher(id string) *publisher {
	if st == nil {
		return nil
	}
	if p := st.publishers[id]; p != nil && !p.ended {
		return p
	}
	return nil
}

// streamsFull tells whether a further stream is above the limit. One that takes an old one's place
// is none. A stage that is nil is empty; a limit below one is none.
func (st *stage) streamsFull(limit int, stream string) bool {
	if st == nil || limit < 1 || st.publisher(stream) != nil {
		return false
	}
	n := 0
	for _, p := range st.publishers {
		if !p.ended {
			n++
		}
	}
	return n >= limit
}

func (st *stage) viewersFull(limit int) bool {
	return st != nil && limit > 0 && len(st.viewers) >= limit
}

// tidy forgets the stage when nobody is left.
func (st *stage) tidy() {
	if len(st.publishers) == 0 && len(st.viewers) == 0 && st.server.stages[st.name] == st {
		delete(st.server.stages, st.name)
		st.server.forgetPassing(st.name)
	}
}

// live lists the streams that are being published, in order. A stage that is nil has none.
func (st *stage) live() []string {
	if st == nil {
		return nil
	}
	var ids []string
	for _, id := range inOrder(st.publishers) {
		if p := st.publishers[id]; p.started && !p.ended {
			ids = append(ids, id)
		}
	}
	return ids
}

// event is a message of the server on a viewer's data channel.
func event(kind, id string) string {
	return jsonText(object{"command": "event", "eventType": kind, "streamId": id})
}

// announce tells the viewers that a stream has come or gone, by message and on the data channel:
// older clients look at one, newer ones at the other.
func (st *stage) announce(definition, stream string) {
	for _, v := range st.viewers {
		if v.exclude == stream {
			continue
		}
		o := notification(definition, v.id)
		o["trackId"] = stream
		v.client.send(o)
		if v.connected {
			v.notify(event("TRACK_LIST_UPDATED", v.id))
		}
	}
}
