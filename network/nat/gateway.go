package nat

import "time"

// Gateway is what stands between a host and the network: none, one or two NATs, and a firewall
// behind them. The zero value is nothing at all.
type Gateway struct {
	NAT NAT
	// Site puts every host of the same non-empty name behind one and the same NAT, on one local
	// network: they reach each other directly there. "": a NAT of the host's own.
	Site string
	// Carrier is a carrier-grade NAT in front of the first (RFC 6888); its inside is
	// 100.64.0.0/10. Kind None: there is none. Hosts whose Carrier is equal share one.
	Carrier NAT
}

// NAT is how one NAT behaves (RFC 4787).
type NAT struct {
	Kind    Kind          // mapping and filtering
	Timeout time.Duration // of an idle UDP mapping, refreshed from inside; 0: 2 min (REQ-5)
	Hairpin bool          // hosts inside reach each other by their outside addresses (REQ-9)
	Ports   Ports         // how outside ports are chosen
}

// Ports is how a NAT chooses the outside port of a mapping (RFC 4787 sections 4.2.1 and 4.2.2).
type Ports string

// The choices. The zero value means Preserve, and Random where mappings are not
// endpoint-independent.
const (
	Preserve Ports = "preserve" // the inside port if it is free, else one of its parity
	Parity   Ports = "parity"   // any port of the inside port's parity
	Random   Ports = "random"   // any port
)

// Choices returns every choice of ports in the order of the documentation.
func Choices() []Ports { return []Ports{Preserve, Parity, Random} }
