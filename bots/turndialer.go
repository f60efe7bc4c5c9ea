package bots

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strconv"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/pion/stun/v3"
	"github.com/pion/webrtc/v4"
)

// turnHandshake bounds a TLS handshake with a TURN server.
const turnHandshake = 10 * time.Second

// turnDialer connects ICE agents to TURN servers over TCP and TLS. An agent left to itself trusts a
// turns: server by the system's authorities and can be told of no other, but takes the connections
// of a proxy's dialer as they are: it is given this one, and there is no proxy. Its connections do
// not wait for permissions.
type turnDialer func(network, address string) (net.Conn, error)

// Dial implements proxy.Dialer of golang.org/x/net.
func (d turnDialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// newTURNDialer makes a dialer for these servers; with roots nil it trusts whom the system trusts.
// What it opens counts as the host's media traffic. When ctx ends, so do handshakes.
func newTURNDialer(ctx context.Context, host network.Host, servers []webrtc.ICEServer, roots *x509.CertPool) turnDialer {
	secure := overTLS(servers)
	return func(network, address string) (net.Conn, error) {
		to, err := host.ResolveTCPAddr(network, address)
		if err != nil {
			return nil, err
		}
		conn, err := host.DialTCP(network, nil, to)
		if err != nil {
			return nil, err
		}
		name, ok := secure[address]
		if !ok {
			return &turnStreamConn{Conn: conn}, nil
		}
		// Every message is a record of its own, however long: the far end has it at once.
		c := tls.Client(conn, &tls.Config{
			RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true,
		})
		ctx, cancel := context.WithTimeout(ctx, turnHandshake)
		defer cancel()
		if err := c.HandshakeContext(ctx); err != nil {
			_ = conn.Close() // the handshake says what went wrong
			return nil, err
		}
		return &turnStreamConn{Conn: c}, nil
	}
}

// overTLS maps the addresses of the servers spoken to over TLS, as ICE dials them, to their names.
func overTLS(servers []webrtc.ICEServer) map[string]string {
	names := map[string]string{}
	for _, s := range servers {
		for _, u := range s.URLs {
			uri, err := stun.ParseURI(u)
			if err != nil {
				continue // the connection is refused for it
			}
			if uri.Scheme == stun.SchemeTypeTURNS && uri.Proto != stun.ProtoTypeUDP {
				names[net.JoinHostPort(uri.Host, strconv.Itoa(uri.Port))] = uri.Host
			}
		}
	}
	return names
}
