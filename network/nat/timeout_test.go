package nat

import (
	"testing"
	"time"
)

// lives tells whether a mapping lets its far end in at a time.
func lives(t *testing.T, n *Translator, at time.Duration, p Protocol, outside string) bool {
	t.Helper()
	_, v := n.In(start().Add(at), p, address("198.51.100.1:3478"), address(outside))
	if v == Filtered {
		t.Fatalf("filtered, want %v or %v", Passed, NoMapping)
	}
	return v == Passed
}

// TestTimeouts checks RFC 4787 REQ-5 and RFC 5382 REQ-5.
func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		p       Protocol
		want    time.Duration
	}{
		{"UDP by default", 0, UDP, 2 * time.Minute},
		{"UDP as configured", 30 * time.Second, UDP, 30 * time.Second},
		{"TCP whatever UDP does", 30 * time.Second, TCP, 2*time.Hour + 4*time.Minute},
	} {
		for _, k := range Kinds()[1:] {
			n := NewTranslator(NAT{Kind: k, Timeout: c.timeout, Ports: Preserve}, publicAddr(), 1)
			host, far := address("10.0.0.2:40000"), address("198.51.100.1:3478")
			n.Out(start(), c.p, host, far)
			n.Out(start().Add(time.Second), c.p, host, far) // from which it counts
			end := time.Second + c.want
			if !lives(t, n, end-1, c.p, "203.0.113.1:40000") {
				t.Errorf("%s, %s: ended 1 ns early", c.name, k)
			}
			if lives(t, n, end, c.p, "203.0.113.1:40000") {
				t.Errorf("%s, %s: still there after %v", c.name, k, c.want)
			}
		}
	}
}

// TestInboundRefreshesNothing checks RFC 4787 REQ-6.
func TestInboundRefreshesNothing(t *testing.T) {
	n := NewTranslator(NAT{Kind: FullCone}, publicAddr(), 1)
	n.Out(start(), UDP, address("10.0.0.2:40000"), address("198.51.100.1:3478"))
	if !lives(t, n, time.Minute, UDP, "203.0.113.1:40000") || lives(t, n, 2*time.Minute, UDP, "203.0.113.1:40000") {
		t.Error("want a mapping of two minutes from the last packet from inside")
	}
}

// TestPermissionsLiveAsLongAsTheMapping keeps a mapping up by sending somewhere else.
func TestPermissionsLiveAsLongAsTheMapping(t *testing.T) {
	n := NewTranslator(NAT{Kind: PortRestricted}, publicAddr(), 1)
	host, one, other := address("10.0.0.2:40000"), address("198.51.100.1:3478"), address("198.51.100.9:9")
	n.Out(start(), UDP, host, one)
	for i := range 10 {
		n.Out(start().Add(time.Duration(i)*time.Minute), UDP, host, other)
	}
	if !lives(t, n, 10*time.Minute, UDP, "203.0.113.1:40000") {
		t.Error("the permission ended before its mapping")
	}
	n.Out(start().Add(time.Hour), UDP, host, other)
	if _, v := n.In(start().Add(time.Hour), UDP, one, address("203.0.113.1:40000")); v != Filtered {
		t.Errorf("a new mapping of the same socket: got %v, want %v", v, Filtered)
	}
}

// TestTimeDoesNotGoBack gives a time that lies before the latest one.
func TestTimeDoesNotGoBack(t *testing.T) {
	n := NewTranslator(NAT{Kind: FullCone}, publicAddr(), 1)
	host, far := address("10.0.0.2:40000"), address("198.51.100.1:3478")
	n.Out(start().Add(time.Minute), UDP, host, far)
	n.Out(start(), UDP, host, far)
	if !lives(t, n, 3*time.Minute-1, UDP, "203.0.113.1:40000") || lives(t, n, 3*time.Minute, UDP, "203.0.113.1:40000") {
		t.Error("want a mapping of two minutes from the latest time")
	}
}

// TestTCPConnections checks that mapping goes by the kind, and filtering holds to the far end.
func TestTCPConnections(t *testing.T) {
	host, one, other := address("10.0.0.2:40000"), address("198.51.100.1:443"), address("198.51.100.1:80")
	for _, k := range Kinds()[1:] {
		n := NewTranslator(NAT{Kind: k}, publicAddr(), 1)
		first, _ := n.Out(start(), TCP, host, one)
		if _, v := n.In(start(), TCP, other, first); v != Filtered {
			t.Errorf("%s: a stranger: got %v, want %v", k, v, Filtered)
		}
		if _, v := n.In(start(), UDP, one, first); v != NoMapping {
			t.Errorf("%s: UDP to a TCP port: got %v, want %v", k, v, NoMapping)
		}
		if inside, v := n.In(start(), TCP, one, first); inside != host || v != Passed {
			t.Errorf("%s: got %v (%v), want %v", k, inside, v, host)
		}
		second, _ := n.Out(start(), TCP, host, other)
		if got, want := first == second, k != Symmetric; got != want {
			t.Errorf("%s: one port for two connections: %v, want %v", k, got, want)
		}
	}
}
