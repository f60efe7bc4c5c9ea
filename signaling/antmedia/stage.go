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

// tidy forgets the stage when nobody is left.
func (st *stage) tidy() {
	if len(st.publishers) == 0 && len(st.viewers) == 0 && st.server.stages[st.name] == st {
		delete(st.server.stages, st.name)
	}
}

// live lists the streams that are being published, in order.
func (st *stage) live() []string {
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
