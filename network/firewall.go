package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/peerfleet/peerfleet/network/nat"
)

// firewall stands between a host on real sockets and everybody else. It lets nothing in that is not
// an answer to what it let out.
//
// Where no UDP passes, datagrams vanish without a word on either way. They count as traffic that
// the host sent, and no link is asked about them. Where only TLS passes, a stream to another port
// than 443 is refused like one to a port where nobody is, and one that does not begin with a
// ClientHello is reset. Servers of a run share this machine's loopback addresses and take free
// ports there, so there any port stands for 443.
type firewall struct {
	blocksUDP bool
	onlyTLS   bool
}

func newFirewall(f nat.Firewall) firewall {
	return firewall{
		blocksUDP: !f.Permits(nat.UDP, netip.AddrPort{}),
		onlyTLS:   !f.Permits(nat.TCP, netip.AddrPort{}),
	}
}

// checkFirewall refuses a word that means no firewall.
func checkFirewall(f nat.Firewall) error {
	if f != "" && !slices.Contains(nat.Firewalls(), f) {
		return fmt.Errorf("unknown firewall %q", f)
	}
	return nil
}

// refusal is what the firewall says to streams that it does not let pass.
func refusal(cause syscall.Errno) error { return fmt.Errorf("firewall %s: %w", nat.TLS443Only, cause) }

// dialer has streams refused that must not pass. It looks at addresses, after names are resolved.
func (f firewall) dialer(d *net.Dialer) *net.Dialer {
	if !f.onlyTLS {
		return d
	}
	strict := *d
	strict.ControlContext = func(ctx context.Context, network, address string, c syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !nat.TLS443Only.Permits(nat.TCP, to) && !to.Addr().Unmap().IsLoopback() {
			return refusal(syscall.ECONNREFUSED)
		}
		switch {
		case d.ControlContext != nil:
			return d.ControlContext(ctx, network, address, c)
		case d.Control != nil:
			return d.Control(network, address, c)
		}
		return nil
	}
	return &strict
}

// turnAway resets a stream that somebody outside has opened.
func turnAway(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) }

// opening is the beginning of what a program writes to a stream, while a firewall looks at it.
type opening struct {
	watched atomic.Bool // cleared once the stream has shown itself to be TLS

	mu    sync.Mutex // guards what follows
	first [6]byte
	n     int
}

// passes adds bytes that are to be written; false as soon as they show that this is not TLS. What
// is too short to tell passes.
func (o *opening) passes(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n += copy(o.first[o.n:], b)
	is, known := nat.TLS(o.first[:o.n])
	if is {
		o.watched.Store(false)
	}
	return is || !known
}

// inspect shows the firewall what is written to a stream, which is reset if it must not pass.
func (s *stream) inspect(b []byte) error {
	if s.opening.passes(b) {
		return nil
	}
	_ = s.tcp.SetLinger(0) // closed already, or reset by the close
	_ = s.Close()          // the error says that the stream is gone
	return s.fault("write", refusal(syscall.ECONNRESET))
}
