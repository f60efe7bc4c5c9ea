package turnserver

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v3"
)

func TestUnsignedErrors(t *testing.T) {
	build := stun.MustBuild
	allocate := func(c stun.MessageClass) stun.MessageType { return stun.NewType(stun.MethodAllocate, c) }
	key := stun.NewLongTermIntegrity("alice", "peerfleet", "wonder")
	for _, c := range []struct {
		name string
		msg  []byte
		want bool
	}{
		{"challenge", build(allocate(stun.ClassErrorResponse), stun.CodeUnauthorized, stun.NewRealm("r")).Raw, true},
		{"signed error", build(allocate(stun.ClassErrorResponse), stun.CodeForbidden, key).Raw, false},
		{"success", build(allocate(stun.ClassSuccessResponse)).Raw, false},
		{"request", build(allocate(stun.ClassRequest)).Raw, false},
		{"indication", build(allocate(stun.ClassIndication)).Raw, false},
		{"channel data", []byte{0x41, 0x11, 0, 0}, false},
		{"nothing", nil, false},
	} {
		if got := unsignedError(c.msg); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

func TestRelayedPayload(t *testing.T) {
	data := stun.RawAttribute{Type: stun.AttrData, Value: make([]byte, 13)}
	indication := stun.MustBuild(stun.NewType(stun.MethodData, stun.ClassIndication), stun.NewSoftware("odd"), setter{data})
	for _, c := range []struct {
		name string
		msg  []byte
		want int
		ok   bool
	}{
		{"channel data", append([]byte{0x40, 0, 0, 5}, make([]byte, 8)...), 5, true},
		{"data indication", indication.Raw, 13, true},
		{"data indication without data", indication.Raw[:stunHeader], 0, false},
		{"binding", stun.MustBuild(stun.BindingSuccess).Raw, 0, false},
	} {
		if got, ok := relayedPayload(c.msg); got != c.want || ok != c.ok {
			t.Errorf("%s: got %d, %t; want %d, %t", c.name, got, ok, c.want, c.ok)
		}
	}
}

type setter struct{ stun.RawAttribute }

func (s setter) AddTo(m *stun.Message) error {
	m.Add(s.Type, s.Value)
	return nil
}

func TestFrameLength(t *testing.T) {
	for _, c := range []struct {
		head [4]byte
		want int
		ok   bool
	}{
		{[4]byte{0, 1, 0, 8}, 28, true},
		{[4]byte{0, 1, 0, 9}, 29, false},
		{[4]byte{0, 1, 0xff, 0xec}, 65536, true}, // 16 bits would make it 0
		{[4]byte{0x40, 0, 0, 0}, 4, true},
		{[4]byte{0x40, 0, 0, 1}, 8, true},
		{[4]byte{0x7f, 0xff, 0xff, 0xff}, 65540, true},
		{[4]byte{0x80, 0, 0, 0}, 0, false},
		{[4]byte{0xff, 0, 0, 0}, 0, false},
	} {
		if got, ok := frameLength(c.head[:]); got != c.want || ok != c.ok {
			t.Errorf("% x: got %d, %t; want %d, %t", c.head, got, ok, c.want, c.ok)
		}
	}
}

func TestLimiter(t *testing.T) {
	l := newLimiter(10, 1)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	count := func(from string) (passed int) {
		for range 25 {
			if l.take(now, netip.MustParseAddrPort(from)) {
				passed++
			}
		}
		return passed
	}
	for _, c := range []struct {
		after time.Duration
		from  string
		want  int
	}{
		{0, "192.0.2.1:1000", 10},
		{0, "192.0.2.1:1001", 0}, // another port is no other source
		{0, "192.0.2.2:1000", 10},
		{0, "127.0.0.1:1000", 10},
		{0, "127.0.0.1:1001", 10}, // on loopback it is
		{500 * time.Millisecond, "192.0.2.1:1000", 5},
		{time.Hour, "192.0.2.1:1000", 10},
	} {
		now = now.Add(c.after)
		if got := count(c.from); got != c.want {
			t.Errorf("%s after %v: %d of 25 pass, want %d", c.from, c.after, got, c.want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(stun.MustBuild(stun.BindingRequest).Raw)
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4})
	f.Add([]byte("\x01\x13\x00\x08\x21\x12\xa4\x42aaaaaaaaaaaa\x00\x08\xff\xffbbbb"))
	f.Add([]byte{0x00, 0x17, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, p []byte) {
		unsignedError(p)
		if n, ok := relayedPayload(p); ok && isSTUN(p) && n > len(p) {
			t.Errorf("payload of %d bytes in a message of %d", n, len(p))
		}
		if len(p) < channelHeader {
			return
		}
		n, ok := frameLength(p)
		if ok && (n%4 != 0 || n < int(binary.BigEndian.Uint16(p[2:]))) {
			t.Errorf("frame of %d bytes announced as %d", n, binary.BigEndian.Uint16(p[2:]))
		}
	})
}
