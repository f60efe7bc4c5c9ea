package media

// lossRuns follows sequence numbers and counts what is missing and in how many runs. A packet may
// be up to 64 behind the newest to count as arrived.
type lossRuns struct {
	started bool
	highest int64  // extended sequence number
	seen    uint64 // bit i: highest-i arrived, or does not count
	inRun   bool

	lost, runs uint64
}

// arrival is what a packet's sequence number says.
type arrival int

const (
	newest  arrival = iota // ahead of all before it
	repair                 // fills a hole
	useless                // a duplicate, or far too late
)

// add notes a packet; ahead is how far it moved the newest number.
func (l *lossRuns) add(seq uint16) (kind arrival, ahead int64) {
	if !l.started {
		l.started, l.highest, l.seen = true, int64(seq), ^uint64(0)
		return newest, 1
	}
	d := int64(int16(seq - uint16(l.highest)))
	if d > 0 {
		for range d {
			l.leave()
		}
		l.highest += d
		l.seen |= 1
		return newest, d
	}
	if bit := uint64(1) << min(-d, 63); -d < 64 && l.seen&bit == 0 {
		l.seen |= bit
		return repair, 0
	}
	return useless, 0
}

// leave settles the oldest number and makes room for a new one.
func (l *lossRuns) leave() {
	l.settle(l.seen>>63 == 1)
	l.seen <<= 1
}

func (l *lossRuns) settle(arrived bool) {
	if !arrived {
		l.lost++
		if !l.inRun {
			l.runs++
		}
	}
	l.inRun = !arrived
}

// restart counts from the next packet on: holes before it are forgotten.
func (l *lossRuns) restart() { l.seen, l.inRun, l.lost, l.runs = ^uint64(0), false, 0, 0 }

// skip makes the next packet the first of a new count without forgetting the old one: numbers may
// have gone on unseen.
func (l *lossRuns) skip() {
	*l = l.settled()
	l.started = false
}

// settled is a copy in which every hole counts as lost.
func (l lossRuns) settled() lossRuns {
	for range 64 {
		l.leave()
		l.seen |= 1
	}
	return l
}
