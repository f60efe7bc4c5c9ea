//go:build natlab && linux

package natlab

import (
	"errors"
	"net/netip"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// model is the path through a nat.Translator.
type model struct {
	translator *nat.Translator
	seen       map[uint16]netip.AddrPort // by port of the host
}

func newModel(n nat.NAT) *model {
	return &model{nat.NewTranslator(n, outsideAddr(), 1), map[uint16]netip.AddrPort{}}
}

func (m *model) out(port uint16, to netip.AddrPort) (netip.AddrPort, error) {
	seen, ok := m.translator.Out(time.Unix(0, 0), nat.UDP, netip.AddrPortFrom(hostAddr(), port), to)
	if !ok {
		return seen, errors.New("no port is left")
	}
	m.seen[port] = seen
	return seen, nil
}

func (m *model) in(from netip.AddrPort, port uint16) (bool, error) {
	inside, v := m.translator.In(time.Unix(0, 0), nat.UDP, from, m.seen[port])
	return v == nat.Passed && inside == netip.AddrPortFrom(hostAddr(), port), nil
}

func (m *model) across(from, to uint16) (netip.AddrPort, error) {
	if !m.translator.Hairpins() {
		return netip.AddrPort{}, nil
	}
	seen, ok := m.translator.Out(time.Unix(0, 0), nat.UDP, netip.AddrPortFrom(hostAddr(), from), m.seen[to])
	if !ok {
		return seen, errors.New("no port is left")
	}
	if arrived, err := m.in(seen, to); err != nil || !arrived {
		return netip.AddrPort{}, err
	}
	return seen, nil
}
