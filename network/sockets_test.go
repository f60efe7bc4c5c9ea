package network

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/impair"
	"github.com/peerfleet/peerfleet/network/nat"
	"github.com/pion/transport/v4"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	ms      = time.Millisecond
	patient = 10 * time.Second // what a test waits on a loaded machine
)

func newTestNetwork(t testing.TB) *Sockets {
	t.Helper()
	s := NewSockets(SocketsConfig{})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := s.SocketCount(); n != 0 {
			t.Errorf("%d sockets open after Close", n)
		}
	})
	return s
}

func attach(t testing.TB, n Network, up, down impair.Profile) Host {
	t.Helper()
	h, err := n.Attach(HostSpec{Name: "host", Up: up, Down: down, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func listenUDP(t testing.TB, h Host) *socketUDP {
	t.Helper()
	c, err := h.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*socketUDP)
}

func addrOf(c *socketUDP) *net.UDPAddr { return c.LocalAddr().(*net.UDPAddr) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t testing.TB, c interface{ SetReadDeadline(time.Time) error }) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patient)))
}

// late is how much longer than the model says the fastest of several packets may take on a
// loaded machine.
const late = 25 * ms

func TestAttachRefuses(t *testing.T) {
	s := newTestNetwork(t)
	_, err := s.Attach(HostSpec{
		Name: "x", Gateway: nat.Gateway{NAT: nat.NAT{Kind: nat.Symmetric}}, Firewall: "moat",
		Up: impair.Profile{LossRatio: 2}, Down: impair.Profile{RateBPS: -1},
	})
	for _, want := range []string{"nat", "firewall", "up: loss", "down: rate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := s.Attach(HostSpec{Gateway: nat.Gateway{NAT: nat.NAT{Kind: nat.None}}, Firewall: nat.Open}); err != nil {
		t.Error(err)
	}
	must(t, s.Close())
	if _, err := s.Attach(HostSpec{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

func TestDelay(t *testing.T) {
	for name, links := range map[string][2]impair.Profile{
		"up":   {{Delay: 40 * ms}, {}},
		"down": {{}, {Delay: 40 * ms}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTestNetwork(t)
			a, b := listenUDP(t, attach(t, s, links[0], impair.Profile{})), listenUDP(t, attach(t, s, impair.Profile{}, links[1]))
			within(t, b)
			var took []time.Duration
			for range 20 {
				sent := time.Now()
				_, err := a.WriteTo([]byte("x"), addrOf(b))
				must(t, err)
				_, _, err = b.ReadFrom(make([]byte, 10))
				must(t, err)
				took = append(took, time.Since(sent))
			}
			if least := slices.Min(took); least < 40*ms || least > 40*ms+late {
				t.Errorf("got %v, want 40 ms", took)
			}
		})
	}
}

// TestLossIsTheLinks sends through a lossy up and a lossy down link and replays both.
func TestLossIsTheLinks(t *testing.T) {
	const n = 2000
	p := impair.Profile{LossRatio: .03}
	s := newTestNetwork(t)
	ha, hb := attach(t, s, p, impair.Profile{}), attach(t, s, impair.Profile{}, p)
	a, b := listenUDP(t, ha), listenUDP(t, hb)
	want, replay := 0, newAccessLink(HostSpec{Up: p, Down: p, Seed: 7}, nil)
	within(t, b)
	for range n {
		passes := replay.up.offer(time.Now(), 29, []byte("x"), addrOf(b).AddrPort()).Drop == impair.Delivered
		_, err := a.WriteTo([]byte("x"), addrOf(b))
		must(t, err)
		if !passes || replay.down.offer(time.Now(), 29, []byte("x"), addrOf(a).AddrPort()).Drop != impair.Delivered {
			continue
		}
		want++
		_, _, err = b.ReadFrom(make([]byte, 10))
		must(t, err)
	}
	up, _ := ha.Link().Report()
	_, down := hb.Link().Report()
	if up.Offered != n || up.Lost == 0 || up.Delivered != n-up.Lost || down.Offered != up.Delivered || down.Delivered != uint64(want) {
		t.Errorf("got up %+v, down %+v, want %d through", up, down, want)
	}
	if got, want := hb.Link().Traffic(), (Traffic{DownPackets: down.Delivered, DownBytes: down.Delivered * 29}); got != want {
		t.Errorf("traffic: got %+v, want %+v", got, want)
	}
}

func TestRatePaces(t *testing.T) {
	s := newTestNetwork(t)
	ha := attach(t, s, impair.Profile{RateBPS: 1e6, QueueTime: time.Second}, impair.Profile{})
	a, b := listenUDP(t, ha), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
	start := time.Now()
	for range 25 {
		_, err := a.WriteTo(make([]byte, 972), addrOf(b)) // 8 ms each
		must(t, err)
	}
	within(t, b)
	for range 25 {
		_, _, err := b.ReadFrom(make([]byte, 1000))
		must(t, err)
	}
	if took := time.Since(start); took < 199*ms || took > time.Second {
		t.Errorf("25 kB at 1 Mbit/s took %v, want 200 ms", took)
	}
	up, _ := ha.Link().Report()
	if q := up.Delay.Quantile(.5); q < 100_000 || q > 900_000 || up.Delay.Count() != 25 || up.Lateness.Count() != 25 {
		t.Errorf("median delay in the report %d µs of %d, want about 104 000 of 25", q, up.Delay.Count())
	}
	if s.Lateness().Count() != 25 {
		t.Errorf("%d late", s.Lateness().Count())
	}
}

// TestEveryMethodPassesTheModel loses everything, so that whatever arrives went round it.
func TestEveryMethodPassesTheModel(t *testing.T) {
	s := newTestNetwork(t)
	lossy := impair.Profile{LossRatio: 1}
	h := attach(t, s, lossy, impair.Profile{})
	b := listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
	a := listenUDP(t, h)
	dialled, err := h.DialUDP("udp4", nil, addrOf(b))
	must(t, err)
	generic, err := h.Dial("udp", b.LocalAddr().String())
	must(t, err)
	data, to, ap := []byte("x"), addrOf(b), addrOf(b).AddrPort()
	writes := []func() (int, error){
		func() (int, error) { return a.WriteTo(data, to) },
		func() (int, error) { return a.WriteToUDP(data, to) },
		func() (int, error) { return a.WriteToAddrPort(data, ap) },
		func() (int, error) { return a.WriteToUDPAddrPort(data, ap) },
		func() (int, error) { n, _, err := a.WriteMsgUDP(data, nil, to); return n, err },
		func() (int, error) { return a.WriteBatch([]Packet{{data, to}}) },
		func() (int, error) { return dialled.Write(data) },
		func() (int, error) { n, _, err := dialled.WriteMsgUDP(data, nil, nil); return n, err },
		func() (int, error) { return generic.Write(data) },
	}
	for i, write := range writes {
		if n, err := write(); n != 1 || err != nil {
			t.Errorf("write %d: got %d, %v", i, n, err)
		}
	}
	up, _ := h.Link().Report()
	if up.Lost != uint64(len(writes)) || h.Link().Traffic().UpPackets != uint64(len(writes)) {
		t.Errorf("%d lost, want %d", up.Lost, len(writes))
	}
	hb := attach(t, s, impair.Profile{}, impair.Profile{Delay: ms})
	c := listenUDP(t, hb)
	buf := make([]byte, 10)
	reads := []func() (int, error){
		func() (int, error) { return c.Read(buf) },
		func() (int, error) { n, _, err := c.ReadFrom(buf); return n, err },
		func() (int, error) { n, _, err := c.ReadFromUDP(buf); return n, err },
		func() (int, error) { n, _, err := c.ReadFromAddrPort(buf); return n, err },
		func() (int, error) { n, _, err := c.ReadFromUDPAddrPort(buf); return n, err },
		func() (int, error) { n, _, _, _, err := c.ReadMsgUDP(buf, nil); return n, err },
	}
	within(t, c)
	for i, read := range reads {
		_, err := b.WriteTo(data, addrOf(c))
		must(t, err)
		if n, err := read(); n != 1 || err != nil {
			t.Errorf("read %d: got %d, %v", i, n, err)
		}
	}
	_, down := hb.Link().Report()
	if down.Delivered != uint64(len(reads)) || down.Delay.Min() < 1000 {
		t.Errorf("down delivered %d with at least %d µs", down.Delivered, down.Delay.Min())
	}
}

func TestDuplicateAndCorrupt(t *testing.T) {
	s := newTestNetwork(t)
	rough := impair.Profile{DuplicateRatio: 1, CorruptRatio: 1}
	a := listenUDP(t, attach(t, s, rough, impair.Profile{}))
	b := listenUDP(t, attach(t, s, impair.Profile{}, rough))
	sent := []byte("hello")
	_, err := a.WriteTo(sent, addrOf(b))
	must(t, err)
	within(t, b)
	for i := range 4 {
		buf := make([]byte, 10)
		n, _, err := b.ReadFrom(buf)
		must(t, err)
		if string(buf[:n]) == "hello" || n != 5 {
			t.Errorf("copy %d arrived as %q", i, buf[:n])
		}
	}
	if string(sent) != "hello" {
		t.Errorf("the caller's buffer became %q", sent)
	}
}

func TestReadDeadlineAndClose(t *testing.T) {
	for name, down := range map[string]impair.Profile{"perfect": {}, "impaired": {Delay: ms}} {
		t.Run(name, func(t *testing.T) {
			c := listenUDP(t, attach(t, newTestNetwork(t), impair.Profile{}, down))
			read := func() error { _, _, err := c.ReadFrom(make([]byte, 1)); return err }
			var timeout net.Error
			must(t, c.SetReadDeadline(time.Now().Add(20*ms)))
			for range 2 {
				if err := read(); !errors.As(err, &timeout) || !timeout.Timeout() {
					t.Errorf("deadline: got %v", err)
				}
			}
			must(t, c.SetReadDeadline(time.Time{}))
			got := make(chan error, 2)
			go func() { got <- read() }()
			time.AfterFunc(20*ms, func() { got <- c.SetReadDeadline(time.Now()) })
			for range 2 {
				if err := <-got; err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
					t.Errorf("deadline of a waiting read: got %v", err)
				}
			}
			must(t, c.SetReadDeadline(time.Time{}))
			go func() { got <- read() }()
			time.AfterFunc(20*ms, func() { got <- c.Close() })
			for range 2 {
				if err := <-got; err != nil && !errors.Is(err, net.ErrClosed) {
					t.Errorf("close of a waiting read: got %v", err)
				}
			}
			if err := read(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read after close: got %v", err)
			}
			if _, err := c.WriteTo(nil, addrOf(c)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("write after close: got %v", err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second close: got %v", err)
			}
		})
	}
}

func TestWriteDeadline(t *testing.T) {
	c := listenUDP(t, attach(t, newTestNetwork(t), impair.Profile{}, impair.Profile{}))
	must(t, c.SetDeadline(time.Now().Add(-time.Second)))
	var timeout net.Error
	if _, err := c.WriteTo([]byte("x"), addrOf(c)); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v", err)
	}
	must(t, c.SetWriteDeadline(time.Time{}))
	_, err := c.WriteTo([]byte("x"), addrOf(c))
	must(t, err)
}

// TestLinkIsSetWhileAReadWaits impairs a direct socket under a blocked read.
func TestLinkIsSetWhileAReadWaits(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{}, impair.Profile{})
	a, b := listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{})), listenUDP(t, h)
	within(t, b)
	got := make(chan time.Time, 1)
	go func() {
		defer close(got)
		for range 3 {
			if _, _, err := b.ReadFrom(make([]byte, 10)); err != nil {
				t.Error(err)
				return
			}
			got <- time.Now()
		}
	}()
	send := func() time.Duration {
		start := time.Now()
		_, err := a.WriteTo([]byte("x"), addrOf(b))
		must(t, err)
		return (<-got).Sub(start)
	}
	if d := send(); d > 30*ms {
		t.Logf("direct packet took %v", d)
	}
	h.Link().Set(impair.Profile{}, impair.Profile{Delay: 30 * ms})
	for range 2 {
		if d := send(); d < 30*ms {
			t.Errorf("packet after Set took %v, want 30 ms", d)
		}
	}
	<-got
	if _, down := h.Link().Report(); down.Delivered != 2 {
		t.Errorf("%d through the link, want 2", down.Delivered)
	}
	h.Link().Set(impair.Profile{LossRatio: 1}, impair.Profile{})
	_, err := b.WriteTo([]byte("x"), addrOf(a))
	must(t, err)
	if up, _ := h.Link().Report(); up.Lost != 1 {
		t.Errorf("up lost %d, want 1", up.Lost)
	}
}

func TestSetKeepsAReadDeadline(t *testing.T) {
	h := attach(t, newTestNetwork(t), impair.Profile{}, impair.Profile{})
	c := listenUDP(t, h)
	must(t, c.SetReadDeadline(time.Now().Add(60*ms)))
	got := make(chan error, 1)
	go func() { _, err := c.Read(make([]byte, 1)); got <- err }()
	time.Sleep(10 * ms)
	h.Link().Set(impair.Profile{}, impair.Profile{Delay: ms})
	var timeout net.Error
	if err := <-got; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got %v", err)
	}
}

func TestScheduleStarts(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{Schedule: []impair.Change{{Blackout: true}}}, impair.Profile{})
	c := listenUDP(t, h)
	for range 2 {
		_, err := c.WriteTo([]byte("x"), addrOf(c))
		must(t, err)
		h.Link().Start(time.Now())
	}
	if up, _ := h.Link().Report(); up.Lost != 1 || up.Delivered != 1 {
		t.Errorf("got %+v", up)
	}
}

func TestPacketsUnderWayOutliveTheirSocket(t *testing.T) {
	s := newTestNetwork(t)
	a, b := listenUDP(t, attach(t, s, impair.Profile{Delay: 30 * ms}, impair.Profile{})), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
	_, err := a.WriteTo([]byte("bye"), addrOf(b))
	must(t, err)
	must(t, a.Close())
	within(t, b)
	_, _, err = b.ReadFrom(make([]byte, 10))
	must(t, err)
}

func TestWriteBatch(t *testing.T) {
	for name, up := range map[string]impair.Profile{"perfect": {}, "impaired": {Delay: ms}} {
		for _, network := range []string{"udp4", "udp6"} {
			t.Run(name+" "+network, func(t *testing.T) {
				s := newTestNetwork(t)
				h := attach(t, s, up, impair.Profile{})
				open := func(h Host) *socketUDP {
					c, err := h.ListenUDP(network, nil)
					must(t, err)
					return c.(*socketUDP)
				}
				a, b := open(h), open(attach(t, s, impair.Profile{}, impair.Profile{}))
				packets := make([]Packet, 20)
				size := uint64(0)
				for i := range packets {
					packets[i] = Packet{make([]byte, i+1), addrOf(b)}
					size += uint64(i + 1)
				}
				n, err := a.WriteBatch(packets)
				if n != len(packets) || err != nil {
					t.Fatalf("got %d, %v", n, err)
				}
				within(t, b)
				for i := range packets {
					n, _, err := b.ReadFrom(make([]byte, 100))
					if n != i+1 || err != nil {
						t.Fatalf("packet %d: got %d bytes, %v", i, n, err)
					}
				}
				header := uint64(28)
				if network == "udp6" {
					header = 48
				}
				if got, want := h.Link().Traffic(), (Traffic{UpPackets: 20, UpBytes: size + 20*header}); got != want {
					t.Errorf("traffic: got %+v, want %+v", got, want)
				}
			})
		}
	}
}

func TestOverflowIsCounted(t *testing.T) {
	s := newTestNetwork(t)
	a, b := listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{})), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{Delay: ms}))
	_, err := a.WriteTo(make([]byte, 5000), addrOf(b)) // the first long one shows that large buffers are needed
	must(t, err)
	_, err = a.WriteTo(make([]byte, 6000), addrOf(b))
	must(t, err)
	within(t, b)
	if n, _, err := b.ReadFrom(make([]byte, 9000)); n != 6000 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	if s.Overflows() != 1 {
		t.Errorf("%d overflows, want 1", s.Overflows())
	}
	for range mailboxLimit + 5 {
		p := s.pool.get(10)
		p.addr = netip.MustParseAddrPort("127.0.0.1:9")
		(*inbound)(b).take(p)
	}
	if s.Overflows() != 6 {
		t.Errorf("%d overflows, want 6", s.Overflows())
	}
}

func TestHostIsATransportNet(t *testing.T) {
	s := newTestNetwork(t)
	h := attach(t, s, impair.Profile{}, impair.Profile{})
	all, err := h.Interfaces()
	must(t, err)
	addrs, err := all[0].Addrs()
	must(t, err)
	if len(all) != 1 || len(addrs) != 1 || addrs[0].String() != "127.0.0.1/8" || all[0].Flags&net.FlagLoopback == 0 {
		t.Errorf("got %v %v", all, addrs)
	}
	if i, err := h.InterfaceByName("lo"); err != nil || i.Index != 1 {
		t.Errorf("by name: got %v, %v", i, err)
	}
	if _, err := h.InterfaceByIndex(9); !errors.Is(err, transport.ErrInterfaceNotFound) {
		t.Errorf("by index: got %v", err)
	}
	for _, c := range []struct{ network, address, want string }{
		{"udp4", "0.0.0.0:0", "127.0.0.1"}, {"udp", ":0", "127.0.0.1"}, {"udp6", "[::]:0", "::1"}, {"udp", "127.0.0.1:0", "127.0.0.1"},
	} {
		pc, err := h.ListenPacket(c.network, c.address)
		must(t, err)
		if got := pc.LocalAddr().(*net.UDPAddr).IP.String(); got != c.want {
			t.Errorf("%s %s: bound to %s, want %s", c.network, c.address, got, c.want)
		}
		if got := pc.(*socketUDP).RemoteAddr(); got != nil {
			t.Errorf("remote address %v", got)
		}
	}
	for network, address := range map[string]string{"udp": "192.0.2.1:5", "udp4": "192.0.2.1:5", "udp6": "[2001:db8::1]:5"} {
		a, err := h.ResolveUDPAddr(network, address)
		if err != nil || a.String() != address {
			t.Errorf("resolve %s: got %v, %v", address, a, err)
		}
		b, err := h.ResolveTCPAddr("tcp"+network[3:], address)
		if err != nil || b.String() != address {
			t.Errorf("resolve %s: got %v, %v", address, b, err)
		}
	}
	if _, err := h.ResolveUDPAddr("udp4", "[2001:db8::1]:5"); err == nil {
		t.Error("udp4 took an IPv6 address")
	}
	if a, err := h.ResolveIPAddr("ip", "192.0.2.1"); err != nil || a.String() != "192.0.2.1" {
		t.Errorf("got %v, %v", a, err)
	}
	pc, err := h.CreateListenConfig(&net.ListenConfig{}).ListenPacket(context.Background(), "udp4", ":0")
	must(t, err)
	if _, ok := pc.(*socketUDP); !ok {
		t.Errorf("listen config gave %T", pc)
	}
	for _, bad := range []func() error{
		func() error { _, err := h.Dial("unix", "x"); return err },
		func() error { _, err := h.ListenPacket("ip", "x:1"); return err },
		func() error { _, err := h.Listen("udp", ":0"); return err },
		func() error { _, err := h.DialContext(context.Background(), "udp", "127.0.0.1:1"); return err },
		func() error { _, err := h.DialTCP("tcp", nil, nil); return err },
	} {
		if bad() == nil {
			t.Error("no error")
		}
	}
	must(t, h.Close())
	must(t, h.Close())
	if _, err := h.ListenUDP("udp", nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed host: got %v", err)
	}
	external := NewSockets(SocketsConfig{External: true})
	defer func() { must(t, external.Close()) }()
	if all, err := attach(t, external, impair.Profile{}, impair.Profile{}).Interfaces(); err != nil || len(all) == 0 {
		t.Errorf("external: got %v, %v", all, err)
	}
}

// TestAccountCloses gives up packets in every way and finds each of them in the report.
func TestAccountCloses(t *testing.T) {
	want := func(t *testing.T, r LinkReport, offered, delivered, discarded uint64) {
		t.Helper()
		if r.Offered != offered || r.Delivered != delivered || r.Discarded != discarded || r.Lost+r.QueuedOut != 0 {
			t.Errorf("got %+v, want %d offered, %d delivered, %d discarded", r, offered, delivered, discarded)
		}
	}
	t.Run("network closed", func(t *testing.T) {
		s, far := newTestNetwork(t), impair.Profile{Delay: time.Hour}
		ha, hb := attach(t, s, far, impair.Profile{}), attach(t, s, impair.Profile{}, far)
		a, b := listenUDP(t, ha), listenUDP(t, hb)
		for range 3 {
			_, err := a.WriteTo([]byte("x"), addrOf(b))
			must(t, err)
			_, err = b.WriteTo([]byte("x"), addrOf(b))
			must(t, err)
		}
		arrived := func() bool { _, down := hb.Link().Report(); return down.Offered == 3 }
		for start := time.Now(); !arrived() && time.Since(start) < patient; {
			time.Sleep(ms)
		}
		must(t, s.Close())
		up, _ := ha.Link().Report()
		want(t, up, 3, 0, 3)
		_, down := hb.Link().Report()
		want(t, down, 3, 0, 3)
	})
	for name, up := range map[string]impair.Profile{
		"at once": {LossRatio: 1e-12}, "at once, a copy": {CorruptRatio: 1}, "later": {Delay: ms}, "twice": {Delay: ms, DuplicateRatio: 1},
	} {
		t.Run("kernel refuses "+name, func(t *testing.T) {
			s := newTestNetwork(t)
			h := attach(t, s, up, impair.Profile{})
			a, b := listenUDP(t, h), listenUDP(t, attach(t, s, impair.Profile{}, impair.Profile{}))
			// What a write returns depends on when the packet leaves.
			_, _ = a.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}) // port 0
			_, err := a.WriteTo([]byte("x"), addrOf(b))
			must(t, err)
			within(t, b)
			_, _, err = b.ReadFrom(make([]byte, 10))
			must(t, err)
			must(t, s.Close())
			got, _ := h.Link().Report()
			want(t, got, 2, 1, 1)
		})
		t.Run("socket closed "+name, func(t *testing.T) {
			s := newTestNetwork(t)
			h := attach(t, s, up, impair.Profile{})
			a := listenUDP(t, h)
			must(t, a.Close())
			_, _ = a.depart([]byte("x"), addrOf(a).AddrPort()) // of a write that had begun before
			got, _ := h.Link().Report()
			want(t, got, 1, 0, 1)
		})
	}
}
