package bots

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/bots/media"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// repairTime is how long a lost packet is asked for again, and its frame waited for: as a browser,
// which rather shows a late frame than a broken one, and not so long that a call freezes for good.
const repairTime = time.Second

// tailSilence is how long a track must have been quiet at the end of the window for the rest of it
// to count as lost: no sequence number tells of packets after the last. DTX pauses for 400 ms.
const tailSilence = time.Second

// input is one received track: what arrives, what is missing, and how it would look and sound.
type input struct {
	conn         *connection
	track        *webrtc.TrackRemote
	receiver     *webrtc.RTPReceiver
	stream, kind string
	captureID    uint8 // of abs-capture-time on this connection; 0: not negotiated

	mu         sync.Mutex // guards what follows
	rtp        *rtpstream.Receiver
	video      *media.VideoSink
	audio      *media.AudioSink
	delay      *metrics.Hist // of the window
	jitter     *metrics.Hist
	inWindow   bool
	finished   bool
	expected   bool
	windowFrom time.Time
	tail       float64           // silence at the window's end, as a share of the time before it
	windowed   bool              // a window was opened; its report has not been handed over
	look       media.VideoReport // at the end of the window
	sound      media.AudioReport
	second     rtpstream.Counters // at the last whole second
	lastPacket time.Time
	packets    uint64
	framed     bool
	plis       int
	secondSum  int64 // of frame delays since the last whole second, µs
	secondN    int64
	outageFrom time.Time // last frame before a disturbance; zero: none under way
	lastFrame  time.Time
}

func newInput(c *connection, t *webrtc.TrackRemote, r *webrtc.RTPReceiver) (*input, error) {
	in := &input{
		conn: c, track: t, receiver: r, stream: c.streamOf(t, r), kind: t.Kind().String(),
		expected: true, lastPacket: c.s.b.now(),
	}
	in.rtp = rtpstream.NewReceiver(uint32(t.SSRC()), int(t.Codec().ClockRate), rtpstream.ReceiverConfig{
		NoRepair: t.Kind() == webrtc.RTPCodecTypeAudio, GiveUp: repairTime,
	})
	if in.stream == "" {
		return nil, fmt.Errorf("a %s track belongs to no stream", in.kind)
	}
	for _, e := range r.GetParameters().HeaderExtensions {
		if e.URI == rtpstream.AbsCaptureTimeURI {
			in.captureID = uint8(e.ID)
		}
	}
	if t.Kind() == webrtc.RTPCodecTypeVideo {
		in.video = media.NewVideoSink(media.VideoSinkConfig{
			Codec: codecOf(t.Codec().MimeType), Deadline: repairTime, Delay: in.onDelay,
		}, in.lastPacket)
	} else {
		in.audio = media.NewAudioSink(media.AudioSinkConfig{Delay: in.onDelay}, in.lastPacket)
	}
	return in, nil
}

// codecOf is the codec of a MIME type such as video/VP8.
func codecOf(mime string) media.Codec {
	_, name, _ := strings.Cut(mime, "/")
	return media.Codec(strings.ToLower(name))
}

// onDelay is called by the sink, inside push or tick, for every complete frame.
func (in *input) onDelay(us int64) {
	in.secondSum += us
	in.secondN++
	if in.inWindow {
		in.delay.Record(us)
	}
}

func (s *stay) addInput(in *input) bool {
	now := s.b.now()
	s.mu.Lock()
	if s.leaving {
		s.mu.Unlock()
		return false
	}
	inputs := make([]*input, 0, len(s.inputs)+1)
	s.inputs = append(append(inputs, s.inputs...), in) // readers keep the old slice
	off := s.muted[dueTrack{in.stream, in.kind}]
	s.mu.Unlock()
	if off {
		in.expect(false, now)
	}
	if _, open := s.b.inWindow(); open {
		in.startWindow(now)
	}
	return true
}

// endInputs reports the tracks of a connection that closes, and forgets them.
func (s *stay) endInputs(c *connection, now time.Time) {
	s.mu.Lock()
	kept, gone := make([]*input, 0, len(s.inputs)), []*input{}
	for _, in := range s.inputs {
		if in.conn == c {
			gone = append(gone, in)
		} else {
			kept = append(kept, in)
		}
	}
	s.inputs = kept
	s.mu.Unlock()
	for _, in := range gone {
		in.end(now)
	}
}

// read takes the track's packets until it ends.
func (in *input) read() {
	buf := make([]byte, 1500)
	var h rtp.Header
	for {
		n, _, err := in.track.Read(buf)
		if err != nil {
			in.end(in.conn.s.b.now())
			return
		}
		now := in.conn.s.b.now()
		size, err := h.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		end := n
		if h.Padding && n > size {
			end -= int(buf[n-1])
		}
		if end >= size {
			in.push(&h, buf[size:end], n, now)
		}
	}
}

func (in *input) push(h *rtp.Header, payload []byte, size int, now time.Time) {
	in.mu.Lock()
	if in.finished {
		in.mu.Unlock()
		return
	}
	first := in.packets == 0
	in.packets++
	in.lastPacket = now
	verdict := in.rtp.Push(h, size, now)
	framed := false
	if verdict == rtpstream.Fresh || verdict == rtpstream.Repaired {
		if in.video != nil {
			before := in.video.LastFrameAt()
			in.video.Push(payload, h.Timestamp, h.SequenceNumber, h.Marker, now)
			framed = in.video.LastFrameAt() != before
		} else {
			captured, _ := media.ParseAbsCaptureTime(h.GetExtension(in.captureID))
			in.audio.Push(captured, h.Timestamp, h.SequenceNumber, now)
			framed = true
		}
	}
	news := framed && !in.framed
	in.framed = in.framed || framed
	if framed {
		in.frameLocked(now)
	}
	in.mu.Unlock()
	if first || news {
		in.conn.s.arrived(in, news, now)
	}
}

// frameLocked notes a rendered frame and closes an outage that waited for it.
func (in *input) frameLocked(now time.Time) {
	if !in.outageFrom.IsZero() {
		in.conn.s.b.tally.outage(in.tags(), now.Sub(in.outageFrom))
		in.outageFrom = time.Time{}
	}
	in.lastFrame = now
}

// disturb marks the start of a disturbance whose outage is to be measured.
func (in *input) disturb() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.framed && in.expected && in.outageFrom.IsZero() {
		in.outageFrom = in.lastFrame
	}
}

// readRTCP takes the sender's reports until the track ends.
func (in *input) readRTCP() {
	for {
		packets, _, err := in.receiver.ReadRTCP()
		if err != nil {
			return
		}
		now := time.Now()
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok && sr.SSRC == uint32(in.track.SSRC()) {
				in.mu.Lock()
				in.rtp.PushSR(sr.NTPTime, now)
				in.mu.Unlock()
			}
		}
	}
}

// feedback appends what the track asks of its sender: repairs, a keyframe, and every second a
// reception report.
func (in *input) feedback(now time.Time, packets []rtcp.Packet, whole bool) []rtcp.Packet {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.finished {
		return packets
	}
	packets = in.rtp.Feedback(now, packets)
	if in.video != nil {
		before := in.video.LastFrameAt()
		in.video.Tick(now)
		if in.video.LastFrameAt() != before {
			in.frameLocked(now)
		}
		if in.expected && in.video.NeedKeyframe(now) {
			in.plis++
			packets = append(packets, &rtcp.PictureLossIndication{MediaSSRC: uint32(in.track.SSRC())})
		}
	}
	if whole {
		packets = append(packets, &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{in.rtp.Report(now)}})
		in.secondLocked(now)
	}
	return packets
}

// secondLocked adds the last second to the per-second series.
func (in *input) secondLocked(now time.Time) {
	st := in.rtp.Stats()
	if in.inWindow && st.Received > in.second.Received {
		in.jitter.Record(in.rtp.Jitter().Microseconds())
	}
	in.conn.s.b.tally.second(now, in.kind, secondOf{
		delaySum: in.secondSum, delayN: in.secondN,
		expected: st.Expected - in.second.Expected, lost: st.Lost - in.second.Lost,
	})
	in.second, in.secondSum, in.secondN = st, 0, 0
}

func (in *input) hasPackets() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.packets > 0
}

func (in *input) expectedNow() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.expected && !in.finished
}

func (in *input) silentSince(now time.Time) time.Duration {
	in.mu.Lock()
	defer in.mu.Unlock()
	return now.Sub(in.lastPacket)
}

func (in *input) expect(on bool, now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.expected = on
	if on {
		in.lastPacket = now
	} else {
		in.outageFrom = time.Time{}
	}
	if in.video != nil {
		in.video.Expect(on, now)
	} else {
		in.audio.Expect(on, now)
	}
}

func (in *input) startWindow(now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.finished || in.windowed {
		return
	}
	in.inWindow, in.windowed, in.windowFrom = true, true, now
	in.delay, in.jitter = metrics.NewHist(), metrics.NewHist()
	in.plis = 0
	in.rtp.StartWindow()
	if in.video != nil {
		in.video.StartWindow(now)
	} else {
		in.audio.StartWindow(now)
	}
}

// endWindow closes the window; what is being repaired is waited for until end.
func (in *input) endWindow(now time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.inWindow {
		return
	}
	in.inWindow = false
	in.rtp.EndWindow()
	if quiet := now.Sub(in.lastPacket); in.expected && quiet > tailSilence && in.lastPacket.After(in.windowFrom) {
		in.tail = quiet.Seconds() / in.lastPacket.Sub(in.windowFrom).Seconds()
	}
	if in.video != nil {
		in.look = in.video.EndWindow(now)
	} else {
		in.sound = in.audio.EndWindow(now)
	}
}

func (in *input) measured() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.windowed
}

// end closes the track and hands the window's figures to the tally, once.
func (in *input) end(now time.Time) {
	in.endWindow(now)
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.windowed {
		in.windowed = false
		in.conn.s.b.tally.track(in.reportLocked(in.look, in.sound))
	}
	in.finished = true
}
