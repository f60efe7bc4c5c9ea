package scenarios

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// Plan decides everything a run with this seed will do; a scenario's own is s.Seed. It is pure:
// equal arguments give equal plans, which share nothing that changes.
func (s *Scenario) Plan(seed uint64) Plan {
	p := Plan{
		Name: s.Name, Description: s.Description, SHA256: s.SHA256, Source: s.Source, Seed: seed,
		Clock: s.Clock, Network: s.Network, Target: s.Target, Thresholds: slices.Clone(s.Thresholds),
	}
	for _, m := range s.models {
		for repeat := range s.Repeat {
			p.Cells = append(p.Cells, m.cell(seed, repeat))
		}
	}
	return p
}

// derive makes the seed of a part from the seed of the whole and the part's name, so that no
// part depends on how many others there are.
func derive(seed uint64, parts ...string) uint64 {
	h := fnv.New64a()
	h.Write(binary.LittleEndian.AppendUint64(nil, seed)) // hash.Hash never returns an error
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	// FNV leaves near names with near sums; the finalizer of splitmix64 spreads them.
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (m *model) cell(seed uint64, repeat int) Cell {
	c := Cell{
		ID: m.id, Vary: maps.Clone(m.vary), Repeat: repeat, Seed: derive(seed, "cell", m.id, strconv.Itoa(repeat)),
		Warmup: m.warmup, Duration: m.duration, JoinTimeout: m.joinTimeout, AllowFailed: m.allowFailed, Server: m.server,
	}
	c.Server.TURN.Transports, c.Server.TURN.URLs = slices.Clone(m.server.TURN.Transports), slices.Clone(m.server.TURN.URLs)
	c.Rooms = m.roomList()
	for i := range m.groups {
		c.Peers = m.groups[i].appendPeers(c.Peers, c.Seed, m.server.TURN.RelayWait)
	}
	order := m.joinOrder(c.Peers)
	dues(c.Peers, order)
	c.Actions = m.actionList(c.Peers, order)
	c.Expected = m.expected(c.Peers)
	return c
}

// roomName is the name of a group's room. The dot keeps the rooms of a group apart from its
// peers, whose names never have one.
func (g *group) roomName(i int) string {
	if g.rooms == 1 {
		return g.room
	}
	return g.room + "." + strconv.Itoa(i)
}

func (m *model) roomList() []Room {
	var rooms []Room
	seen := map[string]bool{}
	for i := range m.groups {
		g := &m.groups[i]
		if seen[g.room] {
			continue
		}
		seen[g.room] = true
		for r := range g.rooms {
			rooms = append(rooms, Room{Name: g.roomName(r), Topology: g.topology})
		}
	}
	return rooms
}

// appendPeers adds the peers of a group, room by room.
func (g *group) appendPeers(peers []Peer, seed uint64, relayWait *time.Duration) []Peer {
	wait := time.Second // a direct path shall win
	if g.relayOnly {
		wait = 0
	}
	if relayWait != nil {
		wait = *relayWait
	}
	times := g.join.times(g.size(), derive(seed, "join", g.name))
	peers = slices.Grow(peers, g.size())
	for i := range g.size() {
		name := g.name + "-" + strconv.Itoa(i)
		p := Peer{
			Index: len(peers), Name: name, Group: g.name, Room: g.roomName(i / g.count), Topology: g.topology,
			Up: g.link.up, Down: g.link.down, Gateway: g.link.gateway, Firewall: g.link.firewall,
			RelayOnly: g.relayOnly, RelayWait: wait, Receive: g.receive, Data: g.data,
			Seed: derive(seed, "peer", name), JoinAt: times[i],
		}
		for slot, s := range g.publish {
			p.Publish = append(p.Publish, Published{ID: streamID(name, s.name, slot), Media: s.name, Stream: s.Stream})
		}
		peers = append(peers, p)
	}
	return peers
}

// times are the intended starts of n peers. Only poisson needs the seed.
func (s schedule) times(n int, seed uint64) []time.Duration {
	times := make([]time.Duration, n)
	random := rand.New(rand.NewPCG(seed, 0))
	var at float64
	for i := range times {
		switch s.kind {
		case "at":
			times[i] = s.after
		case "every":
			times[i] = time.Duration(i) * s.after
		case "over":
			times[i] = time.Duration(float64(s.after) * float64(i) / float64(n))
		case "rate":
			times[i] = time.Duration(float64(i) / s.rate * float64(time.Second))
		case "poisson":
			at += random.ExpFloat64() / s.rate
			times[i] = time.Duration(at * float64(time.Second))
		}
	}
	return times
}

// joinOrder lists the indexes of each room's peers as they join: by intended start, at one time
// by index.
func (m *model) joinOrder(peers []Peer) map[string][]int {
	order := map[string][]int{}
	for i := range peers {
		order[peers[i].Room] = append(order[peers[i].Room], i)
	}
	for _, list := range order {
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(peers[a].JoinAt, peers[b].JoinAt) })
	}
	return order
}

// dues fills in what must arrive for each join to count. The streams of a room stand in one list
// in the order of joining, of which every peer's share is a prefix: a large room costs no more
// than its streams.
func dues(peers []Peer, order map[string][]int) {
	for _, members := range order {
		var streams []Due
		var starts []time.Duration // when the publisher of each stream joins
		for _, i := range members {
			for _, s := range peers[i].Publish {
				streams = append(streams, Due{Stream: s.ID, Audio: s.Audio != nil, Video: s.Video != nil})
				starts = append(starts, peers[i].JoinAt)
			}
		}
		before := 0
		for _, i := range members {
			p := &peers[i]
			p.DueFrom = p.JoinAt
			own := len(p.Publish)
			switch {
			case !p.Receive:
			case before > 0:
				p.Due = streams[:before:before]
			default:
				p.Due, p.DueFrom = nextPublisher(streams[own:], starts[own:], p.JoinAt)
			}
			before += own
		}
	}
}

// nextPublisher is what the first in a room waits for: the streams of the next who publishes.
func nextPublisher(streams []Due, starts []time.Duration, from time.Duration) ([]Due, time.Duration) {
	if len(streams) == 0 {
		return nil, from
	}
	n := 1
	for n < len(streams) && samePeer(streams[0].Stream, streams[n].Stream) {
		n++
	}
	return streams[:n:n], max(from, starts[0])
}

// samePeer tells whether b is a further stream of the peer whose first stream is a.
func samePeer(a, b string) bool { return len(b) > len(a) && b[:len(a)] == a && b[len(a)] == '_' }

// actionList resolves actions to peers and what a rejoining peer must receive again. At one time
// actions come in the order of groups, their lists and peers; rejoins come after all others.
func (m *model) actionList(peers []Peer, order map[string][]int) []Action {
	type planned struct {
		Action
		stream  stream
		group   *group
		ordinal int
	}
	var list []planned
	courses := make([]course, len(peers))
	base := 0
	for gi := range m.groups {
		g := &m.groups[gi]
		for i := range g.size() {
			courses[base+i] = newCourse(g)
		}
		for _, a := range g.ordered() {
			for i := range a.peers {
				p := &peers[base+i]
				r := Action{At: a.at, Peer: p.Index, Kind: a.kind, Track: a.track, Link: a.link, Up: a.to.up, Down: a.to.down}
				if a.stream.name != "" {
					slot := slices.Index(g.slots, a.stream.name)
					r.Publish = Published{ID: streamID(p.Name, a.stream.name, slot), Media: a.stream.name, Stream: a.stream.Stream}
				}
				list = append(list, planned{r, a.stream, g, len(list)})
			}
		}
		base += g.size()
	}
	slices.SortStableFunc(list, func(a, b planned) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(rejoins(a.Kind), rejoins(b.Kind)), cmp.Compare(a.ordinal, b.ordinal))
	})
	out := make([]Action, 0, len(list))
	owner := m.owners()
	for _, a := range list {
		p := &peers[a.Peer]
		if a.Kind == Rejoin && p.Receive {
			a.Due = m.present(order[p.Room], peers, courses, owner, a.Peer)
		}
		courses[a.Peer].do(action{at: a.At, kind: a.Kind, track: a.Track, stream: a.stream}, a.group) // valid: it was checked
		out = append(out, a.Action)
	}
	return out
}

func rejoins(k ActionKind) int {
	if k == Rejoin {
		return 1
	}
	return 0
}

// owners is the group of each peer.
func (m *model) owners() []*group {
	var list []*group
	for i := range m.groups {
		for range m.groups[i].size() {
			list = append(list, &m.groups[i])
		}
	}
	return list
}

// present are the streams that flow in a room, but those of one peer. Muted halves do not flow.
func (m *model) present(members []int, peers []Peer, courses []course, owner []*group, but int) []Due {
	var list []Due
	for _, i := range members {
		c := &courses[i]
		if i == but || c.away {
			continue
		}
		for _, name := range c.published {
			s := owner[i].stream(name)
			d := Due{
				Stream: streamID(peers[i].Name, name, slices.Index(owner[i].slots, name)),
				Audio:  s.Audio != nil && !c.muted[0], Video: s.Video != nil && !c.muted[1],
			}
			if d.Audio || d.Video {
				list = append(list, d)
			}
		}
	}
	return list
}
