package capture

import (
	"bytes"
	"strconv"
	"strings"
)

// longestHead bounds the header of an HTTP message.
const longestHead = 64 << 10

// readHTTP reads requests and responses of HTTP/1.1; only their first lines and what follows
// from their headers matter.
func readHTTP(c *connection, h *half, b []byte) (note, int) {
	if !startsHTTP(b) {
		return note{}, -1
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > longestHead {
			return note{}, -1
		}
		return note{}, 0
	}
	first, rest, _ := strings.Cut(string(b[:end]), "\r\n")
	fields := strings.Fields(first)
	if len(fields) < 2 {
		return note{}, -1
	}
	n, size := note{layer: layerSignaling}, end+4
	response := strings.HasPrefix(fields[0], "HTTP/")
	switch upgrade := strings.EqualFold(header(rest, "Upgrade"), "websocket"); {
	case upgrade && response && fields[1] == "101":
		n.what = "HTTP upgrade response"
		c.upgrade()
	case upgrade && !response:
		n.what = "HTTP upgrade request"
	case response:
		n.what = "HTTP " + printable(strings.Join(fields[1:], " "), 40)
	default:
		n.what = "HTTP " + printable(fields[0], 40)
	}
	if length, err := strconv.Atoi(header(rest, "Content-Length")); err == nil && length > 0 && length < 1<<30 && fields[0] != "HEAD" {
		size += length
	}
	return n, size
}

// upgrade makes both directions speak WebSocket from their next bytes.
func (c *connection) upgrade() {
	for i := range c.halves {
		c.halves[i].framing = readWebSocket
	}
}

// startsHTTP tells whether bytes are, or may become, the beginning of a message.
func startsHTTP(b []byte) bool {
	for _, word := range []string{"GET ", "POST ", "HTTP/1.", "PUT ", "DELETE ", "OPTIONS ", "PATCH ", "HEAD "} {
		if n := min(len(b), len(word)); string(b[:n]) == word[:n] {
			return true
		}
	}
	return false
}

// header is the value of a field among the lines of a header.
func header(lines, name string) string {
	for line := range strings.SplitSeq(lines, "\r\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// printable keeps foreign text short and of printable ASCII.
func printable(s string, limit int) string {
	s = s[:min(len(s), limit)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
