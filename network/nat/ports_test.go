package nat

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"
)

// shrunk is a NAT that has only the ports from low to high.
func shrunk(c NAT, low, high uint16) *Translator {
	n := NewTranslator(c, publicAddr(), 1)
	n.ports.low, n.ports.high = low, high
	return n
}

// mapped is the outside port of an inside socket, 0 if there is none left.
func mapped(n *Translator, at time.Duration, host byte, port uint16) uint16 {
	from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, host}), port)
	outside, _ := n.Out(start().Add(at), UDP, from, address("198.51.100.1:3478"))
	return outside.Port()
}

// TestPreserve checks RFC 4787 REQ-3: no port is overloaded. Unlike its REQ-3a, a well-known port
// gets one that is not.
func TestPreserve(t *testing.T) {
	n := NewTranslator(NAT{Kind: PortRestricted}, publicAddr(), 1)
	if got := mapped(n, 0, 2, 40001); got != 40001 {
		t.Errorf("free: got %d, want 40001", got)
	}
	if got := mapped(n, 0, 3, 40001); got == 40001 || got < 1024 || got%2 != 1 {
		t.Errorf("taken: got %d, want another odd port from 1024 on", got)
	}
	if got := mapped(n, 0, 2, 40001); got != 40001 {
		t.Errorf("again: got %d, want 40001", got)
	}
	if got := mapped(n, 0, 2, 500); got < 1024 || got%2 != 0 {
		t.Errorf("well-known: got %d, want an even port from 1024 on", got)
	}
	outside, _ := n.Out(start(), TCP, address("10.0.0.3:40001"), address("198.51.100.1:443"))
	if outside.Port() != 40001 {
		t.Errorf("TCP: got %d, want 40001", outside.Port())
	}
	if got := mapped(n, 2*time.Minute, 3, 40001); got != 40001 {
		t.Errorf("free again: got %d, want 40001", got)
	}
}

// TestParity checks RFC 4787 REQ-4.
func TestParity(t *testing.T) {
	n := NewTranslator(NAT{Kind: FullCone, Ports: Parity}, publicAddr(), 1)
	same := 0
	for port := uint16(5000); port < 6000; port++ {
		got := mapped(n, 0, 2, port)
		if got%2 != port%2 {
			t.Fatalf("port %d: got %d, want its parity", port, got)
		}
		if got == port {
			same++
		}
	}
	if same > 10 {
		t.Errorf("%d of 1000 ports preserved, want chance", same)
	}
}

// TestRandom checks the default of symmetric NATs: a port cannot be told from the one before, but
// for who has the seed.
func TestRandom(t *testing.T) {
	ports := func(seed uint64) (ports []uint16) {
		n := NewTranslator(NAT{Kind: Symmetric}, publicAddr(), seed)
		for i := range 1000 {
			to := netip.AddrPortFrom(netip.MustParseAddr("198.51.100.1"), uint16(1+i))
			outside, _ := n.Out(start(), UDP, address("10.0.0.2:40000"), to)
			ports = append(ports, outside.Port())
		}
		return ports
	}
	one, again, other := ports(1), ports(1), ports(2)
	seen, near, odd := map[uint16]bool{}, 0, 0
	for i, p := range one {
		if p != again[i] {
			t.Fatalf("port %d: got %d, then %d from the same seed", i, p, again[i])
		}
		if seen[p] {
			t.Fatalf("port %d given out twice", p)
		}
		seen[p] = true
		odd += int(p % 2)
		if i > 0 && max(p, one[i-1])-min(p, one[i-1]) < 64 || p == other[i] {
			near++
		}
	}
	if near > 20 || odd < 400 || odd > 600 {
		t.Errorf("%d of 1000 near to another, %d odd; want chance", near, odd)
	}
}

func TestExhaustion(t *testing.T) {
	for _, c := range []struct {
		ports     Ports
		low, high uint16
		inside    uint16
		want      int // how many sockets get a port
	}{
		{Random, 2000, 2008, 40000, 9},
		{Parity, 2000, 2008, 40000, 5},
		{Parity, 2000, 2008, 40001, 4},
		{Preserve, 2001, 2008, 40000, 4},
		{Preserve, 2001, 2008, 2002, 4},
		{Preserve, 2001, 2009, 40001, 5},
	} {
		n := shrunk(NAT{Kind: FullCone, Ports: c.ports}, c.low, c.high)
		seen := map[uint16]bool{}
		for host := range byte(20) {
			got := mapped(n, 0, host, c.inside)
			if got == 0 {
				continue
			}
			if got < c.low || got > c.high || seen[got] {
				t.Fatalf("%+v: port %d is out of range or taken", c, got)
			}
			seen[got] = true
		}
		if len(seen) != c.want {
			t.Errorf("%+v: %d ports, want %d", c, len(seen), c.want)
		}
		if got := mapped(n, 0, 0, c.inside); got == 0 {
			t.Errorf("%+v: a socket that has a port lost it", c)
		}
		if got := mapped(n, 2*time.Minute, 99, c.inside); got == 0 {
			t.Errorf("%+v: no port after all others ended", c)
		}
	}
}

func TestPermissionsAreBounded(t *testing.T) {
	n := NewTranslator(NAT{Kind: Restricted}, publicAddr(), 1)
	n.limit = 3
	host := address("10.0.0.2:40000")
	for i, want := range []bool{true, true, true, false, false} {
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}), 9)
		if _, ok := n.Out(start(), UDP, host, to); ok != want {
			t.Errorf("far end %d: got %v, want %v", i, ok, want)
		}
	}
	if _, ok := n.Out(start(), UDP, host, address("198.51.100.2:77")); !ok {
		t.Error("a far end that had room lost it")
	}
	if _, ok := n.Out(start().Add(2*time.Minute), UDP, host, address("198.51.100.9:9")); !ok {
		t.Error("no room after all others ended")
	}
}

// TestBookkeeping compares what a NAT says with a plain table, through many random packets.
func TestBookkeeping(t *testing.T) {
	type entry struct {
		outside netip.AddrPort
		ends    time.Time
	}
	for _, k := range Kinds()[1:] {
		n, random := shrunk(NAT{Kind: k, Timeout: time.Second}, 2000, 2099), rand.New(rand.NewPCG(1, 2))
		now, table := start(), map[insideKey]entry{}
		for range 20000 {
			now = now.Add(time.Duration(random.IntN(40)) * time.Millisecond)
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(random.IntN(4))}), uint16(2000+random.IntN(8)))
			to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, 100, byte(random.IntN(2))}), uint16(1+random.IntN(2)))
			key := insideKey{UDP, from, k.Mapping().part(to)}
			outside, ok := n.Out(now, UDP, from, to)
			maps.DeleteFunc(table, func(_ insideKey, e entry) bool { return !e.ends.After(now) })
			if old, lives := table[key]; lives && (!ok || outside != old.outside) {
				t.Fatalf("%s: mapping changed from %v to %v", k, old.outside, outside)
			}
			for other, e := range table {
				if ok && other != key && e.outside == outside {
					t.Fatalf("%s: %v belongs to two", k, outside)
				}
			}
			if ok {
				table[key] = entry{outside, now.Add(time.Second)}
				if inside, v := n.In(now, UDP, to, outside); inside != from || v != Passed {
					t.Fatalf("%s: answer reaches %v (%v), want %v", k, inside, v, from)
				}
			}
			if len(n.inside) != len(table) {
				t.Fatalf("%s: %d mappings, want %d", k, len(n.inside), len(table))
			}
		}
		now = now.Add(time.Second)
		n.advance(now)
		if len(n.inside)+len(n.ports.bound)+n.permissions+n.ports.taken[UDP][0]+n.ports.taken[UDP][1] != 0 ||
			n.idle[UDP] != (queue{}) {
			t.Errorf("%s: something is left of mappings that ended: %+v", k, n)
		}
	}
}
