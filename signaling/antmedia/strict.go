package antmedia

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// What this file holds is where Config.Strict has the server behave as Ant Media Server does, or is
// known to have done, where it is kinder by default. It is what bots and pages are tried against.

const (
	// strictMessage is the longest message that Ant Media Server reads, in characters.
	strictMessage = 81_920
	// restoreTimeout is how long Ant Media Server keeps the session of a publisher whose socket is
	// gone: its webRTCClientStartTimeoutMs.
	restoreTimeout = 10 * time.Second
)

// empty ends what plays a room in which nothing is published any more. The mutex is held.
func (st *stage) empty() {
	if st.server.config.Strict && len(st.live()) == 0 {
		st.finishViewers()
	}
}

// lost remembers the streams of a socket that has gone without a stop. The mutex is held.
func (c *client) lost(at time.Time) {
	if !c.server.config.Strict {
		return
	}
	for id, p := range c.publishers {
		if p.started && !p.ended {
			c.server.lost[id] = at
		}
	}
}

// restored tells whether a stream comes back in time. The mutex is held.
func (s *Server) restored(stream string, now time.Time) bool {
	at, ok := s.lost[stream]
	delete(s.lost, stream)
	for id, at := range s.lost {
		if now.Sub(at) > restoreTimeout {
			delete(s.lost, id)
		}
	}
	return ok && now.Sub(at) <= restoreTimeout
}

// strictOffer is a publisher's offer as Ant Media Server takes it with its own defaults: bundled
// (https://github.com/ant-media/Ant-Media-Server/issues/7894), and H.264 where there is video.
// definition names the error where it takes none of it.
func strictOffer(sdp string) (offer, definition string) {
	if !strings.Contains(sdp, "\na=group:BUNDLE ") {
		return "", defBadRemote
	}
	offer, ok := onlyH264(sdp)
	if !ok {
		return "", defNoCodec
	}
	return offer, ""
}

// onlyH264 takes every other codec from the video sections of a session description. ok is false
// where a section has nothing left.
func onlyH264(sdp string) (string, bool) {
	var b strings.Builder
	ok := true
	for i, section := range strings.Split(sdp, "\nm=") {
		if i > 0 {
			b.WriteString("\nm=")
		}
		if !strings.HasPrefix(section, "video ") || i == 0 {
			b.WriteString(section)
			continue
		}
		kept := payloadsOf(section, "H264/")
		ok = ok && len(kept) > 0
		for number, line := range slices.Collect(strings.Lines(section)) {
			switch payload, about := payloadOf(line); {
			case number == 0:
				fields := strings.Fields(line)
				b.WriteString(strings.Join(append(fields[:min(3, len(fields))], kept...), " ") + "\r\n")
			case about && !slices.Contains(kept, payload):
			default:
				b.WriteString(line)
			}
		}
	}
	return b.String(), ok
}

// payloadsOf are the payload types of a codec in a media section, and those that retransmit them.
func payloadsOf(section, codec string) []string {
	var kept []string
	for line := range strings.Lines(section) {
		if payload, _ := payloadOf(line); strings.Contains(line, "a=rtpmap:"+payload+" "+codec) {
			kept = append(kept, payload)
		}
	}
	for line := range strings.Lines(section) {
		if _, of, ok := strings.Cut(strings.TrimSpace(line), " apt="); ok && slices.Contains(kept, of) {
			payload, _ := payloadOf(line)
			kept = append(kept, payload)
		}
	}
	return kept
}

// payloadOf is the payload type that an attribute is about.
func payloadOf(line string) (payload string, about bool) {
	for _, attribute := range []string{"a=rtpmap:", "a=fmtp:", "a=rtcp-fb:"} {
		if rest, ok := strings.CutPrefix(line, attribute); ok {
			payload, _, _ = strings.Cut(rest, " ")
			return payload, true
		}
	}
	return "", false
}

// trickled takes the candidates out of a session description, for a server that sends them apart.
func trickled(sdp string) (rest string, candidates []signaling.Candidate) {
	var b strings.Builder
	mline, mid := -1, ""
	for line := range strings.Lines(sdp) {
		text := strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(text, "m="):
			mline++
			mid = strconv.Itoa(mline)
		case strings.HasPrefix(text, "a=mid:"):
			mid = text[len("a=mid:"):]
		}
		for i := range candidates { // a section's mid may come after its candidates
			if candidates[i].MLine == mline {
				candidates[i].MID = mid
			}
		}
		switch {
		case strings.HasPrefix(text, "a=candidate:"):
			candidates = append(candidates, signaling.Candidate{Candidate: text[len("a="):], MID: mid, MLine: mline})
		case text == "a=end-of-candidates":
		default:
			b.WriteString(line)
		}
	}
	return b.String(), candidates
}

// trickle sends candidates of a session. The mutex is held.
func (c *client) trickle(id string, candidates []signaling.Candidate) {
	for _, k := range candidates {
		c.send(candidate(id, k.Candidate, k.MID, k.MLine))
	}
}
