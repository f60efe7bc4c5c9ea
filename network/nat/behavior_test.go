package nat

import "testing"

func TestPermits(t *testing.T) {
	for _, c := range []struct {
		f    Firewall
		p    Protocol
		to   string
		want bool
	}{
		{"", UDP, "198.51.100.1:3478", true},
		{"", TCP, "198.51.100.1:80", true},
		{Open, UDP, "198.51.100.1:3478", true},
		{Open, TCP, "198.51.100.1:80", true},
		{UDPBlocked, UDP, "198.51.100.1:443", false},
		{UDPBlocked, TCP, "198.51.100.1:80", true},
		{TLS443Only, UDP, "198.51.100.1:443", false},
		{TLS443Only, TCP, "198.51.100.1:80", false},
		{TLS443Only, TCP, "[2001:db8::1]:443", true},
	} {
		if got := c.f.Permits(c.p, address(c.to)); got != c.want {
			t.Errorf("%q, protocol %d to %s: got %v, want %v", c.f, c.p, c.to, got, c.want)
		}
	}
}

func TestInspects(t *testing.T) {
	for _, f := range append(Firewalls(), "") {
		if got, want := f.Inspects(), f == TLS443Only; got != want {
			t.Errorf("%q: got %v, want %v", f, got, want)
		}
	}
}

func TestTLS(t *testing.T) {
	for _, c := range []struct {
		first     string
		is, known bool
	}{
		{"", false, false},
		{"\x16", false, false},
		{"\x16\x03\x01\x02\x00", false, false},
		{"\x16\x03\x00\x02\x00\x01", true, true},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", true, true},
		{"\x16\x03\x04\x02\x00\x01", true, true},
		{"\x16\x03\x05", false, true},             // no version of TLS
		{"\x16\xfe\xfd\x00\x00\x00", false, true}, // DTLS
		{"\x16\x03\x03\x00\x7a\x02", false, true}, // ServerHello
		{"\x17\x03\x03\x00\x7a\x01", false, true}, // application data
		{"GET / HTTP/1.1\r\n", false, true},       // HTTP
		{"\x00\x14\x00\x01\x00\x00", false, true}, // STUN behind its length (RFC 4571)
		{"\x00\x01\x00\x00\x21\x12", false, true}, // STUN over TCP
		{"\x16\x03\x01\x02\x00\x01G", true, true}, // what comes after does not count
		{"\x15\x03\x01\x00\x02\x02", false, true}, // alert
		{"SSH-2.0-OpenSSH_9.2\r\n", false, true},  // another protocol on the port
		{"\x16\x02\x01\x02\x00\x01", false, true}, // wrong major version
		{"\x16\x03", false, false},                // may become either
		{"\x16\x03\x01\xff\xff\x01", true, true},  // any length
		{"\x16\x03\x01\x00\x00\x00", false, true}, // HelloRequest
		{"\x80\x2e\x01\x03\x01\x00", false, true}, // ClientHello in the form of SSL 2
	} {
		if is, known := TLS([]byte(c.first)); is != c.is || known != c.known {
			t.Errorf("%q: got %v %v, want %v %v", c.first, is, known, c.is, c.known)
		}
	}
}

// FuzzTLS checks that what is known of a beginning stays true of all that begins with it.
func FuzzTLS(f *testing.F) {
	for _, seed := range []string{"", "\x16\x03\x01\x02\x00\x01\x00", "\x16\x03\x09", "GET / HTTP/1.1"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		is, known := TLS(stream)
		if is && !known || !known && len(stream) >= 6 {
			t.Fatalf("%q: got %v %v", stream, is, known)
		}
		for n := range min(len(stream), 8) {
			if before, sure := TLS(stream[:n]); sure && (before != is || !known) {
				t.Fatalf("%q: got %v, but of its first %d bytes %v", stream, is, n, before)
			}
		}
	})
}
