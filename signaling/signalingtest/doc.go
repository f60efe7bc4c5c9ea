// Package signalingtest has small in-memory stand-ins for what signaling meets: a Conference
// without media and a Connector without connections. They speak session descriptions that have
// little but media sections.
package signalingtest

import (
	"fmt"
	"strings"
)

// SDP is a session description with a section for every kind, such as "audio", "video" and
// "application", with mids counted from 0.
func SDP(kinds ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE")
	for mid := range kinds {
		fmt.Fprintf(&b, " %d", mid)
	}
	b.WriteString("\r\n")
	for mid, kind := range kinds {
		fmt.Fprintf(&b, "m=%s 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:%d\r\n", kind, mid)
		if kind == "video" {
			b.WriteString("a=rtpmap:96 H264/90000\r\n")
		}
	}
	return b.String()
}

// Tracks is a session description with a number of sections of each kind and a data channel.
func Tracks(audio, video int) string {
	var kinds []string
	for range audio {
		kinds = append(kinds, "audio")
	}
	for range video {
		kinds = append(kinds, "video")
	}
	return SDP(append(kinds, "application")...)
}
