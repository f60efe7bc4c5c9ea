package capture

// The layers that packets and steps are told apart by.
const (
	layerSignaling = "signaling"
	layerSTUN      = "stun"
	layerTURN      = "turn"
	layerDTLS      = "dtls"
	layerMedia     = "media"
	layerStream    = "stream"
)

// note is what a packet or a message of a stream is.
type note struct {
	layer, what string
	repeats     bool // goes on for as long as the call: only the first one tells something
}

// Name says what a single packet is, by its first bytes alone: the layer is stun, turn, dtls,
// media, signaling or stream; what is the field's own word for it ("Binding request", "RTP pt
// 111"). It is not ok for what it does not know, such as a bare acknowledgement. Of a stream's
// segment it knows only what that segment shows by itself; [Timeline] puts segments together.
func Name(p Packet) (layer, what string, ok bool) {
	if p.Protocol == TCP {
		var c connections
		if found := c.add(&p); len(found) > 0 {
			return found[0].layer, found[0].what, true
		}
		return "", "", false
	}
	n, ok := datagram(p.Payload)
	return n.layer, n.what, ok
}

// datagram tells by the first byte what shares a port (RFC 7983 section 7, RFC 5761 section 4).
func datagram(b []byte) (note, bool) {
	if len(b) == 0 {
		return note{}, false
	}
	switch first := b[0]; {
	case first <= 3:
		return stunMessage(b)
	case first >= 20 && first <= 63:
		return dtlsDatagram(b)
	case first >= 64 && first <= 79:
		return channelData(b)
	case first >= 128 && first <= 191:
		return mediaPacket(b)
	}
	return note{}, false
}
