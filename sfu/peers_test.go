package sfu

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v4"
	"github.com/pion/webrtc/v4"
)

// patience bounds every wait of a test; it is long because the machine may be busy.
const patience = 20 * time.Second

// testHost is a host on loopback that can lose packets of its own choice.
type testHost struct {
	network.Host
	lose func(packet []byte) bool // of outgoing datagrams; may be nil
}

func newTestHost(t testing.TB) *testHost {
	t.Helper()
	return newHostOn(t, network.SocketsConfig{})
}

func newHostOn(t testing.TB, c network.SocketsConfig) *testHost {
	t.Helper()
	n := network.NewSockets(c)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close network: %v", err)
		}
	})
	h, err := n.Attach(network.HostSpec{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	return &testHost{Host: h}
}

func (h *testHost) ListenUDP(proto string, addr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := h.Host.ListenUDP(proto, addr)
	if err != nil || h.lose == nil {
		return c, err
	}
	return &lossyConn{UDPConn: c, lose: h.lose}, nil
}

// lossyConn loses what it is told to, and hides every way round that.
type lossyConn struct {
	transport.UDPConn
	lose func([]byte) bool
}

func (c *lossyConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	if c.lose(p) {
		return len(p), nil
	}
	return c.UDPConn.WriteTo(p, addr)
}

func newTestSFU(t testing.TB, c Config) *SFU {
	t.Helper()
	if c.Host == nil {
		c.Host = newTestHost(t)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func newPeer(t testing.TB, host *testHost) *webrtc.PeerConnection {
	t.Helper()
	engine, err := rtpstream.NewMediaEngine()
	if err != nil {
		t.Fatal(err)
	}
	e := webrtc.SettingEngine{LoggerFactory: silent()}
	e.SetNet(host)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetIncludeLoopbackCandidate(true)
	e.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	e.SetHostAcceptanceMinWait(0)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(engine),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	return pc
}

func described(t testing.TB, pc *webrtc.PeerConnection, d webrtc.SessionDescription) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sdp, err := setLocal(ctx, pc, d)
	if err != nil {
		t.Fatal(err)
	}
	return sdp
}

// waitFor waits until something holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// publisher sends an audio and a video track, and data.
type publisher struct {
	t            testing.TB
	pc           *webrtc.PeerConnection
	in           signaling.Ingress
	audio, video *rtpstream.Track
	videoSender  *webrtc.RTPSender
	channel      *webrtc.DataChannel
	started      chan struct{}
	ended        chan error
	keyframes    atomic.Int32 // asked for
	key          atomic.Bool  // the next frame is a keyframe
	stop         chan struct{}
	stopOnce     sync.Once
	wg           sync.WaitGroup
}

func publish(t testing.TB, s *SFU, room, stream string, withMedia bool) *publisher {
	t.Helper()
	return newPublisher(t, s, newTestHost(t), room, stream, withMedia)
}

// publishFrom is publish from a host that loses some of its packets.
func publishFrom(t testing.TB, s *SFU, room, stream string, lose func([]byte) bool) *publisher {
	t.Helper()
	host := newTestHost(t)
	host.lose = lose
	return newPublisher(t, s, host, room, stream, true)
}

func newPublisher(t testing.TB, s *SFU, host *testHost, room, stream string, withMedia bool) *publisher {
	t.Helper()
	p := &publisher{t: t, pc: newPeer(t, host), started: make(chan struct{}), ended: make(chan error, 1), stop: make(chan struct{})}
	var err error
	p.in, err = s.Publish(signaling.Publication{
		Room: room, Stream: stream, Started: func() { close(p.started) }, Ended: func(err error) { p.ended <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	if p.channel, err = p.pc.CreateDataChannel(stream, nil); err != nil {
		t.Fatal(err)
	}
	if withMedia {
		p.addTracks(stream)
	}
	p.negotiate(nil)
	select {
	case <-p.started:
	case <-time.After(patience):
		t.Fatalf("stream %q did not start", stream)
	}
	return p
}

func (p *publisher) addTracks(stream string) {
	p.audio = rtpstream.NewTrack(rtpstream.TrackConfig{ID: "a", StreamID: stream, Codec: rtpstream.Opus()})
	p.video = rtpstream.NewTrack(rtpstream.TrackConfig{ID: "v", StreamID: stream, Codec: rtpstream.VP8(), Keyframe: func() {
		p.keyframes.Add(1)
		p.key.Store(true)
	}})
	for _, track := range []*rtpstream.Track{p.audio, p.video} {
		sender, err := p.pc.AddTrack(track)
		if err != nil {
			p.t.Fatal(err)
		}
		if track == p.video {
			p.videoSender = sender
		}
		p.wg.Go(func() { track.ServeRTCP(sender) })
	}
	p.wg.Go(p.send)
}

// send sends 50 packets a second on each track, numbered in the payload.
func (p *publisher) send() {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for n := uint16(0); ; n++ {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
		h := rtp.Header{Version: 2, SequenceNumber: n, Timestamp: uint32(n) * 960}
		if err := h.SetExtension(rtpstream.AbsCaptureTimeID, []byte{1, 2, 3, 4, 5, 6, 7, byte(n)}); err != nil {
			p.t.Error(err)
		}
		_ = p.audio.Write(&h, []byte{byte(n >> 8), byte(n)}) // a lost one is missed at the far end
		frame := []byte{0x10, 1, 0, 0, byte(n >> 8), byte(n)}
		if p.key.Swap(false) {
			frame[1] = 0
		}
		h.Timestamp, h.Marker = uint32(n)*1800, true
		_ = p.video.Write(&h, frame)
	}
}

func (p *publisher) negotiate(o *webrtc.OfferOptions) string {
	p.t.Helper()
	offer, err := p.pc.CreateOffer(o)
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := p.in.Answer(ctx, described(p.t, p.pc, offer))
	if err != nil {
		p.t.Fatal(err)
	}
	d := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}
	if err := p.pc.SetRemoteDescription(d); err != nil {
		p.t.Fatal(err)
	}
	return answer
}

func (p *publisher) close() {
	p.stopOnce.Do(func() {
		close(p.stop)
		if err := p.in.Close(); err != nil {
			p.t.Errorf("close ingress: %v", err)
		}
		if err := p.pc.GracefulClose(); err != nil {
			p.t.Errorf("close publisher: %v", err)
		}
		p.wg.Wait()
	})
}

// viewer receives and counts.
type viewer struct {
	t       testing.TB
	name    string
	pc      *webrtc.PeerConnection
	e       signaling.Egress
	offers  chan string
	started chan struct{}
	ended   chan error
	stop    chan struct{}
	once    sync.Once
	wg      sync.WaitGroup

	mu       sync.Mutex
	labels   map[string]string
	received map[string]*reception
	messages []webrtc.DataChannelMessage
	channel  *webrtc.DataChannel
	offered  int
}

// reception is what came of one track.
type reception struct {
	packets, keyframes, reports int
	capture                     []byte
	ended                       bool
	counters                    rtpstream.Counters
}

func play(t testing.TB, s *SFU, room, name, exclude string) *viewer {
	t.Helper()
	return connect(t, newViewer(t, s, room, name, exclude))
}

// playTo is play to a host that loses some of its packets.
func playTo(t testing.TB, s *SFU, room, name string, lose func([]byte) bool) *viewer {
	t.Helper()
	host := newTestHost(t)
	host.lose = lose
	return connect(t, newViewerOn(t, host, s, room, name, ""))
}

func connect(t testing.TB, v *viewer) *viewer {
	t.Helper()
	v.wg.Go(v.answer)
	select {
	case <-v.started:
	case <-time.After(patience):
		t.Fatalf("viewer %q did not connect", v.name)
	}
	return v
}

func newViewer(t testing.TB, s *SFU, room, name, exclude string) *viewer {
	t.Helper()
	return newViewerOn(t, newTestHost(t), s, room, name, exclude)
}

func newViewerOn(t testing.TB, host *testHost, s *SFU, room, name, exclude string) *viewer {
	t.Helper()
	v := &viewer{
		t: t, name: name, pc: newPeer(t, host), offers: make(chan string, 1), started: make(chan struct{}), ended: make(chan error, 1),
		stop: make(chan struct{}), received: map[string]*reception{},
	}
	v.pc.OnTrack(v.onTrack)
	v.pc.OnDataChannel(func(c *webrtc.DataChannel) {
		v.mu.Lock()
		v.channel = c
		v.mu.Unlock()
		c.OnMessage(func(m webrtc.DataChannelMessage) {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.messages = append(v.messages, m)
		})
	})
	var err error
	v.e, err = s.Play(signaling.Viewing{
		Room: room, Viewer: name, Exclude: exclude, MediaStream: "M",
		Label: func(stream, kind string) string { return kind[:1] + ":" + stream },
		Offer: func(sdp string, labels map[string]string) {
			v.mu.Lock()
			v.labels = labels
			v.offered++
			v.mu.Unlock()
			v.offers <- sdp
		},
		Started: func() { close(v.started) },
		Ended:   func(err error) { v.ended <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.close)
	return v
}

func (v *viewer) answer() {
	for {
		var offer string
		select {
		case <-v.stop:
			return
		case offer = <-v.offers:
		}
		err := v.answerOne(offer)
		if errors.Is(err, webrtc.ErrConnectionClosed) || errors.Is(err, ErrClosed) {
			return // one of the two is closing
		}
		select {
		case <-v.stop:
			return // closed in the middle of it: pion has more than one error for that
		default:
		}
		if err != nil {
			v.t.Errorf("viewer %s: %v", v.name, err)
		}
	}
}

func (v *viewer) answerOne(offer string) error {
	d := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	if err := v.pc.SetRemoteDescription(d); err != nil {
		return fmt.Errorf("apply offer: %w", err)
	}
	answer, err := v.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("create answer: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sdp, err := setLocal(ctx, v.pc, answer)
	if err != nil {
		return err
	}
	return v.e.Answer(ctx, sdp)
}

func (v *viewer) onTrack(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	rec := &reception{}
	v.mu.Lock()
	v.received[t.ID()] = rec
	v.mu.Unlock()
	var capture uint8
	for _, e := range r.GetParameters().HeaderExtensions {
		if e.URI == rtpstream.AbsCaptureTimeURI {
			capture = uint8(e.ID)
		}
	}
	state := rtpstream.NewReceiver(uint32(t.SSRC()), int(t.Codec().ClockRate),
		rtpstream.ReceiverConfig{NoRepair: t.Kind() == webrtc.RTPCodecTypeAudio})
	v.wg.Go(func() { v.read(t, rec, state, capture) })
	v.wg.Go(func() {
		for {
			packets, _, err := r.ReadRTCP()
			if err != nil {
				return
			}
			for _, p := range packets {
				if sr, ok := p.(*rtcp.SenderReport); ok && sr.SSRC == uint32(t.SSRC()) {
					v.mu.Lock()
					rec.reports++
					v.mu.Unlock()
				}
			}
		}
	})
}

func (v *viewer) read(t *webrtc.TrackRemote, rec *reception, state *rtpstream.Receiver, capture uint8) {
	for {
		p, _, err := t.ReadRTP()
		v.mu.Lock()
		if err != nil {
			rec.ended = true
			v.mu.Unlock()
			return
		}
		rec.packets++
		if t.Kind() == webrtc.RTPCodecTypeVideo && vp8Keyframe(p.Payload) {
			rec.keyframes++
		}
		rec.capture = p.GetExtension(capture)
		v.mu.Unlock()
		now := time.Now()
		state.Push(&p.Header, len(p.Payload), now)
		if f := state.Feedback(now, nil); len(f) > 0 {
			if err := v.pc.WriteRTCP(f); err != nil {
				return
			}
		}
		v.mu.Lock()
		rec.counters = state.Stats()
		v.mu.Unlock()
	}
}

// got is a copy of what came of a track so far.
func (v *viewer) got(label string) reception {
	v.mu.Lock()
	defer v.mu.Unlock()
	if r := v.received[label]; r != nil {
		return *r
	}
	return reception{}
}

func (v *viewer) texts() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var s []string
	for _, m := range v.messages {
		s = append(s, fmt.Sprintf("%v:%d:%.8s", m.IsString, len(m.Data), m.Data))
	}
	return s
}

func (v *viewer) open() *webrtc.DataChannel {
	v.t.Helper()
	var c *webrtc.DataChannel
	waitFor(v.t, "data channel of "+v.name, func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		c = v.channel
		return c != nil && c.ReadyState() == webrtc.DataChannelStateOpen
	})
	return c
}

func (v *viewer) close() {
	v.once.Do(func() {
		close(v.stop)
		if err := v.e.Close(); err != nil {
			v.t.Errorf("close egress: %v", err)
		}
		if err := v.pc.GracefulClose(); err != nil {
			v.t.Errorf("close viewer: %v", err)
		}
		v.wg.Wait()
	})
}
