package bots

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// connection is one of a bot's media connections; it implements signaling.Connection.
type connection struct {
	s      *stay
	spec   signaling.ConnectionSpec
	pc     *webrtc.PeerConnection
	remote *rtpstream.Candidates
	end    context.CancelFunc // of what its ICE agent dials
	wg     sync.WaitGroup     // readers of tracks and feedback
	born   time.Time
	delay  time.Duration // of every offer and answer, see delayOf
	up     atomic.Bool
	shut   atomic.Bool

	closed   chan struct{} // Close has finished
	closeErr error

	mu      sync.Mutex // guards what follows
	streams map[string]string
	senders map[*rtpstream.Track]*webrtc.RTPSender
	channel *webrtc.DataChannel
	marks   connectionMarks
	packets []rtcp.Packet // reused by feedback
}

// connectionMarks are the moments a connection went through; zero when it did not get there.
type connectionMarks struct {
	negotiating, negotiated   time.Time
	gathering, firstCandidate time.Time
	remoteCandidate           time.Time
	ice, dtls                 time.Time
	candidate                 string // type of the first usable candidate
	offered                   bool   // the first offer was ours
	gathered                  bool   // gathering is over
}

func newConnection(s *stay, spec signaling.ConnectionSpec) (*connection, error) {
	p := s.b.c.Peer
	ctx, end := context.WithCancel(s.ctx)
	pc, err := s.b.c.Stack.open(ctx, s.b.c.Host, spec.Purpose, iceSettings{
		servers: s.b.c.ICEServers, relayOnly: p.RelayOnly, relayWait: p.RelayWait, tlsRoots: s.b.c.TLSRoots,
	})
	if err != nil {
		end()
		return nil, fmt.Errorf("open %s connection: %w", spec.Purpose, err)
	}
	c := &connection{
		s: s, spec: spec, pc: pc, end: end, remote: rtpstream.NewCandidates(pc, s.b.c.ICEGap), born: time.Now(),
		delay: s.b.delayOf(spec), closed: make(chan struct{}), senders: map[*rtpstream.Track]*webrtc.RTPSender{},
	}
	rtpstream.CloseWithPeer(pc, s.b.skew())
	pc.OnICECandidate(c.onCandidate)
	pc.OnICEConnectionStateChange(c.onICE)
	pc.OnConnectionStateChange(c.onState)
	pc.OnTrack(c.onTrack)
	pc.OnDataChannel(c.onDataChannel)
	return c, nil
}

// Offer implements signaling.Connection.
func (c *connection) Offer(ctx context.Context, o signaling.OfferOptions) (string, error) {
	time.Sleep(c.delay)
	release, err := c.s.b.c.Stack.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	c.mark(func(m *connectionMarks) {
		if m.negotiating.IsZero() {
			m.negotiating, m.offered = time.Now(), true
		}
	})
	if err := c.prepareOffer(o); err != nil {
		return "", err
	}
	sdp, err := c.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: o.RestartICE})
	if err != nil {
		return "", fmt.Errorf("create offer: %w", err)
	}
	return c.setLocal(sdp)
}

// prepareOffer gives the offer its tracks, room for the other side's, and on the first one a
// data channel.
func (c *connection) prepareOffer(o signaling.OfferOptions) error {
	if err := c.syncTracks(); err != nil {
		return err
	}
	if c.spec.Purpose == signaling.ToPeer {
		if err := c.makeRoom(webrtc.RTPCodecTypeAudio, max(o.Audio, 1)); err != nil {
			return err
		}
		if err := c.makeRoom(webrtc.RTPCodecTypeVideo, max(o.Video, 1)); err != nil {
			return err
		}
	}
	c.mu.Lock()
	first := c.channel == nil
	c.mu.Unlock()
	if !first {
		return nil
	}
	label := c.spec.Stream
	if label == "" {
		label = c.spec.ID
	}
	d, err := c.pc.CreateDataChannel(label, nil)
	if err != nil {
		return fmt.Errorf("create data channel: %w", err)
	}
	c.useChannel(d)
	return nil
}

// makeRoom sees to it that n tracks of a kind can be received.
func (c *connection) makeRoom(kind webrtc.RTPCodecType, n int) error {
	for _, t := range c.pc.GetTransceivers() {
		d := t.Direction()
		if t.Kind() == kind && (d == webrtc.RTPTransceiverDirectionSendrecv || d == webrtc.RTPTransceiverDirectionRecvonly) {
			n--
		}
	}
	for ; n > 0; n-- {
		_, err := c.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return fmt.Errorf("make room for %s: %w", kind, err)
		}
	}
	return nil
}

// syncTracks makes the connection send exactly what the bot now publishes on it.
func (c *connection) syncTracks() error {
	c.s.mu.Lock()
	outputs := c.carries(c.s.outputs)
	c.s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut.Load() {
		return errClosed
	}
	want := map[*rtpstream.Track]bool{}
	for _, o := range outputs {
		for _, t := range o.tracks() {
			want[t] = true
			if c.senders[t] != nil {
				continue
			}
			sender, err := c.pc.AddTrack(t)
			if err != nil {
				return fmt.Errorf("add track: %w", err)
			}
			c.senders[t] = sender
			c.wg.Go(func() { t.ServeRTCP(sender) })
		}
	}
	for t, sender := range c.senders {
		if want[t] {
			continue
		}
		if err := c.pc.RemoveTrack(sender); err != nil {
			return fmt.Errorf("remove track: %w", err)
		}
		delete(c.senders, t)
	}
	return nil
}

// carries picks the outputs that this connection sends.
func (c *connection) carries(all []*output) []*output {
	switch c.spec.Purpose {
	case signaling.ToPeer:
		return all
	case signaling.ToPublish:
		for _, o := range all {
			if o.id == c.spec.Stream {
				return []*output{o}
			}
		}
	}
	return nil
}

func (c *connection) setLocal(d webrtc.SessionDescription) (string, error) {
	c.mark(func(m *connectionMarks) {
		if m.gathering.IsZero() {
			m.gathering = time.Now()
		}
	})
	if err := c.pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("apply local %s: %w", d.Type, err)
	}
	// Each candidate is signaled by itself. Which of them are here as well, when ICE restarts, is chance.
	return rtpstream.StripCandidates(d.SDP), nil
}

// Answer implements signaling.Connection.
func (c *connection) Answer(ctx context.Context, offer signaling.Description) (string, error) {
	time.Sleep(c.delay)
	release, err := c.s.b.c.Stack.slot(ctx)
	if err != nil {
		return "", err
	}
	defer release()
	c.mark(func(m *connectionMarks) {
		if m.negotiating.IsZero() {
			m.negotiating = time.Now()
		}
	})
	if err := c.syncTracks(); err != nil {
		return "", err
	}
	if err := c.setRemote(webrtc.SDPTypeOffer, offer); err != nil {
		return "", err
	}
	sdp, err := c.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("create answer: %w", err)
	}
	text, err := c.setLocal(sdp)
	if err != nil {
		return "", err
	}
	c.negotiated()
	return text, c.remote.Release()
}

// Accept implements signaling.Connection.
func (c *connection) Accept(ctx context.Context, answer signaling.Description) error {
	release, err := c.s.b.c.Stack.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.setRemote(webrtc.SDPTypeAnswer, answer); err != nil {
		return err
	}
	c.negotiated()
	return c.remote.Release()
}

func (c *connection) negotiated() {
	c.mark(func(m *connectionMarks) {
		if m.negotiated.IsZero() {
			m.negotiated = time.Now()
		}
	})
}

func (c *connection) setRemote(t webrtc.SDPType, d signaling.Description) error {
	now := time.Now()
	c.mu.Lock()
	if d.Streams != nil {
		c.streams = d.Streams
	}
	if c.marks.remoteCandidate.IsZero() && hasCandidate(d.SDP) {
		c.marks.remoteCandidate = now
	}
	c.mu.Unlock()
	if err := c.remote.Describe(webrtc.SessionDescription{Type: t, SDP: d.SDP}); err != nil {
		return fmt.Errorf("apply remote %s: %w", t, err)
	}
	return nil
}

// AddCandidate implements signaling.Connection: candidates that come before the description wait
// for it.
func (c *connection) AddCandidate(k signaling.Candidate) error {
	if k.Candidate == "" {
		return nil
	}
	line := uint16(k.MLine)
	init := webrtc.ICECandidateInit{Candidate: k.Candidate, SDPMLineIndex: &line}
	if k.MID != "" {
		init.SDPMid = &k.MID
	}
	c.mu.Lock()
	if c.marks.remoteCandidate.IsZero() {
		c.marks.remoteCandidate = time.Now()
	}
	c.mu.Unlock()
	return c.remote.Add(init)
}

// Close implements signaling.Connection. It waits for every goroutine of the connection.
func (c *connection) Close() error {
	c.mu.Lock()
	first := !c.shut.Swap(true)
	c.mu.Unlock()
	if !first {
		<-c.closed
		return c.closeErr
	}
	c.s.endInputs(c, c.s.b.now())
	c.end()
	time.Sleep(c.s.b.skew())
	c.closeErr = c.pc.GracefulClose()
	c.wg.Wait()
	c.s.endInputs(c, c.s.b.now()) // what came up while it closed
	close(c.closed)
	return c.closeErr
}

// skew is a little time that no two peers of a room share. What peers do by themselves, and not in
// answer to a packet, they do that much later, so that in virtual time nothing of theirs falls on
// the same instant, where chance would put it in order. Closing a connection waits that long, too:
// see rtpstream.CloseWithPeer.
func (b *Bot) skew() time.Duration {
	return time.Millisecond + time.Duration(b.c.Peer.Index%1000)*7301*time.Nanosecond
}

// delayOf is a time of up to twenty gaps that is a connection's own, and zero without a gap: what
// the connections of a stay begin to do at one instant gets an order.
func (b *Bot) delayOf(spec signaling.ConnectionSpec) time.Duration {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s %s %s", spec.Purpose, spec.ID, spec.Stream) // never fails
	return b.c.ICEGap * 20 * time.Duration(h.Sum32()%delays) / delays
}

// delays is a prime, which spreads what delayOf returns.
const delays = 19997

// goOwned runs f in a goroutine that Close waits for; false once the connection is closing.
func (c *connection) goOwned(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut.Load() {
		return false
	}
	c.wg.Go(f)
	return true
}

func (c *connection) mark(f func(*connectionMarks)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.marks)
}

func (c *connection) moments() connectionMarks {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.marks
}

// isUp tells whether the connection has been able to carry media.
func (c *connection) isUp() bool     { return c.up.Load() }
func (c *connection) isClosed() bool { return c.shut.Load() }

// young tells whether the connection may still be coming up: it has not had the time of a join.
func (c *connection) young(now time.Time) bool {
	return !c.isUp() && now.Sub(c.born) < c.s.b.c.JoinTimeout
}

// feedback sends what the connection's inputs have to say to their senders.
func (c *connection) feedback(now time.Time, inputs []*input, whole bool) {
	if c.isClosed() {
		return
	}
	packets := c.packets[:0]
	for _, in := range inputs {
		if in.conn == c {
			packets = in.feedback(now, packets, whole)
		}
	}
	if whole && c.isUp() {
		packets = c.senderReports(now, packets)
	}
	c.packets = packets
	if len(packets) > 0 {
		_ = c.pc.WriteRTCP(packets) // feedback is sent again; a dead connection shows elsewhere
	}
}
