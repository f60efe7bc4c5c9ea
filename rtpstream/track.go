// Package rtpstream is one RTP stream at either end: what a sender keeps for repair and reports,
// what a receiver misses and asks for again. It knows no frames and no rooms.
package rtpstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Packets kept for repair when TrackConfig.History is 0.
const (
	defaultVideoHistory = 512
	defaultAudioHistory = 64
)

// TrackConfig describes an outgoing track. ID, StreamID and Codec are required.
type TrackConfig struct {
	ID, StreamID string
	Codec        webrtc.RTPCodecCapability
	Kind         webrtc.RTPCodecType // 0: taken from the codec
	// History is how many packets are kept for repair at most, rounded up to a power of two. 0:
	// 512 of video, 64 of audio. Memory is taken for what 1.5 s of the stream need.
	History int
	// Extensions says what the extension identifiers in headers given to Write mean. nil: the
	// package's own, see Extensions.
	Extensions []webrtc.RTPHeaderExtensionParameter
	// AnyCodec binds the track even to connections that have not negotiated its codec: nothing is
	// sent there, unless SetCodec names one that they have. A forwarder, who learns the codec only
	// from the first packet, sets it.
	AnyCodec bool
	// Keyframe is called when a receiver asks for a keyframe, from the goroutine that reads its
	// feedback; it must not block. It may be nil.
	Keyframe func()
}

// Track is an outgoing RTP stream with any number of connections to be sent on. It implements
// webrtc.TrackLocal. One goroutine at a time may call Write; everything else is safe for
// concurrent use.
type Track struct {
	c       TrackConfig
	ids     []uint8 // of the extensions that are carried over
	history *history

	mu       sync.Mutex // guards c.Codec, clock and changes of bindings
	bindings atomic.Pointer[[]*binding]
	clock    mediaClock

	packets, bytes      atomic.Uint64
	retransmitted       atomic.Uint64
	retransmittedBytes  atomic.Uint64
	unavailable         atomic.Uint64
	refused             atomic.Uint64
	nacks, nackedSeqs   atomic.Uint64
	plis, firs, reports atomic.Uint64
}

// TrackStats counts over a track's whole life and all its connections. NACKs, PLIs and FIRs are
// RTCP packets, as webrtc-stats counts them.
type TrackStats struct {
	Packets, Bytes     uint64 // first transmissions; Bytes are header and payload before SRTP
	Retransmitted      uint64
	RetransmittedBytes uint64
	Unavailable        uint64 // sequence numbers asked for that were not in the history
	Refused            uint64 // sequence numbers asked for again too soon or beyond what a connection may have
	NACKs, NACKedSeqs  uint64
	PLIs, FIRs         uint64
	Reports            uint64 // reception reports
	Connections        int    // bound now
}

var errSSRCTaken = errors.New("SSRC is already in use on this track")

// NewTrack makes a track that is bound to no connection yet.
func NewTrack(c TrackConfig) *Track {
	if c.Kind == 0 {
		c.Kind = kindOf(c.Codec)
	}
	if c.History <= 0 {
		c.History = defaultAudioHistory
		if c.Kind == webrtc.RTPCodecTypeVideo {
			c.History = defaultVideoHistory
		}
	}
	if c.Extensions == nil {
		c.Extensions = Extensions()
	}
	t := &Track{c: c, history: newHistory(c.History, c.Codec.ClockRate+c.Codec.ClockRate/2)}
	for _, e := range c.Extensions {
		if e.ID > 0 && e.ID < 15 && !perConnection(e.URI) {
			t.ids = append(t.ids, uint8(e.ID))
		}
	}
	t.bindings.Store(&[]*binding{})
	return t
}

func kindOf(c webrtc.RTPCodecCapability) webrtc.RTPCodecType {
	if strings.HasPrefix(strings.ToLower(c.MimeType), "audio/") {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// ID is the track ID in the SDP.
func (t *Track) ID() string { return t.c.ID }

// RID is empty: the track has one encoding.
func (t *Track) RID() string { return "" }

// StreamID is the media-stream ID in the SDP.
func (t *Track) StreamID() string { return t.c.StreamID }

// Kind is the track's kind.
func (t *Track) Kind() webrtc.RTPCodecType { return t.c.Kind }

// Codec is the track's codec.
func (t *Track) Codec() webrtc.RTPCodecCapability {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.c.Codec
}

// SetCodec changes the codec of what is written from now on: on each connection it takes the
// payload type negotiated there, without a renegotiation. Where there is none nothing is sent.
func (t *Track) SetCodec(c webrtc.RTPCodecCapability) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.Codec = c
	for _, b := range *t.bindings.Load() {
		b.use(c)
	}
}

// Write sends a packet on every connection that is bound, enabled and up, under that
// connection's SSRC, payload type, sequence numbers and extension identifiers. Header and
// payload are the caller's again when it returns; a copy is kept for repair. A packet may be
// older than earlier ones: a repaired one passes where it belongs. Errors of connections are
// joined and stop no other connection.
func (t *Track) Write(h *rtp.Header, payload []byte) error {
	t.history.put(h, payload, t.ids)
	var err error
	var packets, bytes uint64
	for _, b := range *t.bindings.Load() {
		n, e := b.write(h, payload, t.ids)
		if e != nil {
			err = errors.Join(err, e)
		}
		if n > 0 {
			packets++
			bytes += uint64(n)
		}
	}
	t.packets.Add(packets)
	t.bytes.Add(bytes)
	return err
}

// Bind attaches the track to a connection; pion calls it when the connection's negotiation has
// settled the codec. Packets written before the connection is up are not sent.
func (t *Track) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	b := newBinding(ctx, t.c.Extensions)
	t.mu.Lock()
	defer t.mu.Unlock()
	codec, ok := b.use(t.c.Codec)
	if !ok && (!t.c.AnyCodec || len(b.codecs) == 0) {
		return webrtc.RTPCodecParameters{}, fmt.Errorf("bind %s track: %w", t.c.Codec.MimeType, webrtc.ErrUnsupportedCodec)
	}
	old := *t.bindings.Load()
	for _, o := range old {
		if o.ssrc == b.ssrc {
			return webrtc.RTPCodecParameters{}, errSSRCTaken
		}
	}
	fresh := append(slices.Clone(old), b)
	t.bindings.Store(&fresh)
	return codec, nil
}

// Unbind detaches the track from a connection.
func (t *Track) Unbind(ctx webrtc.TrackLocalContext) error {
	ssrc := uint32(ctx.SSRC())
	t.mu.Lock()
	defer t.mu.Unlock()
	fresh := slices.DeleteFunc(slices.Clone(*t.bindings.Load()), func(b *binding) bool { return b.ssrc == ssrc })
	t.bindings.Store(&fresh)
	return nil
}

// Enable switches sending on the connection that sends with an SSRC. Its sequence numbers show
// no gap where it was off. It does nothing when no such connection is bound.
func (t *Track) Enable(ssrc uint32, on bool) {
	if b := t.find(ssrc); b != nil {
		b.off.Store(!on)
	}
}

func (t *Track) find(ssrc uint32) *binding {
	for _, b := range *t.bindings.Load() {
		if b.ssrc == ssrc {
			return b
		}
	}
	return nil
}

// SSRC is the SSRC with which a sender sends its track.
func SSRC(s *webrtc.RTPSender) uint32 {
	if e := s.GetParameters().Encodings; len(e) > 0 {
		return uint32(e[0].SSRC)
	}
	return 0
}

// Stats is what the track counted so far.
func (t *Track) Stats() TrackStats {
	return TrackStats{
		Packets: t.packets.Load(), Bytes: t.bytes.Load(),
		Retransmitted: t.retransmitted.Load(), RetransmittedBytes: t.retransmittedBytes.Load(),
		Unavailable: t.unavailable.Load(), Refused: t.refused.Load(),
		NACKs: t.nacks.Load(), NACKedSeqs: t.nackedSeqs.Load(),
		PLIs: t.plis.Load(), FIRs: t.firs.Load(), Reports: t.reports.Load(),
		Connections: len(*t.bindings.Load()),
	}
}

// Remote is what the receiver on the connection with an SSRC last reported.
func (t *Track) Remote(ssrc uint32) (Remote, bool) {
	b := t.find(ssrc)
	if b == nil {
		return Remote{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remote, !b.remote.At.IsZero()
}

// Remote is a receiver's view of a stream, from its reception reports.
type Remote struct {
	At        time.Time     // when the report arrived
	RTT       time.Duration // 0: not known
	LossRatio float64       // since its report before
	Lost      int32         // over its whole life, may be negative (RFC 3550 section 6.4.1)
	Jitter    time.Duration
}

// matchCodec finds the negotiated parameters of a codec: the MIME type and, for H.264, the
// packetization mode and profile have to agree; a wrong level does not matter.
func matchCodec(c webrtc.RTPCodecCapability, negotiated []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	best, score := webrtc.RTPCodecParameters{}, 0
	for _, n := range negotiated {
		if !strings.EqualFold(n.MimeType, c.MimeType) {
			continue
		}
		s := 1
		if strings.EqualFold(c.MimeType, webrtc.MimeTypeH264) {
			s += h264Agreement(c.SDPFmtpLine, n.SDPFmtpLine)
		}
		if s > score {
			best, score = n, s
		}
	}
	return best, score > 0
}

func h264Agreement(a, b string) int {
	s := 0
	if fmtp(a, "packetization-mode") == fmtp(b, "packetization-mode") {
		s += 2
	}
	pa, pb := fmtp(a, "profile-level-id"), fmtp(b, "profile-level-id")
	if len(pa) == 6 && len(pb) == 6 && strings.EqualFold(pa[:4], pb[:4]) {
		s++
	}
	return s
}

func fmtp(line, key string) string {
	for part := range strings.SplitSeq(line, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return ""
}
