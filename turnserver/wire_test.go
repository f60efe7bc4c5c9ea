package turnserver

import (
	"net"
	"net/netip"
	"testing"

	"github.com/pion/stun/v3"
)

// talker speaks STUN by hand, to say what a client library would not.
type talker struct {
	t        *testing.T
	conn     net.PacketConn
	to       net.Addr
	user     string
	password string
	realm    string
	nonce    string
}

func newTalker(t *testing.T, s *Server, user, password string) *talker {
	t.Helper()
	return &talker{
		t: t, conn: listenPeer(t), to: net.UDPAddrFromAddrPort(s.sockets.udpAddr), user: user, password: password,
	}
}

// ask sends a request, signed once the server has given a nonce, and returns the answer.
func (k *talker) ask(method stun.Method, attrs ...stun.Setter) *stun.Message {
	k.t.Helper()
	attrs = append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, attrs...)
	if k.nonce != "" {
		attrs = append(attrs, stun.NewUsername(k.user), stun.NewRealm(k.realm), stun.NewNonce(k.nonce),
			stun.NewLongTermIntegrity(k.user, k.realm, k.password))
	}
	if _, err := k.conn.WriteTo(stun.MustBuild(attrs...).Raw, k.to); err != nil {
		k.t.Fatal(err)
	}
	buf := make([]byte, 1500)
	n, _ := receive(k.t, k.conn, buf)
	m := &stun.Message{Raw: buf[:n]}
	if err := m.Decode(); err != nil {
		k.t.Fatal(err)
	}
	return m
}

// allocate answers the server's challenge and returns what it says then.
func (k *talker) allocate() *stun.Message {
	k.t.Helper()
	overUDP := setter{stun.RawAttribute{Type: stun.AttrRequestedTransport, Value: []byte{17, 0, 0, 0}}}
	challenge := k.ask(stun.MethodAllocate, overUDP)
	if got := errorCode(challenge); got != stun.CodeUnauthorized {
		k.t.Fatalf("first request: got %d, want 401", got)
	}
	var realm stun.Realm
	var nonce stun.Nonce
	if err := challenge.Parse(&realm, &nonce); err != nil {
		k.t.Fatal(err)
	}
	k.realm, k.nonce = realm.String(), nonce.String()
	return k.ask(stun.MethodAllocate, overUDP)
}

// errorCode is the code of an error response, 0 if there is none.
func errorCode(m *stun.Message) stun.ErrorCode {
	var code stun.ErrorCodeAttribute
	if code.GetFrom(m) != nil {
		return 0
	}
	return code.Code
}

// peerAddress is XOR-PEER-ADDRESS with the family just as the address has it.
type peerAddress netip.Addr

func (p peerAddress) AddTo(m *stun.Message) error {
	ip := netip.Addr(p).AsSlice()
	mask := append([]byte{0x21, 0x12, 0xa4, 0x42}, m.TransactionID[:]...)
	for i := range ip {
		ip[i] ^= mask[i]
	}
	family := byte(1)
	if len(ip) == 16 {
		family = 2
	}
	m.Add(stun.AttrXORPeerAddress, append([]byte{0, family, 0x21 ^ 0x1f, 0x12 ^ 0x90}, ip...))
	return nil
}

func TestRefusedPeersOnTheWire(t *testing.T) {
	// pion/turn does not sign a refused channel, so each counts against the rate for strangers.
	s := start(t, func(c *Config) { c.AllowPeers, c.AnswerRate = nil, 1000 })
	k := newTalker(t, s, "alice", "wonder")
	if m := k.allocate(); m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("allocate: %v", m)
	}
	channel := byte(0)
	refused := func(what string, ip netip.Addr) {
		t.Helper()
		if m := k.ask(stun.MethodCreatePermission, peerAddress(ip)); m.Type.Class != stun.ClassErrorResponse {
			t.Errorf("permission for %s (%s): %v, want an error", ip, what, m)
		}
		number := setter{stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40, channel, 0, 0}}}
		channel++
		if m := k.ask(stun.MethodChannelBind, number, peerAddress(ip)); m.Type.Class != stun.ClassErrorResponse {
			t.Errorf("channel to %s (%s): %v, want an error", ip, what, m)
		}
	}
	for _, text := range []string{"127.0.0.1", "169.254.169.254", "10.0.0.1"} {
		ip := netip.MustParseAddr(text)
		refused("plain", ip)
		for form, in6 := range inV6(ip) {
			refused(form, in6)
		}
	}
	for _, text := range []string{"::", "::1", "fe80::1", "fd00::1"} {
		refused("IPv6", netip.MustParseAddr(text))
	}
	public := netip.MustParseAddr("8.8.8.8")
	for form, ip := range map[string]netip.Addr{"plain": public, "mapped": inV6(public)["mapped"]} {
		if m := k.ask(stun.MethodCreatePermission, peerAddress(ip)); m.Type.Class != stun.ClassSuccessResponse {
			t.Errorf("permission for %s (%s): %v, want it given", ip, form, m)
		}
	}
}

// TestAnswersOfThisVersion holds what the package comment says of pion/turn, so that a new version
// that answers otherwise is noticed.
func TestAnswersOfThisVersion(t *testing.T) {
	s := start(t, func(c *Config) { c.AllowPeers = nil })
	if got := errorCode(newTalker(t, s, "alice", "guess").allocate()); got != stun.CodeBadRequest {
		t.Errorf("wrong password: got %d, want 400", got)
	}
	if got := errorCode(newTalker(t, s, "carol", "wonder").allocate()); got != stun.CodeBadRequest {
		t.Errorf("unknown user: got %d, want 400", got)
	}
	k := newTalker(t, s, "alice", "wonder")
	k.allocate()
	loopback := peerAddress(netip.MustParseAddr("127.0.0.1"))
	if got := errorCode(k.ask(stun.MethodCreatePermission, loopback)); got != 0 {
		t.Errorf("refused permission: got code %d, want none", got)
	}
	number := setter{stun.RawAttribute{Type: stun.AttrChannelNumber, Value: []byte{0x40, 0, 0, 0}}}
	if got := errorCode(k.ask(stun.MethodChannelBind, number, loopback)); got != stun.CodeUnauthorized {
		t.Errorf("refused channel: got %d, want 401", got)
	}
}
