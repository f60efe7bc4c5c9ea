// Package network is a place on a network: a Network attaches Hosts, and everything that sends
// or receives goes through a Host. It knows nothing of WebRTC.
package network

import (
	"context"
	"net"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
	"github.com/pion/transport/v4"
)

// Network attaches hosts. It is safe for concurrent use.
type Network interface {
	// Attach puts a host on the network. The host lives until the network is closed or its
	// own Close.
	Attach(spec HostSpec) (Host, error)
	// Close closes every host with all its sockets and waits for what the network started.
	Close() error
}

// HostSpec describes a host and its access link. The delay between two hosts is one's Up plus
// the other's Down.
type HostSpec struct {
	Name     string
	Up, Down impair.Profile
	Gateway  nat.Gateway // the NATs in front; only on a simulated network
	Firewall nat.Firewall
	Seed     uint64 // of the link's and the NAT's randomness; up and down draw from streams of their own
	// Tap is shown every packet that the host sends or receives, in the order of their times, on a
	// goroutine of the network; it must not wait. Nil: nobody watches. Only on a simulated network.
	Tap func(capture.Packet)
}

// Host is where a program runs: the only way to a network. It is safe for concurrent use.
type Host interface {
	transport.Net // what ICE and TURN clients take

	// DialContext opens a signaling stream. Its bytes are delayed and paced by the link but
	// not counted as media traffic; streams dialled through transport.Net are.
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)
	// Listen accepts streams.
	Listen(network, addr string) (net.Listener, error)

	// Link is the host's access link.
	Link() Link
	// Crash closes every socket and stream the host has open, as if the program on it had died.
	// The host stays attached, keeps its link, and may open others.
	Crash()
	// Close closes every socket the host opened. It is idempotent.
	Close() error
}

// Link is a host's access link while a program runs. It is safe for concurrent use.
type Link interface {
	// Set replaces both directions from now on; packets under way keep their fate.
	Set(up, down impair.Profile)
	// Start starts the schedules of both directions: their times count from start.
	Start(start time.Time)
	// Traffic is what has crossed the link so far, on the wire.
	Traffic() Traffic
	// Report is what the link did to packets so far.
	Report() (up, down LinkReport)
}

// Traffic counts what a host sent (Up) and received (Down) but for signaling streams, on the
// wire: IP and UDP or TCP headers included.
type Traffic struct {
	UpPackets, DownPackets uint64
	UpBytes, DownBytes     uint64
}

// LinkReport is the account of one direction of a link, in packets over the host's whole life:
// Offered = Delivered + Lost + QueuedOut + Discarded + in flight. Nothing is in flight once the
// network is closed.
type LinkReport struct {
	Offered, Delivered, Lost, QueuedOut uint64
	// Discarded are packets that the link let pass but that could not be handed on: their socket
	// or the network had been closed, or the kernel refused them.
	Discarded uint64
	Delay     *metrics.Hist // all that a packet saw on this link, queueing included, in µs
	Lateness  *metrics.Hist // how much later than its due time a packet was handed on, in µs
}

// BatchWriter is offered by a Host's UDP connections that can send many packets in one call.
type BatchWriter interface {
	// WriteBatch sends every packet and returns how many left. Buffers are the caller's
	// again when it returns.
	WriteBatch(packets []Packet) (int, error)
}

// Packet is one datagram of a batch.
type Packet struct {
	Data []byte
	Addr net.Addr // a *net.UDPAddr
}
