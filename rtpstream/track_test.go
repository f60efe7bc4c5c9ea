package rtpstream

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// sent is a packet as a fake connection saw it.
type sent struct {
	Seq       uint16
	Timestamp uint32
	SSRC      uint32
	PT        uint8
	Marker    bool
	Payload   string
	Capture   string // value of the abs-capture-time extension as identified here
}

// connection is a small stand-in for pion's side of a binding.
type connection struct {
	ssrc       uint32
	extensions []webrtc.RTPHeaderExtensionParameter
	codecs     []webrtc.RTPCodecParameters
	up         bool
	keep       bool
	err        error
	packets    []sent
	feedback   chan []rtcp.Packet
}

func newConnection(ssrc uint32) *connection {
	return &connection{
		ssrc: ssrc, up: true, keep: true, feedback: make(chan []rtcp.Packet, 8),
		extensions: []webrtc.RTPHeaderExtensionParameter{{ID: 9, URI: AbsCaptureTimeURI}},
		codecs:     []webrtc.RTPCodecParameters{{RTPCodecCapability: VP8(), PayloadType: 120}},
	}
}

func (c *connection) CodecParameters() []webrtc.RTPCodecParameters { return c.codecs }
func (c *connection) HeaderExtensions() []webrtc.RTPHeaderExtensionParameter {
	return c.extensions
}
func (c *connection) SSRC() webrtc.SSRC                       { return webrtc.SSRC(c.ssrc) }
func (c *connection) SSRCRetransmission() webrtc.SSRC         { return 0 }
func (c *connection) SSRCForwardErrorCorrection() webrtc.SSRC { return 0 }
func (c *connection) WriteStream() webrtc.TrackLocalWriter    { return c }
func (c *connection) ID() string                              { return fmt.Sprint(c.ssrc) }
func (c *connection) RTCPReader() interceptor.RTCPReader      { return c }

func (c *connection) Read(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
	packets, ok := <-c.feedback
	if !ok {
		return 0, a, io.EOF
	}
	raw, err := rtcp.Marshal(packets)
	return copy(b, raw), a, err
}

func (c *connection) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if c.err != nil || !c.up {
		return 0, c.err
	}
	if c.keep {
		c.packets = append(c.packets, sent{
			Seq: h.SequenceNumber, Timestamp: h.Timestamp, SSRC: h.SSRC, PT: h.PayloadType, Marker: h.Marker,
			Payload: string(payload), Capture: string(h.GetExtension(9)),
		})
	}
	return 12 + len(payload), nil
}

func (c *connection) Write([]byte) (int, error) { return 0, errors.New("not used") }

func (c *connection) seqs() []uint16 {
	var s []uint16
	for _, p := range c.packets {
		s = append(s, p.Seq)
	}
	return s
}

func newTestTrack(t testing.TB, connections ...*connection) *Track {
	t.Helper()
	track := NewTrack(TrackConfig{ID: "v", StreamID: "s", Codec: VP8(), History: 16})
	for _, c := range connections {
		if _, err := track.Bind(c); err != nil {
			t.Fatal(err)
		}
	}
	return track
}

func write(t testing.TB, track *Track, seqs ...uint16) {
	t.Helper()
	for _, seq := range seqs {
		h := rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 10, SSRC: 99, PayloadType: 3, Marker: seq%2 == 0}
		if err := h.SetExtension(AbsCaptureTimeID, []byte{byte(seq)}); err != nil {
			t.Fatal(err)
		}
		if err := h.SetExtension(MIDID, []byte("7")); err != nil {
			t.Fatal(err)
		}
		if err := track.Write(&h, []byte{byte(seq), 1, 2}); err != nil {
			t.Fatal(err)
		}
	}
}

// serve runs the feedback of a connection to its end.
func serve(track *Track, c *connection, packets ...rtcp.Packet) {
	c.feedback <- packets
	close(c.feedback)
	track.Serve(c.ssrc, c)
}

func TestWriteMapsToEachConnection(t *testing.T) {
	a, b := newConnection(0x10001), newConnection(0x20005)
	b.extensions = nil
	track := newTestTrack(t, a, b)
	write(t, track, 65535, 0)
	want := []sent{
		{Seq: 1, Timestamp: 655350, SSRC: 0x10001, PT: 120, Payload: "\xff\x01\x02", Capture: "\xff"},
		{Seq: 2, Timestamp: 0, SSRC: 0x10001, PT: 120, Marker: true, Payload: "\x00\x01\x02", Capture: "\x00"},
	}
	if d := cmp.Diff(want, a.packets); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]uint16{5, 6}, b.seqs()); d != "" {
		t.Error(d)
	}
	if b.packets[0].Capture != "" {
		t.Error("an extension was sent that had not been negotiated")
	}
	if got, want := track.Stats(), (TrackStats{Packets: 4, Bytes: 60, Connections: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNoGapWhereSendingWasOff(t *testing.T) {
	c := newConnection(100)
	track := newTestTrack(t, c)
	c.up = false
	write(t, track, 10, 11)
	c.up = true
	write(t, track, 12, 14, 13)
	track.Enable(100, false)
	write(t, track, 15, 16, 17)
	track.Enable(100, true)
	write(t, track, 19, 18, 20) // 18 is from before
	if d := cmp.Diff([]uint16{100, 102, 101, 103, 104}, c.seqs()); d != "" {
		t.Error(d)
	}
}

func TestRepairAcrossSwitches(t *testing.T) {
	c, other := newConnection(100), newConnection(200)
	track := newTestTrack(t, c, other)
	write(t, track, 10, 11, 12)
	track.Enable(100, false)
	write(t, track, 13, 14)
	track.Enable(100, true)
	write(t, track, 15, 16)
	c.packets, other.packets = nil, nil
	serve(track, c, &rtcp.TransportLayerNack{MediaSSRC: 100, Nacks: rtcp.NackPairsFromSequenceNumbers([]uint16{101, 103, 104, 105})})
	want := []sent{
		{Seq: 101, Timestamp: 110, SSRC: 100, PT: 120, Payload: "\x0b\x01\x02", Capture: "\x0b"},
		{Seq: 103, Timestamp: 150, SSRC: 100, PT: 120, Payload: "\x0f\x01\x02", Capture: "\x0f"},
		{Seq: 104, Timestamp: 160, SSRC: 100, PT: 120, Marker: true, Payload: "\x10\x01\x02", Capture: "\x10"},
	}
	if d := cmp.Diff(want, c.packets); d != "" {
		t.Error(d)
	}
	if len(other.packets) != 0 {
		t.Error("a repair went to a connection that had not asked")
	}
	got := track.Stats()
	if got.NACKs != 1 || got.NACKedSeqs != 4 || got.Retransmitted != 3 || got.Unavailable != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestLongStreamAndRestartedSource(t *testing.T) {
	c := newConnection(100)
	c.keep = false
	track := newTestTrack(t, c)
	track.Enable(100, false)
	write(t, track, 1)
	track.Enable(100, true)
	for seq := range 200_000 {
		write(t, track, uint16(seq))
	}
	c.keep = true
	write(t, track, 200_000&0xffff, 20_001, 20_002)
	first := uint16(100 + 200_000&0xffff)
	if d := cmp.Diff([]uint16{first, first + 1, first + 2}, c.seqs()); d != "" {
		t.Error(d)
	}
	c.packets = nil
	serve(track, c, &rtcp.TransportLayerNack{MediaSSRC: 100, Nacks: []rtcp.NackPair{{PacketID: first + 1}, {PacketID: first}}})
	if d := cmp.Diff([]uint16{first + 1, first}, c.seqs()); d != "" {
		t.Error(d)
	}
}

func TestHistoryFollowsTheRate(t *testing.T) {
	for _, c := range []struct {
		name       string
		perSecond  int
		want, kept int // slots, and packets back that can still be had
	}{
		{"slow", 30, 64, 64},
		{"camera", 60, 128, 128},
		{"fast", 200, 512, 512},
		{"too fast", 2000, 512, 512},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHistory(512, 135000)
			for seq := range 5000 {
				h.put(&rtp.Header{SequenceNumber: uint16(seq), Timestamp: uint32(seq * 90000 / c.perSecond)}, []byte{1}, nil)
			}
			if got := len(h.slots); got != c.want {
				t.Errorf("got %d slots, want %d", got, c.want)
			}
			var s stored
			if !h.get(uint16(5000-c.kept), &s) || h.get(uint16(5000-c.kept-1), &s) {
				t.Errorf("want exactly the last %d packets kept", c.kept)
			}
		})
	}
}

func TestFeedback(t *testing.T) {
	c, keyframes := newConnection(100), 0
	track := NewTrack(TrackConfig{ID: "v", StreamID: "s", Codec: VP8(), Keyframe: func() { keyframes++ }})
	if _, err := track.Bind(c); err != nil {
		t.Fatal(err)
	}
	// Half a second ago, the report that is answered now with no delay in between.
	sentAt := time.Now().Add(-500 * time.Millisecond)
	track.SetClock(NTP(sentAt), 1234, sentAt)
	write(t, track, 1)
	serve(track, c,
		&rtcp.PictureLossIndication{MediaSSRC: 100},
		&rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 100}}},
		&rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{
			{SSRC: 100, FractionLost: 64, TotalLost: 0xffffff, Jitter: 90, LastSenderReport: Middle(NTP(sentAt))},
		}},
	)
	if keyframes != 2 {
		t.Errorf("got %d keyframe requests, want 2", keyframes)
	}
	got, ok := track.Remote(100)
	if !ok || got.LossRatio != 0.25 || got.Lost != -1 || got.Jitter != time.Millisecond {
		t.Errorf("got %+v, %v", got, ok)
	}
	if got.RTT < 500*time.Millisecond || got.RTT > 5*time.Second {
		t.Errorf("got a round trip of %v, want a little over 500 ms", got.RTT)
	}
}

func TestSenderReport(t *testing.T) {
	c := newConnection(100)
	track := newTestTrack(t, c)
	if _, ok := track.SenderReport(100, epoch); ok {
		t.Error("a report before the clock was set")
	}
	track.SetClock(NTP(epoch), 1000, epoch)
	if _, ok := track.SenderReport(100, epoch); ok {
		t.Error("a report before anything was sent")
	}
	write(t, track, 1, 2)
	got, ok := track.SenderReport(100, at(1500*time.Millisecond))
	want := &rtcp.SenderReport{
		SSRC: 100, NTPTime: NTP(epoch) + 3<<31, RTPTime: 1000 + 135000, PacketCount: 2, OctetCount: 6,
	}
	if !ok {
		t.Fatal("no report")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBindChoosesTheCodec(t *testing.T) {
	mode0 := H264()
	mode0.SDPFmtpLine = "packetization-mode=0;profile-level-id=42e01f"
	c := newConnection(1)
	c.codecs = []webrtc.RTPCodecParameters{
		{RTPCodecCapability: VP8(), PayloadType: 96},
		{RTPCodecCapability: mode0, PayloadType: 97},
		{RTPCodecCapability: H264(), PayloadType: 98},
	}
	got, err := NewTrack(TrackConfig{Codec: H264()}).Bind(c)
	if err != nil || got.PayloadType != 98 {
		t.Errorf("got payload type %d, %v, want 98", got.PayloadType, err)
	}
	if _, err := NewTrack(TrackConfig{Codec: Opus()}).Bind(c); !errors.Is(err, webrtc.ErrUnsupportedCodec) {
		t.Errorf("got %v, want ErrUnsupportedCodec", err)
	}
}

func TestCodecIsLearntLater(t *testing.T) {
	c := newConnection(100)
	track := NewTrack(TrackConfig{Codec: H264(), AnyCodec: true})
	if _, err := track.Bind(c); err != nil {
		t.Fatal(err)
	}
	write(t, track, 1, 2)
	track.SetCodec(VP8())
	write(t, track, 3)
	if len(c.packets) != 1 || c.packets[0].PT != 120 || c.packets[0].Seq != 100 {
		t.Errorf("got %+v, want one packet of payload type 120", c.packets)
	}
}

func TestUnbindAndErrors(t *testing.T) {
	a, b := newConnection(1), newConnection(2)
	track := newTestTrack(t, a, b)
	if _, err := track.Bind(newConnection(2)); err == nil {
		t.Error("an SSRC was bound twice")
	}
	a.err = errors.New("gone")
	h := rtp.Header{SequenceNumber: 5}
	if err := track.Write(&h, []byte{1}); !errors.Is(err, a.err) {
		t.Errorf("got %v, want %v", err, a.err)
	}
	if len(b.packets) != 1 {
		t.Error("an error on one connection kept a packet from another")
	}
	if err := track.Unbind(a); err != nil {
		t.Fatal(err)
	}
	if got := track.Stats().Connections; got != 1 {
		t.Errorf("got %d connections, want 1", got)
	}
}

func FuzzServe(f *testing.F) {
	nack, _ := (&rtcp.TransportLayerNack{MediaSSRC: 100, Nacks: []rtcp.NackPair{{PacketID: 100, LostPackets: 0xffff}}}).Marshal()
	pli, _ := (&rtcp.PictureLossIndication{MediaSSRC: 100}).Marshal()
	f.Add(nack)
	f.Add(append(nack, pli...))
	f.Add([]byte{0x81, 201, 0, 7})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := newConnection(100)
		track := newTestTrack(t, c)
		write(t, track, 1, 2, 3)
		first := true
		track.serve(func(b []byte) (int, interceptor.Attributes, error) {
			if !first {
				return 0, nil, io.EOF
			}
			first = false
			return copy(b, raw), nil, nil
		}, func() uint32 { return 100 })
	})
}

func newBenchTrack(b testing.TB, connections int) *Track {
	track := NewTrack(TrackConfig{ID: "v", StreamID: "s", Codec: VP8()})
	for i := range connections {
		c := newConnection(uint32(i + 1))
		c.keep = false
		if _, err := track.Bind(c); err != nil {
			b.Fatal(err)
		}
	}
	return track
}

func TestWriteDoesNotAllocate(t *testing.T) {
	track := newBenchTrack(t, 3)
	h := rtp.Header{}
	if err := h.SetExtension(AbsCaptureTimeID, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 1100)
	step := func() {
		h.SequenceNumber++
		if err := track.Write(&h, payload); err != nil {
			t.Fatal(err)
		}
	}
	for range 600 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("got %v allocations per packet, want 0", n)
	}
}

func BenchmarkTrackWrite(b *testing.B) {
	for _, n := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("connections=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			track := newBenchTrack(b, n)
			h := rtp.Header{}
			if err := h.SetExtension(AbsCaptureTimeID, make([]byte, 8)); err != nil {
				b.Fatal(err)
			}
			payload := make([]byte, 1100)
			for b.Loop() {
				h.SequenceNumber++
				if err := track.Write(&h, payload); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/forward")
		})
	}
}
