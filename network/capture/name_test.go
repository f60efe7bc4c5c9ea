package capture

import (
	"testing"

	"github.com/pion/stun/v3"
)

func TestNameOfDatagrams(t *testing.T) {
	long := handshake(11)
	long[3] = 40 // a first fragment
	for _, c := range []struct {
		name        string
		payload     []byte
		layer, what string
	}{
		{"check", binding(), "stun", "Binding request"},
		{"nomination", stunBytes(stun.MethodBinding, stun.ClassRequest, attribute(stun.AttrUseCandidate, nil)), "stun", "Binding request, USE-CANDIDATE"},
		{"answer", stunBytes(stun.MethodBinding, stun.ClassSuccessResponse), "stun", "Binding success"},
		{"conflict", stunBytes(stun.MethodBinding, stun.ClassErrorResponse, stun.CodeRoleConflict), "stun", "Binding error 487"},
		{"keep-alive", stunBytes(stun.MethodBinding, stun.ClassIndication), "stun", "Binding indication"},
		{"allocate", stunBytes(stun.MethodAllocate, stun.ClassRequest), "turn", "Allocate request"},
		{"challenge", stunBytes(stun.MethodAllocate, stun.ClassErrorResponse, stun.CodeUnauthorized), "turn", "Allocate error 401"},
		{"allocated", stunBytes(stun.MethodAllocate, stun.ClassSuccessResponse), "turn", "Allocate success"},
		{"refresh", stunBytes(stun.MethodRefresh, stun.ClassRequest), "turn", "Refresh request"},
		{"permission", stunBytes(stun.MethodCreatePermission, stun.ClassRequest), "turn", "CreatePermission request"},
		{"bind", stunBytes(stun.MethodChannelBind, stun.ClassSuccessResponse), "turn", "ChannelBind success"},
		{"send", stunBytes(stun.MethodSend, stun.ClassIndication, attribute(stun.AttrData, binding())), "turn", "relayed Binding request"},
		{"received", stunBytes(stun.MethodData, stun.ClassIndication, attribute(stun.AttrData, rtp(96))), "turn", "relayed RTP pt 96"},
		{"nothing to send", stunBytes(stun.MethodSend, stun.ClassIndication), "turn", "Send indication"},
		{"nested", stunBytes(stun.MethodSend, stun.ClassIndication, attribute(stun.AttrData, inChannel(binding()))), "turn", "relayed data"},
		{"channel", inChannel(record(22, 0, handshake(1))), "turn", "relayed ClientHello"},
		{"client hello", record(22, 0, handshake(1)), "dtls", "ClientHello"},
		{"flight", append(record(22, 0, handshake(2, 11)), record(22, 0, handshake(12, 13, 14))...), "dtls", "ServerHello … ServerHelloDone"},
		{"fragment", record(22, 0, long), "dtls", "Certificate"},
		{"end of handshake", append(record(20, 0, []byte{1}), record(22, 1, []byte("secret"))...), "dtls", "ChangeCipherSpec, encrypted handshake"},
		{"data", record(23, 1, []byte("secret")), "dtls", "SCTP"},
		{"alert", record(21, 0, []byte{2, 40}), "dtls", "alert handshake_failure"},
		{"hidden alert", record(21, 1, []byte("secret")), "dtls", "encrypted alert"},
		{"unified header", []byte{0x2f, 1, 2, 3, 4}, "dtls", "encrypted"},
		{"audio", rtp(111), "media", "RTP pt 111"},
		{"marked", rtp(96 | 0x80), "media", "RTP pt 96"},
		{"sender report", []byte{0x80, 200, 0, 6, 0, 0, 0, 1}, "media", "RTCP SR"},
		{"key frame request", []byte{0x81, 206, 0, 2, 0, 0, 0, 1}, "media", "RTCP PLI"},
		{"empty", nil, "", ""},
		{"noise", []byte("hello, world"), "", ""},
		{"cut short", binding()[:19], "", ""},
	} {
		layer, what, ok := Name(sent(c.payload))
		if layer != c.layer || what != c.what || ok != (c.what != "") {
			t.Errorf("%s: got %q %q %v, want %q %q", c.name, layer, what, ok, c.layer, c.what)
		}
	}
}

func TestNameOfSegments(t *testing.T) {
	for _, c := range []struct {
		flags       Flags
		payload     string
		layer, what string
	}{
		{SYN, "", "stream", "connect"},
		{SYN | ACK, "", "stream", "connected"},
		{RST | ACK, "", "stream", "reset"},
		{FIN | ACK, "", "stream", "close"},
		{ACK, "", "", ""},
		{PSH | ACK, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "signaling", "HTTP GET"},
		{PSH | ACK, webSocket(0x81, true, `{"command":"join"}`), "signaling", "join"},
		{PSH | ACK, string(stunBytes(stun.MethodAllocate, stun.ClassRequest)), "turn", "Allocate request"},
		{PSH | ACK, string(append([]byte{0, 20}, binding()...)), "stun", "Binding request"},
		{PSH | ACK, "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", "stream", "TLS ClientHello"},
		{PSH | ACK, "\xff\xff\xff\xff", "stream", "data"},
	} {
		p := sent([]byte(c.payload))
		p.Protocol, p.Flags = TCP, c.flags
		layer, what, ok := Name(p)
		if layer != c.layer || what != c.what || ok != (c.what != "") {
			t.Errorf("%#x %q: got %q %q %v, want %q %q", c.flags, c.payload, layer, what, ok, c.layer, c.what)
		}
	}
}
