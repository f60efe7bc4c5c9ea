package network

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/transport/v4"
)

// resolve finds the address that text names: a literal one or that of a host of the network by
// its name.
func (h *simHost) resolve(network, text string) (netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "not a port", Addr: text}
	}
	if host == "" {
		return netip.AddrPortFrom(netip.Addr{}, uint16(port)), nil
	}
	ip, err := h.resolveIP(network, host)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

func (h *simHost) resolveIP(network, host string) (netip.Addr, error) {
	six := strings.HasSuffix(network, "6")
	ip, err := netip.ParseAddr(host)
	if err != nil {
		to := h.net.lookup(host)
		if to == nil {
			return netip.Addr{}, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		if ip = to.addr4; six {
			ip = to.addr6
		}
		if !ip.IsValid() {
			return netip.Addr{}, &net.DNSError{Err: "no address of that family", Name: host, IsNotFound: true}
		}
	}
	ip = ip.Unmap()
	if six && ip.Is4() || strings.HasSuffix(network, "4") && !ip.Is4() {
		return netip.Addr{}, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return ip, nil
}

// ResolveIPAddr knows literal addresses and the names of the network's hosts.
func (h *simHost) ResolveIPAddr(network, address string) (*net.IPAddr, error) {
	ip, err := h.resolveIP(network, address)
	if err != nil {
		return nil, err
	}
	return &net.IPAddr{IP: ip.AsSlice()}, nil
}

// ResolveUDPAddr knows literal addresses and the names of the network's hosts.
func (h *simHost) ResolveUDPAddr(network, address string) (*net.UDPAddr, error) {
	if !isUDP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	at, err := h.resolve(network, address)
	if err != nil {
		return nil, err
	}
	return net.UDPAddrFromAddrPort(at), nil
}

// ResolveTCPAddr knows literal addresses and the names of the network's hosts.
func (h *simHost) ResolveTCPAddr(network, address string) (*net.TCPAddr, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	at, err := h.resolve(network, address)
	if err != nil {
		return nil, err
	}
	return net.TCPAddrFromAddrPort(at), nil
}

// DialContext opens a signaling stream: see the Host interface.
func (h *simHost) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.dialTCP(ctx, network, addr, false)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (h *simHost) dialTCP(ctx context.Context, network, addr string, counted bool) (*simStream, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	to, err := h.resolve(network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return h.dialStream(ctx, network, netip.AddrPort{}, to, counted)
}

// Dial connects a UDP socket or a stream that counts as traffic.
func (h *simHost) Dial(network, address string) (net.Conn, error) {
	if isTCP(network) {
		c, err := h.dialTCP(context.Background(), network, address, true)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
	to, err := h.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return h.DialUDP(network, nil, to)
}

// DialUDP opens a UDP socket that knows only raddr.
func (h *simHost) DialUDP(network string, laddr, raddr *net.UDPAddr) (transport.UDPConn, error) {
	if raddr == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "missing address"}}
	}
	at := netip.AddrPort{}
	if laddr != nil {
		at = laddr.AddrPort()
	}
	to := raddr.AddrPort()
	c, err := h.openUDP(network, toAny, at, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// DialTCP opens a stream that counts as traffic. It gives up after 30 s.
func (h *simHost) DialTCP(network string, laddr, raddr *net.TCPAddr) (transport.TCPConn, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	if raddr == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.AddrError{Err: "missing address"}}
	}
	at := netip.AddrPort{}
	if laddr != nil {
		at = laddr.AddrPort()
	}
	c, err := h.dialStream(context.Background(), network, at, raddr.AddrPort(), true)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Listen accepts signaling streams, which do not count as traffic.
func (h *simHost) Listen(network, addr string) (net.Listener, error) {
	l, err := h.listenAt(network, addr, false)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (h *simHost) listenAt(network, addr string, counted bool) (*simListener, error) {
	if !isTCP(network) {
		return nil, net.UnknownNetworkError(network)
	}
	at, err := h.resolve(network, addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	return h.listenStream(network, at, counted)
}

// ListenTCP accepts streams that count as traffic.
func (h *simHost) ListenTCP(network string, laddr *net.TCPAddr) (transport.TCPListener, error) {
	at := netip.AddrPort{}
	if laddr != nil {
		at = laddr.AddrPort()
	}
	l, err := h.listenStream(network, at, true)
	if err != nil {
		return nil, err
	}
	return l, nil
}

// ListenPacket opens a UDP socket.
func (h *simHost) ListenPacket(network, address string) (net.PacketConn, error) {
	at, err := h.ResolveUDPAddr(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	c, err := h.openUDP(network, asPacketConn, at.AddrPort(), netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ListenUDP opens a UDP socket; a nil address means any port.
func (h *simHost) ListenUDP(network string, laddr *net.UDPAddr) (transport.UDPConn, error) {
	at := netip.AddrPort{}
	if laddr != nil {
		at = laddr.AddrPort()
	}
	c, err := h.openUDP(network, toAny, at, netip.AddrPort{})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Interfaces is one Ethernet interface with the host's addresses.
func (h *simHost) Interfaces() ([]*transport.Interface, error) {
	eth := transport.NewInterface(net.Interface{
		Index: 1, MTU: mtu, Name: "eth0", Flags: net.FlagUp | net.FlagRunning | net.FlagBroadcast,
	})
	eth.AddAddress(&net.IPNet{IP: h.addr4.AsSlice(), Mask: net.CIDRMask(24, 32)})
	if h.addr6.IsValid() {
		eth.AddAddress(&net.IPNet{IP: h.addr6.AsSlice(), Mask: net.CIDRMask(64, 128)})
	}
	return []*transport.Interface{eth}, nil
}

// InterfaceByIndex finds an interface among Interfaces.
func (h *simHost) InterfaceByIndex(index int) (*transport.Interface, error) {
	return interfaceByIndex(h, index)
}

// InterfaceByName finds an interface among Interfaces.
func (h *simHost) InterfaceByName(name string) (*transport.Interface, error) {
	return interfaceByName(h, name)
}

// CreateDialer returns a dialer whose connections count as traffic. Of the dialer given, only the
// time limit is taken on.
func (h *simHost) CreateDialer(d *net.Dialer) transport.Dialer { return simDialer{h, d} }

type simDialer struct {
	host   *simHost
	dialer *net.Dialer
}

func (d simDialer) Dial(network, address string) (net.Conn, error) {
	if !isTCP(network) || d.dialer == nil || d.dialer.Timeout <= 0 {
		return d.host.Dial(network, address)
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.dialer.Timeout)
	defer cancel()
	c, err := d.host.dialTCP(ctx, network, address, true)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// CreateListenConfig returns a config whose sockets count as traffic.
func (h *simHost) CreateListenConfig(*net.ListenConfig) transport.ListenConfig {
	return simListenConfig{h}
}

type simListenConfig struct{ host *simHost }

func (c simListenConfig) Listen(_ context.Context, network, address string) (net.Listener, error) {
	l, err := c.host.listenAt(network, address, true)
	if err != nil {
		return nil, err
	}
	return l, nil
}

func (c simListenConfig) ListenPacket(_ context.Context, network, address string) (net.PacketConn, error) {
	return c.host.ListenPacket(network, address)
}
