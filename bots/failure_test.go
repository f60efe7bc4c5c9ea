package bots

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"
)

type refusal struct{}

func (refusal) Error() string        { return "refused" }
func (refusal) ServiceError() string { return "NoSpaceForNewPeer" }

type badStatus struct{}

func (badStatus) Error() string   { return "bad handshake" }
func (badStatus) StatusCode() int { return 404 }

func TestSignalingFailure(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{&net.DNSError{Name: "nowhere.invalid"}, KindSignalDNS},
		{&net.OpError{Op: "dial", Err: errors.New("connection refused")}, KindSignalTCP},
		{x509.UnknownAuthorityError{}, KindSignalTLS},
		{badStatus{}, KindSignalHTTP},
		{refusal{}, KindSignalRefused},
		{context.DeadlineExceeded, KindSignalTimeout},
	} {
		got := signalingFailure(fmt.Errorf("join: %w", c.err))
		if KindOf(got) != c.want {
			t.Errorf("%v: got %s, want %s", c.err, KindOf(got), c.want)
		}
		if !errors.Is(got, c.err) {
			t.Errorf("%v: the cause is lost", c.err)
		}
	}
	if got := KindOf(errors.New("unknown")); got != KindGenerator {
		t.Errorf("got %s for an unclassified error, want %s", got, KindGenerator)
	}
}
