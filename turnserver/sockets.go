package turnserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/transport/v4"
)

const (
	portTries    = 16      // free ports tried until one is free for UDP and TCP
	socketBuffer = 4 << 20 // bytes; all clients of a server share its UDP socket
)

// sockets are what a server listens on. What a transport does not use is nil.
type sockets struct {
	udp                       transport.UDPConn
	tcp, tls                  transport.TCPListener
	udpAddr, tcpAddr, tlsAddr netip.AddrPort
	local                     []netip.Addr // of the machine, when listening on all addresses
}

// openSockets listens on the same port for UDP and TCP. Where the port is free to choose and no
// common one is found, the two differ. TLS has a port of its own.
func openSockets(host network.Host, at listening, transports []string) (s sockets, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if at.plain.Addr().IsUnspecified() || at.secure.Addr().IsUnspecified() {
		if s.local, err = localAddrs(host); err != nil {
			return s, err
		}
	}
	if err = s.listenPlain(host, at.plain, slices.Contains(transports, UDP), slices.Contains(transports, TCP)); err != nil {
		return s, err
	}
	if slices.Contains(transports, TLS) {
		s.tls, s.tlsAddr, err = listenTCP(host, at.secure)
	}
	return s, err
}

func (s *sockets) listenPlain(host network.Host, listen netip.AddrPort, wantUDP, wantTCP bool) (err error) {
	for try := 1; wantTCP; try++ {
		if s.tcp, s.tcpAddr, err = listenTCP(host, listen); err != nil || !wantUDP {
			return err
		}
		err = s.listenUDP(host, netip.AddrPortFrom(listen.Addr(), s.tcpAddr.Port()))
		if err == nil || listen.Port() != 0 {
			return err
		}
		if try == portTries {
			break
		}
		if err = s.tcp.Close(); err != nil {
			return err
		}
	}
	if !wantUDP {
		return nil
	}
	return s.listenUDP(host, listen)
}

func listenTCP(host network.Host, at netip.AddrPort) (transport.TCPListener, netip.AddrPort, error) {
	l, err := host.ListenTCP("tcp"+family(at.Addr()), net.TCPAddrFromAddrPort(at))
	if err != nil {
		return nil, netip.AddrPort{}, err
	}
	return l, addrPort(l.Addr()), nil
}

func (s *sockets) listenUDP(host network.Host, at netip.AddrPort) error {
	c, err := host.ListenUDP("udp"+family(at.Addr()), net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	// Best effort: the system may grant less, and a simulated socket has no such buffer.
	_, _ = c.SetReadBuffer(socketBuffer), c.SetWriteBuffer(socketBuffer)
	s.udp, s.udpAddr = c, addrPort(c.LocalAddr())
	return nil
}

// own tells whether an address is one of the sockets, under any name it is reached by.
func (s *sockets) own(to netip.AddrPort, relayIP netip.Addr) bool {
	for _, at := range [...]netip.AddrPort{s.udpAddr, s.tcpAddr, s.tlsAddr} {
		if !at.IsValid() || at.Port() != to.Port() {
			continue
		}
		ip := to.Addr()
		if ip == at.Addr() || ip == relayIP || ip.IsUnspecified() {
			return true
		}
		if at.Addr().IsUnspecified() && (ip.IsLoopback() || slices.Contains(s.local, ip)) {
			return true
		}
	}
	return false
}

func (s *sockets) close() error {
	var errs []error
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	for _, l := range []transport.TCPListener{s.tcp, s.tls} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// family is the suffix of a network's name that holds a socket to the family of its address. An
// unspecified IPv6 address serves both.
func family(ip netip.Addr) string {
	switch {
	case ip.Unmap().Is4():
		return "4"
	case ip.IsUnspecified():
		return ""
	default:
		return "6"
	}
}

// addrPort is the address of a UDP or TCP socket, IPv4 in its short form.
func addrPort(a net.Addr) netip.AddrPort {
	var p netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		p = a.AddrPort()
	case *net.TCPAddr:
		p = a.AddrPort()
	}
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

func localAddrs(host network.Host) ([]netip.Addr, error) {
	interfaces, err := host.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var all []netip.Addr
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if errors.Is(err, transport.ErrNoAddressAssigned) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					all = append(all, ip.Unmap())
				}
			}
		}
	}
	return all, nil
}
