package antmedia

import (
	"net/http"
	"slices"
	"strings"
)

// restAbout answers what is asked of one broadcast, or counts those that match a text: the two have
// paths of one shape.
func (s *Server) restAbout(r *http.Request) (any, error) {
	what := r.PathValue("what")
	if r.PathValue("id") == "count" {
		return s.countMatching(what), nil
	}
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	switch what {
	case "active-subtracks-count":
		live, err := s.restSubtracks(id)
		return number{len(live)}, err
	case "broadcast-statistics":
		return s.restStatistics(id)
	case "stream-info":
		return s.restStreamInfo(r.Context(), id)
	case "jwt-token", "token":
		return s.restToken(r, id)
	default:
		return nil, refusal(http.StatusNotFound, "%.80q is not known of a broadcast", what)
	}
}

func (s *Server) countMatching(search string) number {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, b := range s.broadcasts() {
		if b.matches("", search) {
			n++
		}
	}
	return number{n}
}

// restPage answers a part of a list of a broadcast's.
func (s *Server) restPage(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	switch r.PathValue("list") {
	case "subtracks", "active-subtracks": // those that are not live are not in the room
		list, err := s.restSubtracks(id)
		return paged(r, list, err)
	case "webrtc-client-stats":
		list, err := s.restViewers(id)
		return paged(r, list, err)
	default:
		return nil, refusal(http.StatusNotFound, "%.80q is no list of a broadcast", r.PathValue("list"))
	}
}

func paged[T any](r *http.Request, list []T, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	from, to, err := pageOfPath(r, len(list))
	if err != nil {
		return nil, err
	}
	return list[from:to], nil
}

// restSubtracks describes the streams of a room.
func (s *Server) restSubtracks(room string) ([]broadcast, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.broadcast(room, s.find(room)); !ok {
		return nil, unknown(room)
	}
	list := []broadcast{}
	for _, id := range s.stages[room].live() {
		if p := s.stages[room].publishers[id]; p.inRoom {
			list = append(list, s.describe(p))
		}
	}
	return list, nil
}

// restAddSubtrack has a stream belong to a room from its next publishing on, as one that names no
// room itself.
func (s *Server) restAddSubtrack(r *http.Request) (any, error) {
	room, stream, err := subtrack(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.broadcast(room, s.find(room)); !ok {
		return nil, unknown(room)
	}
	record := s.records[stream]
	switch {
	case record == nil && s.find(stream) == nil:
		return nil, unknown(stream)
	case s.find(stream) != nil:
		return nil, refusal(http.StatusConflict, "stream %q is live: it enters the room when it is published next", stream)
	}
	record.mainTrack = room
	return result{Success: true, DataID: stream}, nil
}

// restRemoveSubtrack has a stream belong to no room; one that is in it live is ended.
func (s *Server) restRemoveSubtrack(r *http.Request) (any, error) {
	room, stream, err := subtrack(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, record := s.stages[room].publisher(stream), s.records[stream]
	if p == nil && record.room() != room {
		return nil, refusal(http.StatusNotFound, "stream %q is not in room %q", stream, room)
	}
	if record != nil {
		record.mainTrack = ""
	}
	if p != nil {
		p.finish()
	}
	return result{Success: true, DataID: stream}, nil
}

func subtrack(r *http.Request) (room, stream string, err error) {
	if room, err = pathID(r); err != nil {
		return "", "", err
	}
	if stream = r.URL.Query().Get("id"); !validName(stream) {
		return "", "", refusal(http.StatusBadRequest, "id %.80q is no stream ID", stream)
	}
	return room, stream, nil
}

// restStop ends a stream, or every stream of a room.
func (s *Server) restStop(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	subtracks, err := flag(r, "stopSubtracks")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(id)
	if _, ok := s.broadcast(id, p); !ok {
		return nil, unknown(id)
	}
	stopped := 0
	if p != nil {
		p.finish()
		stopped++
	}
	if st := s.stages[id]; st != nil && subtracks {
		for _, stream := range st.live() {
			st.publishers[stream].finish()
			stopped++
		}
	}
	if stopped == 0 {
		return result{Message: "nothing is being published", DataID: id}, nil
	}
	return result{Success: true, DataID: id}, nil
}

// restSend sends a text to everybody who plays a stream or room, over their data channels.
func (s *Server) restSend(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	text, err := bodyText(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.broadcast(id, s.find(id)); !ok {
		return nil, unknown(id)
	}
	sent := 0
	if st := s.stages[id]; st != nil {
		for _, v := range st.viewers {
			if v.connected {
				v.notify(text)
				sent++
			}
		}
	}
	if sent == 0 {
		return result{Message: "nobody is connected", DataID: id}, nil
	}
	return result{Success: true, DataID: id}, nil
}

// finishViewers ends the viewings of a room that is no more. The mutex is held.
func (st *stage) finishViewers() {
	for _, v := range slices.Clone(st.viewers) {
		v.finish()
	}
}

// addressOf is the host of a network address as a socket tells it.
func addressOf(remote string) string {
	if i := strings.LastIndexByte(remote, ':'); i >= 0 {
		return strings.Trim(remote[:i], "[]")
	}
	return remote
}
