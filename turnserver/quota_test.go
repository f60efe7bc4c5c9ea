package turnserver

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func newTestQuota(perOwner, total int) (*quota, *sync.WaitGroup) {
	running := &sync.WaitGroup{}
	cfg := Config{PeerQuota: perOwner, TotalQuota: total, Users: map[string]string{"alice": "wonder"}}
	return newQuota(cfg, newKeyring(cfg), running), running
}

func client(port int) net.Addr { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port} }

func TestQuotaHoldsWhenAllAskAtOnce(t *testing.T) {
	q, _ := newTestQuota(10, 100)
	var passed atomic.Int32
	var asking sync.WaitGroup
	for i := range 50 {
		asking.Go(func() {
			if q.reserve("1:bob", "", client(i)) {
				passed.Add(1)
			}
		})
	}
	asking.Wait()
	if passed.Load() != 10 || q.refused != 40 {
		t.Errorf("%d passed, %d refused; want 10 and 40", passed.Load(), q.refused)
	}
}

func TestQuotaGivesPlacesBack(t *testing.T) {
	q, running := newTestQuota(1, 2)
	reserve := func(user string, port int, want bool) {
		t.Helper()
		if got := q.reserve(user, "", client(port)); got != want {
			t.Fatalf("%s from port %d: got %t, want %t", user, port, got, want)
		}
	}
	reserve("1:bob", 1, true)
	reserve("2:bob", 2, false) // the same user
	q.failed(client(1))        // no port was free
	q.failed(client(1))        // a later request of the same client: nothing to give back
	reserve("2:bob", 2, true)
	q.created(client(2))
	q.failed(client(2)) // an error of the allocation's owner does not end it
	reserve("1:bob", 3, false)
	reserve("alice", 4, true)
	q.created(client(4))
	reserve("1:carol", 5, false) // the total
	q.deleted("2:bob")
	reserve("1:carol", 5, true)
	q.created(client(5))
	q.deleted("1:carol")
	q.deleted("alice")
	running.Wait()
	if len(q.owned) != 0 || q.now != 0 || q.made != 3 {
		t.Errorf("%d owners, %d now, %d ever; want 0, 0, 3", len(q.owned), q.now, q.made)
	}
}

func TestRESTCredentials(t *testing.T) {
	// Computed with: printf 1700000000:bob | openssl dgst -sha1 -hmac north -binary | base64
	user, password := RESTCredentials("north", "bob", time.Unix(1_700_000_000, 0))
	if user != "1700000000:bob" || password != "7tNSWpJ3gOxGfEgOjt+kaWhBC20=" {
		t.Errorf("got %s, %s", user, password)
	}
	k := newKeyring(Config{Users: map[string]string{"alice": "wonder"}})
	for name, want := range map[string]owner{
		"1700000000:bob":     {name: "bob"},
		"1700000001:bob":     {name: "bob"},
		"1700000000:bob:two": {name: "bob:two"},
		"1700000000":         {},
		"alice":              {name: "alice", static: true},
	} {
		if got := k.owner(name); got != want {
			t.Errorf("owner of %q: got %+v, want %+v", name, got, want)
		}
	}
	for _, name := range []string{"", "bob", "-5:bob", "1e9:bob", "99999999999999999999:bob", ":bob"} {
		if _, ok := expiryOf(name); ok {
			t.Errorf("%q has an expiry, want none", name)
		}
	}
}
