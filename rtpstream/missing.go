package rtpstream

import "time"

// gap is a packet that is missing and may still come.
type gap struct {
	seq     uint64 // extended
	noticed time.Time
	due     time.Time // when to ask next
	asked   time.Time // first; zero: never
	asks    int
}

// maxGaps bounds the packets waited for at once; the oldest give way.
const maxGaps = 512

// missing is the ordered list of a stream's gaps.
type missing struct{ gaps []gap }

// find is the index of a gap, or -1. Late packets are mostly recent, so it searches backwards.
func (m *missing) find(seq uint64) int {
	for i := len(m.gaps) - 1; i >= 0 && m.gaps[i].seq >= seq; i-- {
		if m.gaps[i].seq == seq {
			return i
		}
	}
	return -1
}

func (m *missing) remove(i int) { m.gaps = append(m.gaps[:i], m.gaps[i+1:]...) }

// add appends a gap; when there are too many, the oldest is returned as given up.
func (m *missing) add(g gap) (oldest gap, overflow bool) {
	if len(m.gaps) == maxGaps {
		oldest, overflow = m.gaps[0], true
		m.remove(0)
	}
	m.gaps = append(m.gaps, g)
	return oldest, overflow
}
