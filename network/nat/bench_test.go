package nat

import (
	"testing"
	"time"
)

// traffic is a NAT that some mappings use, and the packets of one of them.
func traffic(k Kind) (out, in func()) {
	n := NewTranslator(NAT{Kind: k}, publicAddr(), 1)
	for port := uint16(2000); port < 2500; port++ {
		mapped(n, 0, 2, port)
	}
	now, host, far := start(), address("10.0.0.2:2100"), address("198.51.100.1:3478")
	outside, _ := n.Out(now, UDP, host, far)
	out = func() {
		now = now.Add(time.Microsecond)
		n.Out(now, UDP, host, far)
	}
	return out, func() { n.In(now, UDP, far, outside) }
}

func TestPacketsAllocateNothing(t *testing.T) {
	for _, k := range Kinds() {
		out, in := traffic(k)
		if got := testing.AllocsPerRun(100, func() { out(); in() }); got != 0 {
			t.Errorf("%s: %v allocations for a packet each way, want 0", k, got)
		}
	}
}

func BenchmarkPackets(b *testing.B) {
	for _, k := range []Kind{PortRestricted, Symmetric} {
		out, in := traffic(k)
		b.Run(string(k)+"/out", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out()
			}
		})
		b.Run(string(k)+"/in", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				in()
			}
		})
	}
}
