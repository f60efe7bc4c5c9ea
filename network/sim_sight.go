package network

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/peerfleet/peerfleet/network/capture"
)

// sightings is the account of every packet of a network. The scheduler's goroutine writes it.
type sightings struct{ hash atomic.Uint64 }

// note enters a packet that was sent by a host or has come to one.
func (s *sightings) note(p *datagram, from, to *simHost, fate capture.Fate) {
	ends := uint64(fate) << 60
	if from != nil {
		ends |= uint64(from.index+1) << 30
	}
	if to != nil {
		ends |= uint64(to.index + 1)
	}
	h := s.hash.Load()
	for _, x := range [...]uint64{uint64(p.due.UnixNano()), ends, uint64(p.kind)<<32 | uint64(len(p.buf))} {
		h = (h ^ x) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	s.hash.Store(h)
}

func (s *sightings) sum() uint64 { return s.hash.Load() }

func sortedPorts[T any](m map[uint16]T) []uint16 { return slices.Sorted(maps.Keys(m)) }

func sortedStreams[T any](m map[streamKey]T) []streamKey {
	return slices.SortedFunc(maps.Keys(m), func(a, b streamKey) int {
		return cmp.Or(cmp.Compare(a.port, b.port), a.remote.Compare(b.remote))
	})
}
