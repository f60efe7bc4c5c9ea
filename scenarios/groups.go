package scenarios

import (
	"regexp"
	"strconv"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// The limits of a plan. They keep a slip of the finger from filling the machine's memory.
const (
	maxStreams = 10_000_000 // received tracks of a cell
	maxActions = 1_000_000  // of a plan
	maxJoining = day
)

func (b *builder) buildGroups() {
	v := b.root.child("peers")
	if v == nil {
		return
	}
	for _, name := range v.names {
		b.groups = append(b.groups, b.group(name, v.child(name)))
	}
}

func (b *builder) group(name string, v *value) group {
	g := group{name: name, at: v, count: 2, rooms: 1, room: name, topology: "conference", receive: true, sound: true}
	g.link, g.placed = link{firewall: nat.Open}, !v.has("link")
	for _, k := range []string{"count", "rooms", "topology", "room"} {
		g.sound = g.sound && (!v.has(k) || v.child(k) != nil)
	}
	if w := v.child("count"); w != nil {
		g.count = int(w.whole)
	}
	if w := v.child("rooms"); w != nil {
		g.rooms = int(w.whole)
	}
	if w := v.child("room"); w != nil {
		g.room, g.shared = w.text, true
	}
	if w := v.child("topology"); w != nil {
		g.topology = w.text
	}
	if w := v.child("receive"); w != nil {
		g.receive = w.text == "all"
	}
	if w := v.child("ice"); w != nil {
		g.relayOnly = w.text == "relay"
		if g.relayOnly && !b.server.TURN.Enabled {
			b.at(w.place, "ice: relay needs a TURN server, and server.turn.enabled is false")
		}
	}
	if w := v.child("link"); w != nil {
		if l, ok := b.linkNamed(w); ok {
			g.link, g.placed = l, true
		}
	}
	b.publishing(&g)
	b.dataAndJoin(&g)
	for _, w := range listOfValue(v.child("actions")) {
		b.action(&g, w)
	}
	g.slots = g.slotNames()
	return g
}

func (b *builder) publishing(g *group) {
	if !g.at.has("publish") {
		if m, ok := b.media["camera"]; ok {
			g.publish = []stream{{"camera", m}}
		}
		return
	}
	for i, w := range listOfValue(g.at.child("publish")) {
		if s, ok := b.streamNamed(w); ok {
			g.publish = append(g.publish, s)
			if i >= 2 && s.name == "presentation" {
				b.at(w.place, "media named presentation stands first or second; its stream's name is a second one's")
			}
		}
	}
}

func (b *builder) dataAndJoin(g *group) {
	if d := g.at.child("data"); d != nil && d.child("rate") != nil {
		g.data = Data{Rate: d.child("rate").real, Size: 100}
		if w := d.child("size"); w != nil {
			g.data.Size = int(w.whole)
		}
	}
	g.join = schedule{kind: "every", after: 250 * time.Millisecond}
	j := g.at.child("join")
	if j == nil {
		return
	}
	if len(j.node.entries) != 1 {
		b.at(j.place, "join takes exactly one of every, at, over, rate, poisson")
		return
	}
	for k, w := range j.keys {
		g.join = schedule{kind: k, after: w.time, rate: w.real}
	}
	if last := g.join.last(g.size()); g.sound && last > maxJoining {
		b.at(j.place, "the last of %d peers would join after more than a day; shorten join", g.size())
	}
}

func (b *builder) action(g *group, v *value) {
	do := v.child("do")
	if do == nil {
		return
	}
	a := action{kind: ActionKind(do.text), at: timeOr(v.child("at"), 0), peers: g.size(), place: v.place}
	needs := map[ActionKind]string{Mute: "track", Unmute: "track", Publish: "media", Unpublish: "media", SwitchLink: "link"}[a.kind]
	ok := v.child("at") != nil
	for _, k := range []string{"track", "media", "link"} {
		switch {
		case k == needs && !v.has(k):
			b.at(v.place, "do: %s needs %s", do.text, k)
			ok = false
		case k != needs && v.has(k):
			b.at(v.spot(k), "%s has no meaning with do: %s", k, do.text)
		}
	}
	if w := v.child("peers"); w != nil {
		a.peers = int(w.whole)
		if g.sound && a.peers > g.size() {
			b.at(w.place, "peers: %d, but the group has %d", a.peers, g.size())
			a.peers = g.size()
		}
	}
	if w := v.child("at"); w != nil && a.at > b.duration {
		b.at(w.place, "at %s the call is over; it is measured for %s", w.text, b.duration)
		ok = false
	}
	ok = b.actionObject(&a, g, v, needs) && ok
	if ok {
		g.actions = append(g.actions, a)
	}
}

// actionObject resolves what the action is about.
func (b *builder) actionObject(a *action, g *group, v *value, needs string) (ok bool) {
	w := v.child(needs)
	switch {
	case needs == "":
		return true
	case w == nil:
		return false
	case needs == "track":
		a.track = w.text
		return true
	case needs == "media":
		a.stream, ok = b.streamNamed(w)
		return ok
	}
	a.link = w.text
	if a.to, ok = b.linkNamed(w); ok && g.placed {
		b.checkSwitch(g, w, a.to)
	}
	return ok
}

// checkRooms holds the rules of topologies and of names.
func (b *builder) checkRooms() {
	members := map[string]int{}
	first := map[string]*group{}
	sound := true
	for i := range b.groups {
		g := &b.groups[i]
		sound = sound && g.sound
		if o := first[g.room]; o != nil {
			b.checkShared(g, o)
		} else {
			first[g.room] = g
		}
		members[g.room] += g.count
		b.checkNames(g)
	}
	if !sound {
		return
	}
	for i := range b.groups {
		if g := &b.groups[i]; first[g.room] == g {
			b.checkSize(g, members[g.room])
		}
	}
	b.checkStreams(members)
}

func (b *builder) checkShared(g, o *group) {
	if !g.shared || !o.shared {
		b.at(g.at.spot("room"), "room %q is also the own room of group %s; both must name it with room: to meet in it",
			g.room, map[bool]string{true: o.name, false: g.name}[g.shared])
		return
	}
	if g.topology != o.topology {
		b.at(g.at.spot("topology"), "room %s is %s for group %s and %s for %s", g.room, o.topology, o.name, g.topology, g.name)
	}
	if g.rooms != o.rooms {
		b.at(g.at.spot("rooms"), "room %s is %d rooms for group %s and %d for %s", g.room, o.rooms, o.name, g.rooms, g.name)
	}
}

func (b *builder) checkSize(g *group, members int) {
	p := g.at.spot("count")
	switch {
	case g.topology == "p2p" && members != 2:
		b.at(p, "topology: p2p is for exactly two in a room, not %d; use mesh or conference", members)
	case g.topology == "mesh" && members > b.server.MeshLimit:
		b.at(p, "a mesh of %d is larger than server.mesh_limit %d; raise the limit or use topology: conference",
			members, b.server.MeshLimit)
	}
}

var numbered = regexp.MustCompile(`^(.+?)-([0-9]+)(_.*)?$`)

// checkNames refuses names that would be those of another group's peer or stream.
func (b *builder) checkNames(g *group) {
	for i, name := range []string{g.room, g.name} {
		m := numbered.FindStringSubmatch(name)
		if m == nil || i == 1 && m[3] == "" {
			continue
		}
		for i := range b.groups {
			o := &b.groups[i]
			n, err := strconv.Atoi(m[2])
			if o.name == m[1] && err == nil && n < o.size() {
				b.at(g.at.place, "the name %q is also that of a peer or stream of group %s; choose another", name, o.name)
			}
		}
	}
}

// checkStreams bounds what a cell makes peers receive.
func (b *builder) checkStreams(members map[string]int) {
	tracks := map[string]int{}
	for i := range b.groups {
		tracks[b.groups[i].room] += b.groups[i].count * b.groups[i].tracks()
	}
	total := 0.0
	for i := range b.groups {
		if g := &b.groups[i]; g.receive {
			total += float64(g.size()) * float64(tracks[g.room])
		}
	}
	if total > maxStreams {
		b.at(b.root.spot("peers"), "about %.0f received tracks at once; at most %d; use more and smaller rooms or receive: none", total, maxStreams)
	}
	rejoins := 0.0
	for i := range b.groups {
		g := &b.groups[i]
		for _, a := range g.actions {
			if a.kind == Rejoin {
				rejoins += float64(a.peers) * float64(members[g.room])
			}
		}
	}
	if rejoins > maxStreams {
		b.at(b.root.spot("peers"), "too many peers rejoin rooms that are too large")
	}
}

func (g *group) tracks() int {
	n := 0
	for _, s := range g.publish {
		if s.Audio != nil {
			n++
		}
		if s.Video != nil {
			n++
		}
	}
	return n
}
