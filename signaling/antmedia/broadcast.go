package antmedia

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// The states of a broadcast that this server knows.
const (
	statusCreated   = "created"
	statusPreparing = "preparing"
	statusLive      = "broadcasting"
	statusFinished  = "finished"
)

// broadcast is a stream or a room as getBroadcastObject and REST tell it: those of Ant Media's
// fields that are known here.
type broadcast struct {
	StreamID       string    `json:"streamId"`
	Name           string    `json:"name"`
	Description    string    `json:"description,omitempty"`
	Status         string    `json:"status"`
	Type           string    `json:"type"`
	PublishType    string    `json:"publishType,omitempty"`
	Virtual        bool      `json:"virtual"` // a room
	Zombi          bool      `json:"zombi"`   // gone with its use; the spelling is the protocol's
	MainTrack      string    `json:"mainTrackStreamId,omitempty"`
	Subtracks      *[]string `json:"subTrackStreamIds,omitempty"` // of a room, be it empty: pages iterate it unasked
	MetaData       *string   `json:"metaData"`                    // null where there is none: pages parse anything else
	Date           int64     `json:"date,omitempty"`              // of its creation, in ms of Unix time
	StartTime      int64     `json:"startTime,omitempty"`         // of its media, in the same
	Duration       int64     `json:"duration,omitempty"`          // ms
	PlannedStart   int64     `json:"plannedStartDate,omitempty"`  // Unix seconds
	PlannedEnd     int64     `json:"plannedEndDate,omitempty"`
	SubtracksLimit int       `json:"subtracksLimit"` // -1: none
	ViewerLimit    int       `json:"webRTCViewerLimit"`
	ViewerCount    int       `json:"webRTCViewerCount"`
	RemoteIP       string    `json:"remoteIp,omitempty"`
	Width          int       `json:"width,omitempty"`
	Height         int       `json:"height,omitempty"`
	BitrateBPS     int       `json:"bitrate,omitempty"`
}

// broadcast describes what is known by an ID: a live stream p, a room, a record, each of which may
// be missing. A room comes before a stream in another room. ok is false where there is nothing.
func (s *Server) broadcast(id string, p *publisher) (b broadcast, ok bool) {
	st, r := s.stages[id], s.records[id]
	switch {
	case p != nil && (st == nil || !p.inRoom):
		return s.describe(p), true
	case st != nil:
		b = s.outline(id)
		b.fromRoom(st)
		return b, true
	default:
		return s.outline(id), r != nil
	}
}

// describe describes a live stream.
func (s *Server) describe(p *publisher) broadcast {
	b := s.outline(p.id)
	b.fromStream(p)
	return b
}

// outline is what does not depend on anything being live.
func (s *Server) outline(id string) broadcast {
	r := s.records[id]
	b := broadcast{
		StreamID: id, Status: statusCreated, Type: "liveStream", Zombi: r == nil || r.passing,
		SubtracksLimit: cmp.Or(s.streamLimit(id), -1), ViewerLimit: cmp.Or(s.viewerLimit(id), -1),
	}
	if r != nil {
		b.fromRecord(r)
	}
	if st := s.stages[id]; st != nil {
		b.ViewerCount = len(st.viewers)
	}
	return b
}

func (b *broadcast) fromRecord(r *record) {
	b.Name, b.Description, b.Type, b.MainTrack = r.name, r.description, r.kind, r.mainTrack
	b.Date, b.PlannedStart, b.PlannedEnd = r.created.UnixMilli(), r.from, r.until
	b.setMeta(r.meta)
	if r.began {
		b.Status = statusFinished
	}
}

func (b *broadcast) fromStream(p *publisher) {
	b.Status, b.PublishType, b.Name = statusPreparing, "WebRTC", p.name
	if p.started {
		b.Status = statusLive
	}
	b.RemoteIP = addressOf(p.client.remote)
	b.setMeta(p.meta)
	if p.inRoom {
		b.MainTrack = p.stage.name
	}
	b.begin(p.since)
}

func (b *broadcast) fromRoom(st *stage) {
	live := append([]string{}, st.live()...)
	b.Virtual, b.Subtracks = true, &live
	if len(live) > 0 {
		b.Status = statusLive
	}
	var first time.Time
	for _, id := range live {
		if since := st.publishers[id].since; first.IsZero() || since.Before(first) {
			first = since
		}
	}
	b.begin(first)
}

func (b *broadcast) begin(since time.Time) {
	if !since.IsZero() {
		b.StartTime, b.Duration = since.UnixMilli(), time.Since(since).Milliseconds()
		b.Date = cmp.Or(b.Date, b.StartTime)
	}
}

func (b *broadcast) setMeta(meta string) {
	b.MetaData = nil
	if meta != "" {
		b.MetaData = &meta
	}
}

// broadcasts lists everything that is live or has a record, by ID.
func (s *Server) broadcasts() []broadcast {
	known := map[string]*publisher{}
	for id := range s.records {
		known[id] = nil
	}
	for name, st := range s.stages {
		if _, ok := known[name]; !ok {
			known[name] = nil // a room is one even when nobody publishes
		}
		for _, id := range st.live() {
			if old := known[id]; old == nil || name == id || old.stage.name != id && name < old.stage.name {
				known[id] = st.publishers[id]
			}
		}
	}
	list := make([]broadcast, 0, len(known))
	for _, id := range inOrder(known) {
		if b, ok := s.broadcast(id, known[id]); ok {
			list = append(list, b)
		}
	}
	return list
}

// matches tells whether a broadcast is what somebody looks for.
func (b broadcast) matches(kind, search string) bool {
	search = strings.ToLower(search)
	return (kind == "" || b.Type == kind) &&
		(strings.Contains(strings.ToLower(b.StreamID), search) || strings.Contains(strings.ToLower(b.Name), search))
}

// arrange orders broadcasts by a field of theirs; without one they stay as they are, by ID.
func arrange(list []broadcast, by, order string) {
	var compare func(a, b broadcast) int
	switch by {
	case "name":
		compare = func(a, b broadcast) int { return strings.Compare(a.Name, b.Name) }
	case "date":
		compare = func(a, b broadcast) int { return cmp.Compare(a.Date, b.Date) }
	case "status":
		compare = func(a, b broadcast) int { return strings.Compare(a.Status, b.Status) }
	default:
		return
	}
	sign := 1
	if order == "desc" {
		sign = -1
	}
	slices.SortStableFunc(list, func(a, b broadcast) int { return sign * compare(a, b) })
}
