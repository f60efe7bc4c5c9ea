package antmedia

import "strings"

// The most digits that a session ID (RFC 9429 section 5.2.1: below 2^63) and an SSRC have.
const (
	sessionDigits = 19
	ssrcDigits    = 10
)

// evenLength writes the numbers that are drawn at random for every session description with
// leading zeros, which change no number. Without them a description is some bytes longer in one run
// than in the next, and comes that much later over a link of limited rate.
func evenLength(sdp string) string {
	var b strings.Builder
	b.Grow(len(sdp) + 64)
	for line := range strings.Lines(sdp) {
		switch {
		case strings.HasPrefix(line, "o="):
			user, rest, _ := strings.Cut(line, " ")
			id, rest, ok := strings.Cut(rest, " ")
			if ok && digits(id) == len(id) {
				line = user + " " + widen(id, sessionDigits) + " " + rest
			}
		case strings.HasPrefix(line, "a=ssrc:"):
			rest := line[len("a=ssrc:"):]
			n := digits(rest)
			line = "a=ssrc:" + widen(rest[:n], ssrcDigits) + rest[n:]
		}
		b.WriteString(line)
	}
	return b.String()
}

// digits is how many digits a text begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func widen(number string, width int) string {
	return strings.Repeat("0", max(0, width-len(number))) + number
}
