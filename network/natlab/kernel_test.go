//go:build natlab && linux

package natlab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"
)

const (
	patience = 5 * time.Second        // for what has to come
	linger   = 100 * time.Millisecond // for what should not come, after what was sent later has
)

// kernel is the path through a gateway of the kernel, on real sockets.
type kernel struct {
	sockets map[netip.AddrPort]*net.UDPConn // of the host and the server
	last    map[uint16]contact              // by port of the host
	sent    int
}

// contact is where a port of the host sent last, and what was seen there.
type contact struct{ to, seen netip.AddrPort }

// newKernel opens the sockets of the server, and some ports of the host.
func newKernel(t *testing.T, l lab, ports ...uint16) *kernel {
	t.Helper()
	k := &kernel{map[netip.AddrPort]*net.UDPConn{}, map[uint16]contact{}, 0}
	for _, port := range ports {
		k.open(t, l.host, netip.AddrPortFrom(hostAddr(), port))
	}
	for address := range 2 {
		for port := range 2 {
			k.open(t, l.internet, server(1+address, 1+port))
		}
	}
	return k
}

func (k *kernel) open(t *testing.T, namespace string, at netip.AddrPort) {
	t.Helper()
	err := within(namespace, func() error {
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
		if err == nil {
			k.sockets[at] = c
			t.Cleanup(func() {
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (k *kernel) out(port uint16, to netip.AddrPort) (netip.AddrPort, error) {
	token, err := k.send(netip.AddrPortFrom(hostAddr(), port), to)
	if err != nil {
		return netip.AddrPort{}, err
	}
	_, seen, err := k.receive(to, patience, token)
	k.last[port] = contact{to, seen}
	return seen, err
}

func (k *kernel) in(from netip.AddrPort, port uint16) (bool, error) {
	source, err := k.reach(from, port)
	if err == nil && source.IsValid() && source != from {
		err = fmt.Errorf("packet from %v seems to come from %v", from, source)
	}
	return err == nil && source.IsValid(), err
}

func (k *kernel) across(from, to uint16) (netip.AddrPort, error) {
	return k.reach(netip.AddrPortFrom(hostAddr(), from), to)
}

// reach sends to where a port of the host was last seen, and returns the source the port sees,
// unset if nothing arrives. It sends a second packet behind the one in question, from where the
// host has sent to. When that has arrived, the first one has too or never will, but for a little
// disorder between processors.
func (k *kernel) reach(from netip.AddrPort, port uint16) (netip.AddrPort, error) {
	c, host := k.last[port], netip.AddrPortFrom(hostAddr(), port)
	asked, err := k.send(from, c.seen)
	if err != nil {
		return netip.AddrPort{}, err
	}
	permitted, err := k.send(c.to, c.seen)
	if err != nil {
		return netip.AddrPort{}, err
	}
	before, _, err := k.receive(host, patience, permitted)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("answer from %v: %w", c.to, err)
	}
	if source, ok := before[asked]; ok {
		return source, nil
	}
	_, source, err := k.receive(host, linger, asked)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return netip.AddrPort{}, nil
	}
	return source, err
}

// send sends a packet that no other is like.
func (k *kernel) send(from, to netip.AddrPort) (token string, err error) {
	k.sent++
	token = fmt.Sprint("packet ", k.sent)
	_, err = k.sockets[from].WriteToUDPAddrPort([]byte(token), to)
	return token, err
}

// receive waits for a packet at a socket. It returns its source, and the packets that came before
// it with theirs.
func (k *kernel) receive(at netip.AddrPort, wait time.Duration, token string) (
	before map[string]netip.AddrPort, source netip.AddrPort, err error,
) {
	before, b, c := map[string]netip.AddrPort{}, make([]byte, 64), k.sockets[at]
	if err := c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return before, netip.AddrPort{}, err
	}
	for {
		n, source, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return before, netip.AddrPort{}, err
		}
		source = netip.AddrPortFrom(source.Addr().Unmap(), source.Port())
		if string(b[:n]) == token {
			return before, source, nil
		}
		before[string(b[:n])] = source
	}
}
