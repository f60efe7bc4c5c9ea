package fleet

import (
	"runtime"
	"sync"
	"time"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/network"
)

// meter measures the generator itself, by the second and over the window.
type meter struct {
	lab *lab

	mu          sync.Mutex // guards what follows
	last        usage
	lastTraffic network.Traffic
	lastCores   float64
	cores       *metrics.Timeline
	in, out     *metrics.Timeline
	from, to    usage
	memory      int64
	sockets     int
	dropsFrom   uint64
	dropsTo     uint64
}

// usage is the process's CPU time at a moment.
type usage struct {
	at  time.Time
	cpu time.Duration
}

func newMeter(l *lab, epoch time.Time) *meter {
	now := time.Now()
	line := func(name, unit string) *metrics.Timeline {
		return metrics.NewTimeline(name, metrics.Tags{}, unit, epoch, metrics.MeanOfSecond)
	}
	return &meter{
		lab: l, last: usage{now, processCPU()}, lastTraffic: trafficOf(l.server),
		cores: line("generator.cpu", "cores"),
		in:    line("bandwidth.server.in", "bit/s"), out: line("bandwidth.server.out", "bit/s"),
	}
}

// second takes the figures of the second that is over.
func (m *meter) second(now time.Time) {
	u, traffic, sockets, memory := usage{now, processCPU()}, trafficOf(m.lab.server), m.lab.net.SocketCount(), residentMemory()
	m.mu.Lock()
	defer m.mu.Unlock()
	seconds := u.at.Sub(m.last.at).Seconds()
	if seconds <= 0 {
		return
	}
	m.lastCores = (u.cpu - m.last.cpu).Seconds() / seconds
	at := m.last.at.Add(u.at.Sub(m.last.at) / 2) // the middle lies in the second it is about
	m.cores.Add(at, m.lastCores)
	if m.lab.server != nil {
		m.in.Add(at, float64(traffic.DownBytes-m.lastTraffic.DownBytes)*8/seconds)
		m.out.Add(at, float64(traffic.UpBytes-m.lastTraffic.UpBytes)*8/seconds)
	}
	m.last, m.lastTraffic = u, traffic
	m.sockets, m.memory = max(m.sockets, sockets), max(m.memory, memory)
}

func (m *meter) cpu() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastCores
}

func (m *meter) startWindow() {
	u, drops := usage{time.Now(), processCPU()}, socketDrops()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from, m.dropsFrom = u, drops
}

func (m *meter) endWindow() {
	u, drops := usage{time.Now(), processCPU()}, socketDrops()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.to, m.dropsTo = u, max(drops, m.dropsFrom) // sockets that closed meanwhile took their count along
	m.sockets, m.memory = max(m.sockets, m.lab.net.SocketCount()), max(m.memory, residentMemory())
}

// window is the CPU time over the window and its length; zero when it did not end.
func (m *meter) window() (cpu, length time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.to.at.IsZero() || m.from.at.IsZero() {
		return 0, 0
	}
	return m.to.cpu - m.from.cpu, m.to.at.Sub(m.from.at)
}

// lines are the series of the cell; the machine's own are left out where its time says nothing.
func (m *meter) lines(virtual bool) []*metrics.Timeline {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []*metrics.Timeline
	if !virtual {
		lines = append(lines, m.cores)
	}
	if m.lab.server != nil {
		lines = append(lines, m.in, m.out)
	}
	return lines
}

func cores() int { return runtime.GOMAXPROCS(0) }
