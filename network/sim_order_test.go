package network

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/pion/stun/v3"

	"github.com/peerfleet/peerfleet/network/impair"
)

// check is a connectivity check as an ICE agent sends it, with a new transaction.
func check(t *testing.T, priority byte) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername("far:near"),
		stun.RawAttribute{Type: stun.AttrPriority, Value: []byte{1, 2, 3, priority}}, stun.NewShortTermIntegrity("secret"), stun.Fingerprint)
	must(t, err)
	return m.Raw
}

func answerTo(t *testing.T, check []byte) []byte {
	t.Helper()
	r := &stun.Message{Raw: slices.Clone(check)}
	must(t, r.Decode())
	m, err := stun.Build(stun.NewTransactionIDSetter(r.TransactionID), stun.BindingSuccess, stun.NewShortTermIntegrity("secret"), stun.Fingerprint)
	must(t, err)
	return m.Raw
}

// sendIndication is what asks TURN to relay something.
func sendIndication(t *testing.T, to string, data []byte) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication))
	must(t, err)
	must(t, stun.XORMappedAddress{IP: net.ParseIP(to), Port: 9}.AddToAs(m, stun.AttrXORPeerAddress))
	m.Add(stun.AttrData, data)
	must(t, stun.Fingerprint.AddTo(m))
	return m.Raw
}

// permission is what has to precede it.
func permission(t *testing.T) []byte {
	t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodCreatePermission, stun.ClassRequest))
	must(t, err)
	return m.Raw
}

func channelData(number byte, data []byte) []byte {
	return append([]byte{0x40, number, byte(len(data) >> 8), byte(len(data))}, data...)
}

// TestRepeatedChecks has the network take only what is the same check again for a repeat.
func TestRepeatedChecks(t *testing.T) {
	one, other := check(t, 1), check(t, 2)
	tests := map[string]struct {
		first, second []byte
		want          bool
	}{
		"the same pair again":          {one, check(t, 1), true},
		"another priority":             {one, other, false},
		"answer":                       {answerTo(t, one), answerTo(t, one), false},
		"relayed":                      {sendIndication(t, "198.18.0.7", one), sendIndication(t, "198.18.0.7", check(t, 1)), true},
		"relayed to IPv6":              {sendIndication(t, "2001:db8::7", one), sendIndication(t, "2001:db8::7", check(t, 1)), true},
		"relayed to another":           {sendIndication(t, "198.18.0.7", one), sendIndication(t, "198.18.0.8", check(t, 1)), false},
		"relayed to another by IPv6":   {sendIndication(t, "2001:db8::7", one), sendIndication(t, "2001:db8::8", check(t, 1)), false},
		"relayed and not":              {sendIndication(t, "198.18.0.7", one), check(t, 1), false},
		"in a channel":                 {channelData(1, one), channelData(1, check(t, 1)), true},
		"in another channel":           {channelData(1, one), channelData(2, check(t, 1)), false},
		"permission":                   {permission(t), permission(t), false},
		"cut short":                    {one[:40], one[:40], false},
		"relayed with a broken length": {sendIndication(t, "198.18.0.7", one)[:60], sendIndication(t, "198.18.0.7", one)[:60], false},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{rank: 1}
			sent := []*datagram{
				{buf: c.first, transit: transit{origin: o, kind: kindOf(c.first)}},
				{buf: c.second, transit: transit{origin: o, kind: kindOf(c.second)}},
			}
			if repeatsCheck(sent, 0) {
				t.Error("the first is taken for a repeat")
			}
			if got := repeatsCheck(sent, 1); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			sent[1].origin = &origin{rank: 2}
			if repeatsCheck(sent, 1) {
				t.Error("another socket's is taken for a repeat")
			}
		})
	}
}

// TestCanonicalOrder puts what was sent at one instant into one order, however it was sent.
func TestCanonicalOrder(t *testing.T) {
	near, far := &simHost{index: 1}, &simHost{index: 2}
	first, second := &origin{rank: 1}, &origin{rank: 2}
	c := check(t, 1)
	rtp := func(payload, timestamp byte) []byte {
		return []byte{0x80, payload, 0, 1, 0, 0, 0, timestamp, 9, 9, 9, 9}
	}
	record := func(n int) []byte { return append([]byte{23, 254, 253}, make([]byte, n-3)...) }
	type packet struct {
		by   *simHost
		from *origin
		to   string
		buf  []byte
	}
	want := []packet{
		{near, first, "198.18.0.7:9", permission(t)},
		{near, first, "198.18.0.7:9", sendIndication(t, "198.18.0.9", answerTo(t, c))},
		{near, first, "198.18.0.7:9", sendIndication(t, "198.18.0.9", c)},
		{near, first, "198.18.0.8:9", answerTo(t, c)},
		{near, first, "198.18.0.8:9", c},
		{near, first, "198.18.0.8:9", record(200)},
		{near, first, "198.18.0.8:9", []byte{0x80, 200, 0, 1, 0, 0, 0, 0}},
		{near, first, "198.18.0.8:9", []byte{0x80, 205, 0, 1, 0, 0, 0, 0}},
		{near, first, "198.18.0.8:9", record(65)},
		{near, first, "198.18.0.8:9", rtp(96, 1)},
		{near, first, "198.18.0.8:9", rtp(96, 2)},
		{near, first, "198.18.0.8:9", rtp(111, 1)},
		{near, second, "198.18.0.7:9", c},
		{far, first, "198.18.0.7:9", c},
	}
	datagrams := make([]*datagram, len(want))
	for i, p := range want {
		datagrams[i] = &datagram{buf: p.buf, transit: transit{
			sender: p.by, origin: p.from, dst: netip.MustParseAddrPort(p.to), kind: kindOf(p.buf),
		}}
	}
	for seed := range uint64(50) {
		got := slices.Clone(datagrams)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortStableFunc(got, canonical)
		for i := range got {
			if got[i] != datagrams[i] {
				t.Fatalf("seed %d: place %d has %x, want %x", seed, i, got[i].buf, datagrams[i].buf)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	tests := map[string]struct {
		packet []byte
		want   impair.Kind
	}{
		"empty":                    {nil, kindOther},
		"one byte":                 {[]byte{0}, kindOther},
		"STUN":                     {[]byte{0, 1}, kindSTUN},
		"DTLS handshake":           {[]byte{22, 254}, kindDTLS},
		"data in DTLS":             {append([]byte{23, 254}, make([]byte, 64)...), kindDTLS},
		"acknowledgement in DTLS":  {append([]byte{23, 254}, make([]byte, 63)...), kindControl},
		"RTCP, the lowest type":    {[]byte{0x80, 192}, kindRTCP},
		"RTCP, the highest type":   {[]byte{0x80, 223}, kindRTCP},
		"RTP with its marker":      {[]byte{0x80, 96 | 0x80}, kindRTP | 96},
		"RTP without":              {[]byte{0x80, 96}, kindRTP | 96},
		"RTP in a channel":         {[]byte{0x40, 1, 0, 2, 0x80, 111}, kindRTP | 111},
		"empty channel":            {[]byte{0x40, 1, 0, 0}, kindOther},
		"what nobody has assigned": {[]byte{0xff, 1}, kindOther},
	}
	for name, c := range tests {
		if got := kindOf(c.packet); got != c.want {
			t.Errorf("%s: got %#x, want %#x", name, got, c.want)
		}
	}
}
