package network

import (
	"net"
	"net/netip"
)

// udpCalls are the many names that package net and pion have for reading and writing a datagram,
// over the two ways in and out that a socket has.
type udpCalls struct{ raw rawUDP }

// rawUDP is a UDP socket without conveniences.
type rawUDP interface {
	// read waits for the next datagram.
	read(b []byte) (int, netip.AddrPort, error)
	// write sends; the zero address is that of a connected socket's peer.
	write(b []byte, addr netip.AddrPort) (int, error)
	// fault dresses an error as package net does.
	fault(op string, err error) error
}

// Read takes the next datagram, from whomever it is.
func (c udpCalls) Read(b []byte) (int, error) {
	n, _, err := c.raw.read(b)
	return n, err
}

// ReadFrom implements net.PacketConn; the address is a *net.UDPAddr.
func (c udpCalls) ReadFrom(b []byte) (int, net.Addr, error) {
	n, addr, err := c.ReadFromUDP(b)
	if addr == nil {
		return n, nil, err
	}
	return n, addr, err
}

// ReadFromUDP is ReadFrom with the address's own type.
func (c udpCalls) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, addr, err := c.raw.read(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(addr), nil
}

// ReadMsgUDP never has out-of-band data.
func (c udpCalls) ReadMsgUDP(b, _ []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	n, addr, err = c.ReadFromUDP(b)
	return n, 0, 0, addr, err
}

// ReadFromAddrPort is the way in that ICE prefers; it does not allocate.
func (c udpCalls) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) { return c.raw.read(b) }

// ReadFromUDPAddrPort is ReadFromAddrPort by the name package net gives it.
func (c udpCalls) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) { return c.raw.read(b) }

// Write sends to the peer of a connected socket.
func (c udpCalls) Write(b []byte) (int, error) { return c.raw.write(b, netip.AddrPort{}) }

// WriteTo implements net.PacketConn; addr is a *net.UDPAddr. A packet that the link loses or
// still holds counts as written.
func (c udpCalls) WriteTo(b []byte, addr net.Addr) (int, error) {
	udp, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, c.raw.fault("write", &net.AddrError{Err: "not a UDP address", Addr: addrString(addr)})
	}
	return c.WriteToUDP(b, udp)
}

// WriteToUDP is WriteTo with the address's own type.
func (c udpCalls) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) {
	if addr == nil {
		return 0, c.raw.fault("write", &net.AddrError{Err: "missing address"})
	}
	return c.raw.write(b, addr.AddrPort())
}

// WriteMsgUDP ignores out-of-band data, which no link carries.
func (c udpCalls) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	if addr == nil {
		n, err = c.Write(b)
	} else {
		n, err = c.WriteToUDP(b, addr)
	}
	if err != nil {
		return n, 0, err
	}
	return n, len(oob), nil
}

func addrString(a net.Addr) string {
	if a == nil {
		return "<nil>"
	}
	return a.String()
}

// writeEach sends packets one by one and stops at the first error.
func (c udpCalls) writeEach(packets []Packet) (int, error) {
	for i := range packets {
		var err error
		if packets[i].Addr == nil {
			_, err = c.Write(packets[i].Data)
		} else {
			_, err = c.WriteTo(packets[i].Data, packets[i].Addr)
		}
		if err != nil {
			return i, err
		}
	}
	return len(packets), nil
}

// WriteToAddrPort is the way out that ICE prefers; it does not allocate.
func (c udpCalls) WriteToAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return c.raw.write(b, addr)
}

// WriteToUDPAddrPort is WriteToAddrPort by the name package net gives it.
func (c udpCalls) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	return c.raw.write(b, addr)
}
