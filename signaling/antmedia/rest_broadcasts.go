package antmedia

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

// broadcastFields are what a client may set; what is missing stays as it is.
type broadcastFields struct {
	StreamID      *string `json:"streamId"`
	Type          *string `json:"type"`
	Name          *string `json:"name"`
	Description   *string `json:"description"`
	MetaData      *string `json:"metaData"`
	MainTrack     *string `json:"mainTrackStreamId"`
	StreamLimit   *int    `json:"subtracksLimit"`
	ViewerLimit   *int    `json:"webRTCViewerLimit"`
	PlannedStart  *int64  `json:"plannedStartDate"`
	PlannedFinish *int64  `json:"plannedEndDate"`
}

// check tells the first field that cannot be kept.
func (f broadcastFields) check() error {
	for name, text := range map[string]*string{"name": f.Name, "description": f.Description, "type": f.Type} {
		if text != nil && len(*text) > maxName {
			return refusal(http.StatusBadRequest, "%s is longer than %d bytes", name, maxName)
		}
	}
	switch {
	case f.MetaData != nil && len(*f.MetaData) > maxMeta:
		return refusal(http.StatusBadRequest, "metaData is longer than %d bytes", maxMeta)
	case f.MainTrack != nil && *f.MainTrack != "" && !validName(*f.MainTrack):
		return refusal(http.StatusBadRequest, "mainTrackStreamId %.80q is no stream ID", *f.MainTrack)
	}
	return nil
}

// apply writes the fields into a record.
func (f broadcastFields) apply(r *record) {
	set(&r.kind, f.Type)
	set(&r.name, f.Name)
	set(&r.description, f.Description)
	set(&r.meta, f.MetaData)
	set(&r.mainTrack, f.MainTrack)
	set(&r.streamLimit, f.StreamLimit)
	set(&r.viewerLimit, f.ViewerLimit)
	set(&r.from, f.PlannedStart)
	set(&r.until, f.PlannedFinish)
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Server) restCreate(r *http.Request) (any, error) {
	var f broadcastFields
	if err := body(r, &f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	id := rand.Text()
	if f.StreamID != nil && *f.StreamID != "" {
		id = *f.StreamID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, exists := s.broadcast(id, s.find(id))
	switch {
	case !validName(id):
		return nil, refusal(http.StatusBadRequest, "%.80q is no stream ID", id)
	case exists:
		return nil, refusal(http.StatusBadRequest, "stream ID %q is in use", id)
	case len(s.records) >= s.config.MaxRooms:
		return nil, refusal(http.StatusServiceUnavailable, "there are %d broadcasts already", len(s.records))
	}
	record := s.newRecord(id)
	f.apply(record)
	b, _ := s.broadcast(id, nil)
	return b, nil
}

func (s *Server) newRecord(id string) *record {
	r := &record{id: id, kind: "liveStream", created: time.Now()}
	s.records[id] = r
	return r
}

func (s *Server) restGet(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	b, ok := s.broadcast(id, s.find(id))
	var asked []*publisher
	if ok && b.PublishType != "" {
		asked = s.streamsOf(id, s.find(id))
	}
	s.mu.Unlock()
	if !ok {
		return nil, unknown(id)
	}
	for _, i := range s.infos(r.Context(), asked) {
		b.Width, b.Height, b.BitrateBPS = i.Width, i.Height, int(i.VideoBPS+i.AudioBPS)
	}
	return b, nil
}

// restUpdate changes what is known of a broadcast, and of its stream where that is live.
func (s *Server) restUpdate(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	var f broadcastFields
	if err := body(r, &f); err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.find(id)
	if _, ok := s.broadcast(id, p); !ok {
		return nil, unknown(id)
	}
	record := s.records[id]
	if record == nil {
		record = s.newRecord(id)
		record.began, record.passing = true, true
	}
	f.apply(record)
	if p != nil {
		set(&p.name, f.Name)
		set(&p.meta, f.MetaData)
	}
	return result{Success: true, DataID: id}, nil
}

func (s *Server) restDelete(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	subtracks, err := flag(r, "deleteSubtracks")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.remove(id, subtracks) {
		return nil, unknown(id)
	}
	return result{Success: true, DataID: id}, nil
}

// restDeleteAll deletes the broadcasts that ids names; those that are unknown are told.
func (s *Server) restDeleteAll(r *http.Request) (any, error) {
	ids := strings.FieldsFunc(r.URL.Query().Get("ids"), func(c rune) bool { return c == ',' })
	if len(ids) == 0 || len(ids) > maxPage {
		return nil, refusal(http.StatusBadRequest, "ids names 1 to %d broadcasts, with commas between", maxPage)
	}
	subtracks, err := flag(r, "deleteSubtracks")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var missing []string
	for _, id := range ids {
		if !s.remove(id, subtracks) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return result{Message: "there are no broadcasts " + strings.Join(missing, ", "), DataID: strings.Join(missing, ",")}, nil
	}
	return result{Success: true}, nil
}

// remove ends and forgets a broadcast, and tells whether there was one. The mutex is held.
func (s *Server) remove(id string, subtracks bool) bool {
	p := s.find(id)
	_, ok := s.broadcast(id, p)
	delete(s.records, id)
	if p != nil {
		p.finish()
	}
	st := s.stages[id]
	if st == nil {
		return ok
	}
	if subtracks {
		for _, stream := range inOrder(st.publishers) {
			if p := st.publisher(stream); p != nil {
				delete(s.records, stream)
				p.finish()
			}
		}
		st.finishViewers()
	}
	return ok
}

func (s *Server) restList(r *http.Request) (any, error) {
	q := r.URL.Query()
	s.mu.Lock()
	all := s.broadcasts()
	s.mu.Unlock()
	list := make([]broadcast, 0, len(all))
	for _, b := range all {
		if b.matches(q.Get("type_by"), q.Get("search")) {
			list = append(list, b)
		}
	}
	arrange(list, q.Get("sort_by"), q.Get("order_by"))
	from, to, err := pageOfPath(r, len(list))
	if err != nil {
		return nil, err
	}
	return list[from:to], nil
}

// number is a count as REST tells it.
type number struct {
	Number int `json:"number"`
}

func (s *Server) restCount(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return number{len(s.broadcasts())}, nil
}

func (s *Server) restCountLive(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return number{s.countLive()}, nil
}

// countLive counts the streams that are being published. The mutex is held.
func (s *Server) countLive() int {
	n := 0
	for _, st := range s.stages {
		n += len(st.live())
	}
	return n
}
