package nat

import "math/rand/v2"

// The outside ports a NAT gives out: all but the well-known ones.
const (
	firstPort = 1024
	lastPort  = 65535
)

type portKey struct {
	protocol Protocol
	port     uint16
}

// portPool is the outside ports of a NAT: each protocol has all of them to itself.
type portPool struct {
	choice    Ports
	low, high uint16
	random    *rand.Rand
	bound     map[portKey]*binding
	taken     [protocols][2]int // by parity
}

// choose finds an outside port: the inside one where it is preserved and free, else one of its
// parity where that counts, from a random place on.
func (o *portPool) choose(p Protocol, inside uint16) (port uint16, ok bool) {
	if o.choice == Preserve && inside >= o.low && inside <= o.high && o.free(p, inside) {
		return inside, true
	}
	if o.exhausted(p, inside) {
		return 0, false
	}
	span := o.span()
	start := o.random.IntN(span)
	for i := range span {
		port := o.low + uint16((start+i)%span)
		if (o.choice == Random || port&1 == inside&1) && o.free(p, port) {
			return port, true
		}
	}
	return 0, false
}

func (o *portPool) span() int { return int(o.high-o.low) + 1 }

// exhausted spares a NAT that has run out a look at every port for every packet.
func (o *portPool) exhausted(p Protocol, inside uint16) bool {
	if o.choice == Random {
		return o.taken[p][0]+o.taken[p][1] == o.span()
	}
	of := o.span() / 2
	if o.low&1 == inside&1 {
		of = (o.span() + 1) / 2
	}
	return o.taken[p][inside&1] == of
}

func (o *portPool) free(p Protocol, port uint16) bool { return o.bound[portKey{p, port}] == nil }

func (o *portPool) take(b *binding) {
	o.bound[portKey{b.key.protocol, b.port}] = b
	o.taken[b.key.protocol][b.port&1]++
}

func (o *portPool) release(b *binding) {
	delete(o.bound, portKey{b.key.protocol, b.port})
	o.taken[b.key.protocol][b.port&1]--
}
