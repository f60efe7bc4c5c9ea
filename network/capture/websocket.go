package capture

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// The opcodes of WebSocket frames (RFC 6455 section 5.2).
const (
	opContinuation = 0
	opText         = 1
	opBinary       = 2
	opClose        = 8
	opPing         = 9
	opPong         = 10
)

// fragments are the frames of a message so far.
type fragments struct {
	opcode     byte
	compressed bool
	data       []byte
}

// readWebSocket reads one frame; the last of a message names it.
func readWebSocket(_ *connection, h *half, b []byte) (note, int) {
	payload, size := frame(b)
	if size <= 0 {
		return note{}, size
	}
	final, opcode := b[0]&0x80 != 0, b[0]&0x0f
	n := note{layer: layerSignaling}
	switch opcode {
	case opClose:
		n.what = "close"
		if len(payload) >= 2 {
			n.what = fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload))
		}
		return n, size
	case opPing:
		n.what, n.repeats = "ping", true
		return n, size
	case opPong:
		n.what, n.repeats = "pong", true
		return n, size
	case opText, opBinary:
		h.pieces = fragments{opcode: opcode, compressed: b[0]&0x40 != 0}
	case opContinuation:
	default:
		return note{}, -1
	}
	h.pieces.data = append(h.pieces.data, payload...)
	if len(h.pieces.data) > longestMessage {
		return note{}, -1
	}
	if final {
		n = h.pieces.note()
		h.pieces = fragments{}
	}
	return n, size
}

// firstWebSocket is readWebSocket for a stream whose beginning was missed: only a whole text frame
// of JSON, a ping or a pong is taken for a frame.
func firstWebSocket(c *connection, h *half, b []byte) (note, int) {
	payload, size := frame(b)
	if size <= 0 {
		return note{}, -1
	}
	switch b[0] {
	case 0x80 | opPing, 0x80 | opPong:
		return readWebSocket(c, h, b)
	case 0x80 | opText:
		if json.Valid(payload) {
			read, size := readWebSocket(c, h, b)
			h.framing = readWebSocket
			return read, size
		}
	}
	return note{}, -1
}

// frame is the unmasked payload of the first frame and the frame's size; 0 where it is not whole.
func frame(b []byte) (payload []byte, size int) {
	if len(b) < 2 {
		return nil, 0
	}
	length, head := uint64(b[1]&0x7f), 2
	switch length {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	masked := b[1]&0x80 != 0
	at := head
	if masked {
		head += 4
	}
	if len(b) < head {
		return nil, 0
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if length > longestMessage {
		return nil, -1
	}
	size = head + int(length)
	if len(b) < size {
		return nil, 0
	}
	payload = append([]byte{}, b[head:size]...)
	if masked {
		for i := range payload {
			payload[i] ^= b[at+i%4]
		}
	}
	return payload, size
}

// note names a whole message.
func (f *fragments) note() note {
	n := note{layer: layerSignaling, what: "message"}
	switch {
	case f.compressed:
		n.what = "compressed message"
	case f.opcode == opBinary:
		n.what = "binary message"
	case f.opcode == opText:
		if what, ok := command(f.data); ok {
			n.what, n.repeats = what, what == "ping" || what == "pong"
		}
	}
	return n
}

// command names a message of Ant Media Server's protocol by its command, with what tells
// descriptions, notifications and errors apart.
func command(b []byte) (string, bool) {
	var m struct{ Command, Type, Definition any }
	if json.Unmarshal(b, &m) != nil {
		return "", false
	}
	word := func(v any) string {
		s, _ := v.(string) // anything else is foreign, and says nothing
		return printable(s, 48)
	}
	what, detail := word(m.Command), ""
	switch what {
	case "":
		return "", false
	case "takeConfiguration":
		detail = word(m.Type)
	case "notification", "error":
		detail = word(m.Definition)
	}
	if detail != "" {
		what += " (" + detail + ")"
	}
	return what, true
}
