package media

import "time"

const (
	spreadStep  = 500 * time.Microsecond
	spreadCells = 896 // 448 ms; what is beyond counts in the last cell
)

// spread is a histogram of delays above the smallest one seen, for RFC 5481 delay variation. It
// moves along when a smaller delay shows up, so that clocks need not agree.
type spread struct {
	base, least time.Duration // lower edge of cell 0; smallest delay
	n           uint64
	cells       [spreadCells]uint32
}

func (s *spread) reset() { *s = spread{} }

func (s *spread) add(d time.Duration) {
	if s.n == 0 {
		s.base, s.least = d, d
	}
	if d < s.base {
		s.shift(int((s.base - d + spreadStep - 1) / spreadStep))
	}
	s.least = min(s.least, d)
	s.cells[min(int((d-s.base)/spreadStep), spreadCells-1)]++
	s.n++
}

// shift lowers the base by k cells.
func (s *spread) shift(k int) {
	s.base -= time.Duration(k) * spreadStep
	keep := max(0, spreadCells-k)
	var over uint32
	for _, c := range s.cells[keep:] {
		over += c
	}
	copy(s.cells[spreadCells-keep:], s.cells[:keep])
	clear(s.cells[:spreadCells-keep])
	s.cells[spreadCells-1] += over
}

// quantile is the delay variation at quantile q by nearest rank, to half a millisecond and no
// more than 448 ms; 0 without samples.
func (s *spread) quantile(q float64) time.Duration {
	rank := uint64(q * float64(s.n))
	if float64(rank) < q*float64(s.n) {
		rank++
	}
	var seen uint64
	for i, c := range s.cells {
		seen += uint64(c)
		if c > 0 && seen >= rank {
			return max(0, s.base+time.Duration(i)*spreadStep-s.least)
		}
	}
	return 0
}

// beyond counts the delays whose variation is more than d.
func (s *spread) beyond(d time.Duration) uint64 {
	edge := int((s.least + d - s.base) / spreadStep)
	var n uint64
	for i := max(0, edge+1); i < spreadCells; i++ {
		n += uint64(s.cells[i])
	}
	return n
}
