package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// course follows one peer through its actions.
type course struct {
	away      bool
	muted     [2]bool // audio, video
	published []string
}

// newCourse is a peer as it joins: it publishes the group's media, unmuted.
func newCourse(g *group) course {
	var c course
	for _, s := range g.publish {
		c.published = append(c.published, s.name)
	}
	return c
}

// ordered are the actions of a group as they happen: by time, at one time in the file's order.
func (g *group) ordered() []action {
	list := slices.Clone(g.actions)
	slices.SortStableFunc(list, func(a, b action) int { return cmp.Compare(a.at, b.at) })
	return list
}

// checkActions follows the peers of a group and reports what they cannot do. Peers with the same
// actions behave alike, so one of each kind is followed.
func (b *builder) checkActions(g *group) {
	list := g.ordered()
	bounds := []int{}
	for _, a := range list {
		bounds = append(bounds, a.peers)
	}
	slices.Sort(bounds)
	bad := map[int]bool{}
	for _, n := range slices.Compact(bounds) {
		c := newCourse(g)
		for i, a := range list {
			if a.peers < n || bad[i] {
				continue
			}
			if why := c.do(a, g); why != "" {
				b.at(a.place, "%s-%d %s", g.name, n-1, why)
				bad[i] = true
			}
		}
	}
	b.checkSlots(g, list)
}

// checkSlots refuses media whose stream would get the name of the second one's.
func (b *builder) checkSlots(g *group, list []action) {
	for _, a := range list {
		if a.kind == Publish && a.stream.name == "presentation" && slices.Index(g.slots, "presentation") >= 2 && len(g.publish) < 3 {
			b.at(a.place, "media named presentation stands first or second; its stream's name is a second one's")
		}
	}
}

// do carries out an action in thought; the text says why it cannot be.
func (c *course) do(a action, g *group) string {
	if c.away && a.kind != Rejoin {
		return fmt.Sprintf("has left before %s and cannot %s", a.at, a.kind)
	}
	switch a.kind {
	case Mute, Unmute:
		return c.mute(a, g)
	case Publish:
		if slices.Contains(c.published, a.stream.name) {
			return fmt.Sprintf("already publishes %s at %s", a.stream.name, a.at)
		}
		c.published = append(slices.Clone(c.published), a.stream.name)
	case Unpublish:
		i := slices.Index(c.published, a.stream.name)
		if i < 0 {
			return fmt.Sprintf("does not publish %s at %s", a.stream.name, a.at)
		}
		c.published = slices.Delete(slices.Clone(c.published), i, i+1)
	case Leave, Drop:
		c.away = true
	case Rejoin:
		if !c.away {
			return fmt.Sprintf("has not left by %s and cannot rejoin; leave or drop first", a.at)
		}
		*c = newCourse(g)
	}
	return ""
}

func (c *course) mute(a action, g *group) string {
	for _, name := range c.published {
		s := g.stream(name)
		if a.track == "audio" && s.Audio != nil || a.track == "video" && s.Video != nil {
			c.muted[trackIndex(a.track)] = a.kind == Mute
			return ""
		}
	}
	return fmt.Sprintf("publishes no %s at %s to %s", a.track, a.at, a.kind)
}

func trackIndex(track string) int {
	if track == "audio" {
		return 0
	}
	return 1
}

// stream finds media that the group publishes at the join or by an action.
func (g *group) stream(name string) stream {
	for _, s := range g.publish {
		if s.name == name {
			return s
		}
	}
	for _, a := range g.actions {
		if a.stream.name == name {
			return a.stream
		}
	}
	return stream{}
}

// slotNames are the media of a group in the order in which they get their stream names: as published
// at the join, then by actions. Published again, media keeps its name.
func (g *group) slotNames() []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range g.publish {
		add(s.name)
	}
	for _, a := range g.ordered() {
		if a.kind == Publish {
			add(a.stream.name)
		}
	}
	return names
}

// streamID names the stream of a peer's media by its slot.
func streamID(peer, media string, slot int) string {
	switch slot {
	case 0:
		return peer
	case 1:
		return peer + "_presentation"
	}
	return peer + "_" + media
}

// last is when the last of n peers joins, on average where chance decides.
func (s schedule) last(n int) time.Duration {
	switch s.kind {
	case "at":
		return s.after
	case "every":
		if f := float64(n-1) * float64(s.after); f < float64(2*maxJoining) {
			return time.Duration(f)
		}
		return 2 * maxJoining
	case "over":
		return s.after
	}
	return time.Duration(min(float64(n)/s.rate, (2*maxJoining).Seconds()) * float64(time.Second))
}
