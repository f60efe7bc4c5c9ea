package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/pion/transport/v4"
)

func isTCP(network string) bool { return network == "tcp" || network == "tcp4" || network == "tcp6" }

func isUDP(network string) bool { return network == "udp" || network == "udp4" || network == "udp6" }

// bind is the address that a socket bound to ip is bound to: on a network that stays on this
// machine, loopback in place of none in particular.
func (h *socketHost) bind(network string, ip net.IP) net.IP {
	if h.net.external || len(ip) > 0 && !ip.IsUnspecified() {
		return ip
	}
	if strings.HasSuffix(network, "6") || len(ip) == net.IPv6len && ip.To4() == nil {
		return net.IPv6loopback
	}
	return net.IPv4(127, 0, 0, 1).To4()
}

func (h *socketHost) bindString(network, addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		if at := h.bind(network, ip); at != nil {
			host = at.String()
		}
	}
	return net.JoinHostPort(host, port), nil
}

// ListenPacket opens a UDP socket.
func (h *socketHost) ListenPacket(network, address string) (net.PacketConn, error) {
	return h.listenPacket(context.Background(), &net.ListenConfig{}, network, address)
}

func (h *socketHost) listenPacket(ctx context.Context, c *net.ListenConfig, network, address string) (net.PacketConn, error) {
	if !isUDP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	address, err := h.bindString(network, address)
	if err != nil {
		return nil, err
	}
	conn, err := c.ListenPacket(ctx, network, address)
	if err != nil {
		return nil, err
	}
	udp, err := h.adoptUDP(conn.(*net.UDPConn))
	if err != nil {
		return nil, err
	}
	return udp, nil
}

// ListenUDP opens a UDP socket; a nil address means any port.
func (h *socketHost) ListenUDP(network string, laddr *net.UDPAddr) (transport.UDPConn, error) {
	var at net.UDPAddr
	if laddr != nil {
		at = *laddr
	}
	at.IP = h.bind(network, at.IP)
	conn, err := net.ListenUDP(network, &at)
	if err != nil {
		return nil, err
	}
	c, err := h.adoptUDP(conn)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ListenTCP accepts streams that count as traffic.
func (h *socketHost) ListenTCP(network string, laddr *net.TCPAddr) (transport.TCPListener, error) {
	if laddr == nil {
		laddr = &net.TCPAddr{}
	}
	l, err := h.listen(context.Background(), &net.ListenConfig{}, network, laddr.String(), true)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Dial connects a UDP socket or a stream that counts as traffic.
func (h *socketHost) Dial(network, address string) (net.Conn, error) {
	return h.dialAny(&net.Dialer{}, network, address)
}

func (h *socketHost) dialAny(d *net.Dialer, network, address string) (net.Conn, error) {
	switch {
	case isTCP(network):
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		s, err := h.dial(ctx, d, network, address, true)
		if err != nil {
			return nil, err
		}
		return s, nil
	case isUDP(network):
		conn, err := d.DialContext(context.Background(), network, address)
		if err != nil {
			return nil, err
		}
		c, err := h.adoptUDP(conn.(*net.UDPConn))
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	return nil, net.UnknownNetworkError(network)
}

// DialUDP opens a UDP socket that knows only raddr.
func (h *socketHost) DialUDP(network string, laddr, raddr *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := net.DialUDP(network, laddr, raddr)
	if err != nil {
		return nil, err
	}
	c, err := h.adoptUDP(conn)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DialTCP opens a stream that counts as traffic. It gives up after 30 s.
func (h *socketHost) DialTCP(network string, laddr, raddr *net.TCPAddr) (transport.TCPConn, error) {
	if raddr == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "missing address"}}
	}
	d := &net.Dialer{}
	if laddr != nil {
		d.LocalAddr = laddr
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	s, err := h.dial(ctx, d, network, raddr.String(), true)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// literal parses an address without a name to look up, for networks that allow its family.
func literal(network, address string) (netip.AddrPort, bool) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil || strings.HasSuffix(network, "4") && !ap.Addr().Is4() || strings.HasSuffix(network, "6") && ap.Addr().Is4() {
		return netip.AddrPort{}, false
	}
	return ap, true
}

// ResolveIPAddr looks up names with the machine's resolver.
func (h *socketHost) ResolveIPAddr(network, address string) (*net.IPAddr, error) {
	return net.ResolveIPAddr(network, address)
}

// ResolveUDPAddr looks up names with the machine's resolver, and nothing for literal addresses.
func (h *socketHost) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	if ap, ok := literal(network, address); ok && isUDP(network) {
		return net.UDPAddrFromAddrPort(ap), nil
	}
	return net.ResolveUDPAddr(network, address)
}

// ResolveTCPAddr looks up names with the machine's resolver, and nothing for literal addresses.
func (h *socketHost) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	if ap, ok := literal(network, address); ok && isTCP(network) {
		return net.TCPAddrFromAddrPort(ap), nil
	}
	return net.ResolveTCPAddr(network, address)
}

// Interfaces are the machine's own on an external network, otherwise one loopback interface with
// 127.0.0.1; ICE has to be told to use loopback candidates then.
func (h *socketHost) Interfaces() ([]*transport.Interface, error) {
	if !h.net.external {
		lo := transport.NewInterface(net.Interface{
			Index: 1, MTU: 65536, Name: "lo", Flags: net.FlagUp | net.FlagLoopback | net.FlagRunning,
		})
		lo.AddAddress(&net.IPNet{IP: net.IPv4(127, 0, 0, 1).To4(), Mask: net.CIDRMask(8, 32)})
		return []*transport.Interface{lo}, nil
	}
	machine, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	all := make([]*transport.Interface, len(machine))
	for i := range machine {
		all[i] = transport.NewInterface(machine[i])
		addrs, err := machine[i].Addrs()
		if err != nil {
			return nil, fmt.Errorf("interface %s: %w", machine[i].Name, err)
		}
		for _, a := range addrs {
			all[i].AddAddress(a)
		}
	}
	return all, nil
}

// InterfaceByIndex finds an interface among Interfaces.
func (h *socketHost) InterfaceByIndex(index int) (*transport.Interface, error) {
	return interfaceByIndex(h, index)
}

// InterfaceByName finds an interface among Interfaces.
func (h *socketHost) InterfaceByName(name string) (*transport.Interface, error) {
	return interfaceByName(h, name)
}

func interfaceByIndex(h Host, index int) (*transport.Interface, error) {
	return findInterface(h, fmt.Sprintf("index %d", index), func(i *transport.Interface) bool { return i.Index == index })
}

func interfaceByName(h Host, name string) (*transport.Interface, error) {
	return findInterface(h, name, func(i *transport.Interface) bool { return i.Name == name })
}

func findInterface(h Host, what string, is func(*transport.Interface) bool) (*transport.Interface, error) {
	all, err := h.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range all {
		if is(i) {
			return i, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", transport.ErrInterfaceNotFound, what)
}

// CreateDialer returns a dialer whose connections pass the link and count as traffic.
func (h *socketHost) CreateDialer(d *net.Dialer) transport.Dialer { return hostDialer{h, d} }

type hostDialer struct {
	host   *socketHost
	dialer *net.Dialer
}

func (d hostDialer) Dial(network, address string) (net.Conn, error) {
	return d.host.dialAny(d.dialer, network, address)
}

// CreateListenConfig returns a config whose sockets pass the link and count as traffic.
func (h *socketHost) CreateListenConfig(c *net.ListenConfig) transport.ListenConfig {
	return hostListenConfig{h, c}
}

type hostListenConfig struct {
	host   *socketHost
	config *net.ListenConfig
}

func (c hostListenConfig) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	l, err := c.host.listen(ctx, c.config, network, address, true)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (c hostListenConfig) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	return c.host.listenPacket(ctx, c.config, network, address)
}
