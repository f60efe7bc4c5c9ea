package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
)

// Preset is a link that needs no definition. A link of the same name in a file takes its place.
type Preset struct {
	Name     string
	Up, Down impair.Profile
	Source   string // where the figures come from
}

const (
	devtools   = "Chrome DevTools throttling profile; DevTools delays requests, not packets: its target round trip is used"
	sitespeed  = "sitespeed.io and WebPageTest connectivity profile"
	facebook   = "Facebook Augmented Traffic Control profile; its delays are one-way"
	apple      = "Apple Network Link Conditioner profile; its delays are one-way"
	ownChoice  = "own choice"
	presetSpan = 10 * time.Minute // how far recurring changes are laid out
)

// Presets are all presets by name. Round-trip times are split evenly; rates are kbit/s down and
// up. Each call makes new values, which the caller owns.
func Presets() []Preset {
	ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
	plain := func(name string, down, up int64, downMS, upMS, loss float64, source string) Preset {
		return Preset{
			Name: name, Source: source,
			Up:   impair.Profile{RateBPS: up * 1000, Delay: ms(upMS), LossRatio: loss},
			Down: impair.Profile{RateBPS: down * 1000, Delay: ms(downMS), LossRatio: loss},
		}
	}
	rtt := func(name string, down, up int64, rtt float64, source string) Preset {
		return plain(name, down, up, rtt/2, rtt/2, 0, source)
	}
	list := []Preset{
		rtt("devtools-3g", 400, 400, 400, devtools),
		rtt("devtools-slow4g", 1440, 675, 150, devtools),
		rtt("devtools-fast4g", 8100, 1350, 60, devtools),
		rtt("3g", 1600, 768, 150, sitespeed),
		rtt("3gfast", 1600, 768, 75, sitespeed),
		rtt("3gslow", 400, 400, 200, sitespeed),
		rtt("3gem", 400, 400, 200, sitespeed),
		rtt("2g", 280, 256, 400, sitespeed),
		rtt("edge", 240, 200, 420, sitespeed),
		rtt("dial", 49, 30, 60, sitespeed),
		rtt("4g", 9000, 9000, 85, sitespeed),
		rtt("lte", 12_000, 12_000, 35, sitespeed),
		rtt("cable", 5000, 1000, 14, sitespeed),
		rtt("dsl", 1500, 384, 25, sitespeed),
		rtt("fios", 20_000, 5000, 2, sitespeed),
		plain("atc-3g-average", 780, 330, 100, 100, 0, facebook),
		plain("atc-3g-good", 850, 420, 90, 100, 0, facebook),
		plain("atc-edge-avg", 240, 200, 400, 440, 0, facebook),
		plain("atc-edge-good", 250, 200, 350, 370, 0, facebook),
		plain("atc-edge-lossy", 240, 200, 400, 440, 0.01, facebook),
		plain("atc-2g-rural", 20, 18, 650, 650, 0.02, facebook),
		plain("atc-2g-urban", 35, 32, 650, 650, 0, facebook),
		plain("atc-cable", 6000, 1000, 2, 2, 0, facebook),
		plain("atc-dsl", 2000, 256, 5, 5, 0, facebook),
		plain("apple-nlc-3g", 780, 330, 100, 100, 0, apple),
		plain("apple-nlc-edge", 240, 200, 400, 440, 0, apple),
		plain("apple-nlc-dsl", 2000, 256, 5, 5, 0, apple),
		plain("apple-nlc-lte", 50_000, 10_000, 50, 65, 0, apple),
		plain("apple-nlc-wifi", 40_000, 33_000, 1, 1, 0, apple),
		plain("apple-nlc-very-bad", 1000, 1000, 500, 500, 0.1, apple),
		plain("intercontinental", 100_000, 100_000, 90, 90, 0.001, ownChoice),
		plain("satellite-geo", 20_000, 3000, 300, 300, 0.005, ownChoice),
		plain("satellite-leo", 100_000, 15_000, 25, 25, 0.005, ownChoice),
		plain("wifi-bad", 3000, 1000, 5, 5, 0.03, ownChoice),
		rtt("congested-bufferbloat", 1000, 500, 20, ownChoice),
	}
	for i := range list {
		shapePreset(list[i].Name, &list[i].Up)
		shapePreset(list[i].Name, &list[i].Down)
	}
	slices.SortFunc(list, func(a, b Preset) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// shapePreset adds what only some presets have. Recurring changes are laid out for ten minutes
// from the end of the warm-up; after that the link stays calm.
func shapePreset(name string, p *impair.Profile) {
	switch name {
	case "intercontinental":
		p.Jitter = 2 * time.Millisecond
	case "satellite-geo":
		p.Jitter, p.Burst = 10*time.Millisecond, 3
	case "satellite-leo":
		p.Jitter, p.Burst = 8*time.Millisecond, 2
		later := p.Delay + 40*time.Millisecond
		p.Schedule = recurring(15*time.Second, impair.Change{For: 500 * time.Millisecond, Set: impair.Overlay{Delay: &later}})
	case "wifi-bad":
		// A pareto tail with this spread puts about one packet in a hundred 100 ms late or more.
		p.Jitter, p.Distribution, p.Burst = 25*time.Millisecond, impair.Pareto, 5
		p.Schedule = recurring(20*time.Second, impair.Change{For: 200 * time.Millisecond, Blackout: true})
	case "congested-bufferbloat":
		p.QueueTime = time.Second
	}
}

func recurring(every time.Duration, c impair.Change) []impair.Change {
	var list []impair.Change
	for at := every; at < presetSpan; at += every {
		c.At = at
		list = append(list, c)
	}
	return list
}
