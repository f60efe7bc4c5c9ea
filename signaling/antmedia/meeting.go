package antmedia

import (
	"fmt"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/signaling"
)

// meeting is a room entered with join, whose members talk directly: two of them, or a mesh.
// The server's mutex guards it, its seats and their links.
//
// The protocol itself knows only pairs. A mesh is our extension behind the same command: every
// member sees each other member under an ID of its own, "<room>_<member>", which it never asked
// for but which clients accept; the server rewrites the IDs between them.
type meeting struct {
	server *Server
	name   string
	mesh   bool
	limit  int
	seats  []*seat // in order of joining
}

// seat is a client's membership of a meeting.
type seat struct {
	client  *client
	meeting *meeting
	name    string // unique in the meeting
	told    string // the name the client gave itself; may be empty
	pairs   map[*seat]*pairing
	hadPeer bool
}

// pairing is the negotiation between two seats, from one's join to one's leave.
type pairing struct {
	pending *seat // whose offer waits for an answer
	spoke   map[*seat]bool
}

// join seats a client. Those already there are told to offer to it.
func (c *client) join(m message) {
	s := c.server
	if c.seats[m.StreamID] != nil {
		c.send(notification(noticeJoined, m.StreamID))
		return
	}
	if !c.permittedToJoin(m) {
		return
	}
	room := s.meetings[m.StreamID]
	if c.full() {
		c.refuse(defHighResourceUsage, m.StreamID)
		return
	}
	if room == nil {
		if s.roomsFull() {
			c.refuse(defHighResourceUsage, m.StreamID)
			return
		}
		room = s.newMeeting(m.StreamID)
	}
	name := string(m.StreamName)
	room.evictStale(name)
	if len(room.seats) >= room.limit {
		c.send(room.full())
		return
	}
	if room.clashes(c) {
		c.refuse(defStreamIDInUse, m.StreamID)
		return
	}
	c.sessions = true
	room.seat(c, name)
}

func (s *Server) newMeeting(name string) *meeting {
	limit, mesh := s.config.Topology(name)
	switch {
	case !mesh:
		limit = 2
	case limit == 0:
		limit = s.config.MeshLimit
	}
	return &meeting{server: s, name: name, mesh: mesh, limit: limit}
}

// evictStale frees the seats of clients that have died unnoticed, where they are in the way of
// somebody who joins under a name.
func (r *meeting) evictStale(name string) {
	for _, seat := range slices.Clone(r.seats) {
		inWay := len(r.seats) >= r.limit || (name != "" && seat.told == name)
		if inWay && seat.client.stale() {
			seat.client.evict()
		}
	}
}

func (r *meeting) full() object {
	o := failure(defNoSpace, r.name)
	if r.mesh {
		o["information"] = fmt.Sprintf(
			"a mesh of more than %d peers overloads their uplinks; publish and play the room as a conference instead", r.limit)
	}
	return o
}

func (r *meeting) seat(c *client, told string) {
	joined := &seat{client: c, meeting: r, name: r.freeName(told), told: told, pairs: map[*seat]*pairing{}}
	c.seats[r.name] = joined
	r.server.meetings[r.name] = r
	strict := r.server.config.Strict
	if !strict {
		c.send(notification(noticeJoined, r.name))
	}
	for _, other := range r.seats {
		p := &pairing{spoke: map[*seat]bool{}}
		joined.pairs[other], other.pairs[joined] = p, p
		joined.hadPeer, other.hadPeer = true, true
		start := object{"command": cmdStart, "streamId": other.idOf(joined), "subscriberId": ""}
		other.client.send(joined.sign(start))
	}
	if strict { // it tells the other first
		c.send(notification(noticeJoined, r.name))
	}
	r.seats = append(r.seats, joined)
}

// clashes tells whether an ID that the room brings means something else to a client already: a
// member of one mesh can have the ID of another mesh's, or of a room.
func (r *meeting) clashes(c *client) bool {
	return c.knows(r.name) || slices.ContainsFunc(r.seats, func(s *seat) bool { return c.knows(r.idOf(s.name)) })
}

// knows tells whether an ID is that of a room the client is in, or of a member of one.
func (c *client) knows(id string) bool {
	if c.seats[id] != nil {
		return true
	}
	for _, s := range c.seats {
		for other := range s.pairs {
			if s.idOf(other) == id {
				return true
			}
		}
	}
	return false
}

// freeName is the name a member is known by: its own where that is possible, which is where it
// is new to everybody here.
func (r *meeting) freeName(told string) string {
	taken := func(name string) bool {
		return slices.ContainsFunc(r.seats, func(s *seat) bool {
			return s.name == name || r.mesh && s.client.knows(r.idOf(name))
		})
	}
	name := told
	for !validName(name) || taken(name) {
		name = r.server.nextName()
	}
	return name
}

func (r *meeting) snapshot() Room {
	room := Room{Name: r.name, Topology: signaling.TopologyP2P}
	if r.mesh {
		room.Topology = signaling.TopologyMesh
	}
	for _, s := range r.seats {
		room.Members = append(room.Members, s.name)
	}
	return room
}

// idOf is the ID under which this seat's client knows another.
func (s *seat) idOf(other *seat) string { return s.meeting.idOf(other.name) }

func (r *meeting) idOf(member string) string {
	if r.mesh {
		return r.name + "_" + member
	}
	return r.name
}

// sign adds the sender's own name to a message for another: an extension that the SDK ignores.
func (s *seat) sign(o object) object {
	if !s.meeting.server.config.Strict && s.told != "" {
		o["streamName"] = s.told
	}
	return o
}

// leave frees the seat. A mesh member is told to stop each of its pairs, since the SDK closes
// by itself only the connection that is named like the room.
func (s *seat) leave() {
	r := s.meeting
	delete(s.client.seats, r.name)
	r.seats = slices.DeleteFunc(r.seats, func(o *seat) bool { return o == s })
	if len(r.seats) == 0 && r.server.meetings[r.name] == r {
		delete(r.server.meetings, r.name)
	}
	for _, other := range r.seats {
		delete(other.pairs, s)
		other.client.send(object{"command": cmdStop, "streamId": other.idOf(s)})
		if r.mesh || r.server.config.Strict {
			s.client.send(object{"command": cmdStop, "streamId": s.idOf(other)})
		}
	}
}

func (c *client) leave(m message) {
	seat := c.seats[m.StreamID]
	if seat == nil {
		return
	}
	seat.leave()
	c.send(notification(noticeLeft, m.StreamID))
}

// pair finds the client's seat and the peer that an ID means. seated tells whether the ID
// belongs to a room the client is in at all.
func (c *client) pair(id string) (from, to *seat, seated bool) {
	if s := c.seats[id]; s != nil {
		if !s.meeting.mesh {
			for other := range s.pairs {
				to = other
			}
		}
		return s, to, true
	}
	for _, s := range c.seats {
		if !s.meeting.mesh || !strings.HasPrefix(id, s.meeting.name+"_") {
			continue
		}
		for other := range s.pairs {
			if s.idOf(other) == id {
				return s, other, true
			}
		}
		from, seated = s, true
	}
	return from, nil, seated
}

// relayDescription passes an offer or answer on. An answer without an offer, and an offer
// against the other's open one, are left-overs of an earlier pairing and are dropped.
func (s *seat) relayDescription(to *seat, m message) {
	p := s.pairs[to]
	switch {
	case m.Type == typeOffer && p.pending != to:
		p.pending = s
	case m.Type == typeAnswer && p.pending == to:
		p.pending = nil
	default:
		return
	}
	p.spoke[s] = true
	id := to.idOf(s)
	labels := labelsOf(m.SDP, id)
	if s.meeting.server.config.Strict {
		labels = nil
	}
	to.client.send(s.sign(description(m.Type, id, m.SDP, labels)))
}

// relayCandidate passes a candidate on. One that comes before its sender's description belongs
// to an earlier pairing.
func (s *seat) relayCandidate(to *seat, m message) {
	if s.pairs[to].spoke[s] {
		to.client.send(candidate(to.idOf(s), m.Candidate, m.MID, m.Label))
	}
}

// peerMessage relays a message as it is: to the peer the ID names, or to every peer of a mesh.
func (c *client) peerMessage(m message) {
	from, to, seated := c.pair(m.StreamID)
	switch {
	case to != nil:
		from.relayMessage(to, m)
	case seated && m.StreamID == from.meeting.name && from.meeting.mesh:
		for _, other := range from.meeting.seats {
			if other != from {
				from.relayMessage(other, m)
			}
		}
	case seated && !from.hadPeer, !seated && !c.sessions:
		c.refuse(defNoPeer, m.StreamID)
	}
}

func (s *seat) relayMessage(to *seat, m message) {
	o := object{"command": cmdPeerMessage, "streamId": to.idOf(s), "definition": m.Definition}
	if m.Data != nil {
		o["data"] = m.Data
	}
	to.client.send(o)
}
