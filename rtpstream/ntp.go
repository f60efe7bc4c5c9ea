package rtpstream

import "time"

// ntpEpochOffset is the time from the NTP epoch (1900) to the Unix epoch, in seconds.
const ntpEpochOffset = 2208988800

// NTP is a time in the 64-bit NTP format of sender reports: seconds since 1900 in the upper,
// their fraction in the lower half (RFC 3550 section 4).
func NTP(t time.Time) uint64 {
	seconds := uint64(t.Unix() + ntpEpochOffset)
	fraction := (uint64(t.Nanosecond()) << 32) / uint64(time.Second)
	return seconds<<32 | fraction
}

// FromNTP is the time that a 64-bit NTP timestamp of the years up to 2036 stands for.
func FromNTP(ntp uint64) time.Time {
	seconds := int64(ntp>>32) - ntpEpochOffset
	nanos := ((ntp & 0xffffffff) * uint64(time.Second)) >> 32
	return time.Unix(seconds, int64(nanos))
}

// ntpSpan is a span of time in units of 2⁻³² s.
func ntpSpan(d time.Duration) uint64 {
	seconds, rest := d/time.Second, d%time.Second
	return uint64(seconds)<<32 + uint64((int64(rest)<<32)/int64(time.Second))
}

// RoundTrip is the round trip that a reception report shows: the middle 32 bits of the NTP time
// at which it arrived, and its LSR and DLSR fields (RFC 3550 section 6.4.1). It is false when the
// reporter had seen no sender report, or when the clocks cannot be right.
func RoundTrip(arrival, lsr, dlsr uint32) (time.Duration, bool) {
	if lsr == 0 {
		return 0, false
	}
	units := int32(arrival - lsr - dlsr)
	if units < 0 {
		return 0, false
	}
	return time.Duration(units) * time.Second >> 16, true
}

// Middle is the middle 32 bits of an NTP timestamp, as LSR fields carry it.
func Middle(ntp uint64) uint32 { return uint32(ntp >> 16) }
