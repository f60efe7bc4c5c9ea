package impair

import (
	"math/rand/v2"
	"net/netip"
)

// Flow names the packets of a link that share one sequence of draws: those of a Kind to or from
// one far end. Far ends are told apart by the order in which their kind first meets them, not by
// their address, so that a flow has the same fates wherever the two ends happen to be.
type Flow struct {
	Kind Kind
	Far  netip.AddrPort
}

// Kind tells apart what a link carries; what the numbers mean is the caller's.
type Kind uint16

// flows are the random numbers of a link by flow.
type flows struct {
	seed   uint64
	drawn  map[Flow]*draws
	met    map[Kind]uint64 // far ends so far
	latest Flow
	cached *draws // of latest; nil: none yet
}

// draws are the random numbers of a flow.
type draws struct {
	chain                                                    lossChain
	loss, jitter, duplicate, again, corrupt, reorder, stream *rand.Rand
}

// of returns the draws of a flow, made when it is first met.
func (f *flows) of(flow Flow) *draws {
	if f.cached != nil && f.latest == flow {
		return f.cached
	}
	d := f.drawn[flow]
	if d == nil {
		if f.drawn == nil {
			f.drawn, f.met = map[Flow]*draws{}, map[Kind]uint64{}
		}
		d = newDraws(f.seed ^ mix(uint64(flow.Kind)<<32|f.met[flow.Kind]))
		f.met[flow.Kind]++
		f.drawn[flow] = d
	}
	f.latest, f.cached = flow, d
	return d
}

func newDraws(seed uint64) *draws {
	d := &draws{}
	for i, r := range []**rand.Rand{&d.loss, &d.jitter, &d.duplicate, &d.again, &d.corrupt, &d.reorder, &d.stream} {
		purpose := uint64(i + 1)
		*r = rand.New(rand.NewPCG(mix(seed^mix(purpose)), mix(seed+purpose)))
	}
	return d
}

// random tells whether anything about the profile is left to chance.
func (p *Profile) random() bool {
	return p.LossRatio > 0 || p.Jitter > 0 || p.ReorderRatio > 0 || p.DuplicateRatio > 0 || p.CorruptRatio > 0
}
