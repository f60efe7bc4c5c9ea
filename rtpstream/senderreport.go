package rtpstream

import (
	"time"

	"github.com/pion/rtcp"
)

// mediaClock ties RTP timestamps to a sender's wall clock: at the local time at, the sender's
// NTP time was ntp and its media clock stood at rtp.
type mediaClock struct {
	ntp  uint64
	rtp  uint32
	at   time.Time
	rate uint32
}

func (c mediaClock) set() bool { return !c.at.IsZero() }

// ntpAt is the sender's NTP time at a local time.
func (c mediaClock) ntpAt(now time.Time) uint64 { return c.ntp + ntpSpan(now.Sub(c.at)) }

func (c mediaClock) rtpAt(now time.Time) uint32 {
	d := now.Sub(c.at)
	ticks := int64(d/time.Second)*int64(c.rate) + int64(d%time.Second)*int64(c.rate)/int64(time.Second)
	return c.rtp + uint32(ticks)
}

// SetClock says what the track's RTP timestamps mean: at the local time at, the wall clock of
// the stream's origin showed ntp and its media clock stood at rtpTime. A source calls it once
// with its own clocks; a forwarder with every sender report it receives, so that receivers can
// synchronise what the origin captured together. Sender reports count on from there.
func (t *Track) SetClock(ntp uint64, rtpTime uint32, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clock = mediaClock{ntp: ntp, rtp: rtpTime, at: at, rate: t.c.Codec.ClockRate}
}

func (t *Track) mediaClock() mediaClock {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock
}

// SenderReport is the report (RFC 3550 section 6.4.1) for the connection that sends with an
// SSRC, without reception reports. It is false before SetClock and before anything was sent on
// that connection.
func (t *Track) SenderReport(ssrc uint32, now time.Time) (*rtcp.SenderReport, bool) {
	b, clock := t.find(ssrc), t.mediaClock()
	if b == nil || !clock.set() {
		return nil, false
	}
	packets := b.packets.Load()
	if packets == 0 {
		return nil, false
	}
	return &rtcp.SenderReport{
		SSRC: ssrc, NTPTime: clock.ntpAt(now), RTPTime: clock.rtpAt(now),
		PacketCount: uint32(packets), OctetCount: uint32(b.octets.Load()),
	}, true
}
