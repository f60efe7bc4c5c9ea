package capture

import "net/netip"

// longestMessage is how much of a message that is not whole yet is kept; what is longer is not
// understood.
const longestMessage = 1 << 20

// connections follows the streams of a host.
type connections map[ends]*connection

type ends struct{ local, remote netip.AddrPort }

type connection struct {
	halves            [2]half // by Direction
	opening, answered bool
	done              bool // its end was told
}

// message is what a stream says, and in how many bytes.
type message struct {
	note
	bytes int
}

// add returns what a segment completes or does, in order.
func (cs *connections) add(p *Packet) []message {
	if *cs == nil {
		*cs = connections{}
	}
	key := ends{p.Source, p.Destination}
	if p.Direction == Received {
		key = ends{p.Destination, p.Source}
	}
	c := (*cs)[key]
	if c == nil || p.Flags&(SYN|ACK) == SYN && c.answered {
		c = &connection{}
		(*cs)[key] = c
	}
	found := c.begin(p)
	h := &c.halves[p.Direction&1]
	fresh, old := h.take(p)
	switch {
	case old:
		found = append(found, streamNote("retransmission", len(p.Payload)))
	case len(fresh) > 0:
		read := c.read(h, fresh)
		if len(read) == 0 && p.Fate != Delivered {
			read = append(read, streamNote("segment", len(p.Payload)))
		}
		found = append(found, read...)
	}
	return append(found, c.end(p)...)
}

func streamNote(what string, bytes int) message {
	return message{note{layer: layerStream, what: what}, bytes}
}

// begin tells the opening of a connection.
func (c *connection) begin(p *Packet) []message {
	switch p.Flags & (SYN | ACK) {
	case SYN:
		c.opening = true
		return []message{streamNote("connect", 0)}
	case SYN | ACK:
		c.answered = true
		return []message{streamNote("connected", 0)}
	}
	return nil
}

// end tells the end of a connection, once.
func (c *connection) end(p *Packet) []message {
	if c.done || p.Flags&(RST|FIN) == 0 {
		return nil
	}
	c.done = p.Flags&RST != 0
	switch {
	case p.Flags&RST == 0:
		return []message{streamNote("close", 0)}
	case c.opening && !c.answered:
		return []message{streamNote("refused", 0)}
	}
	return []message{streamNote("reset", 0)}
}

// framing finds the first message of a stream: how many bytes it takes, 0 where it is not whole
// yet, fewer where it is none. A message without a name is passed over.
type framing func(c *connection, h *half, b []byte) (found note, size int)

// read returns the messages that fresh bytes complete.
func (c *connection) read(h *half, fresh []byte) []message {
	skipped := min(h.skip, len(fresh))
	h.skip -= skipped
	fresh = fresh[skipped:]
	if h.lost || len(fresh) == 0 {
		return nil
	}
	h.unread = append(h.unread, fresh...)
	var found []message
	for len(h.unread) > 0 {
		read := h.framing
		if read == nil {
			read = c.guess(h, h.unread)
		}
		n, size := read(c, h, h.unread)
		if size < 0 {
			return append(found, h.lose(len(fresh)))
		}
		if size == 0 {
			break
		}
		if h.framing == nil { // unless the message itself changed it
			h.framing = read
		}
		if n.what != "" {
			found = append(found, message{n, size})
		}
		if size > len(h.unread) {
			h.skip, size = size-len(h.unread), len(h.unread)
		}
		h.unread = h.unread[size:]
	}
	if len(h.unread) > longestMessage {
		return append(found, h.lose(len(fresh)))
	}
	return found
}

// lose gives up on a direction: what follows is only data.
func (h *half) lose(bytes int) message {
	h.lost, h.unread, h.pieces = true, nil, fragments{}
	return streamNote("data", bytes)
}

// guess tells by its first bytes what a stream speaks.
func (c *connection) guess(h *half, b []byte) framing {
	for _, f := range []framing{firstWebSocket, readHTTP, readTLS, readSTUN, readFramed} {
		if _, size := f(c, h, b); size >= 0 {
			return f
		}
	}
	return func(*connection, *half, []byte) (note, int) { return note{}, -1 }
}
