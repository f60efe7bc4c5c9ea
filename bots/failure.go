package bots

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
)

// Kind is why a join or a connection failed: exactly one for each failed peer.
type Kind string

// The kinds of failure.
const (
	KindSignalDNS     Kind = "signal_dns"
	KindSignalTCP     Kind = "signal_tcp"
	KindSignalTLS     Kind = "signal_tls"
	KindSignalHTTP    Kind = "signal_http"
	KindSignalTimeout Kind = "signal_timeout"
	KindSignalRefused Kind = "signal_refused" // the service answered with an error
	KindGatherNone    Kind = "gather_none"
	KindICEFailed     Kind = "ice_failed"
	KindICETimeout    Kind = "ice_timeout"
	KindDTLSFailed    Kind = "dtls_failed"
	KindDTLSTimeout   Kind = "dtls_timeout"
	KindNoMedia       Kind = "no_media"
	KindNoKeyframe    Kind = "no_keyframe"
	KindClosedByPeer  Kind = "closed_by_peer"
	KindGenerator     Kind = "generator_error"
)

// Failure is an error with its kind.
type Failure struct {
	Kind Kind
	Err  error
}

func (f *Failure) Error() string { return string(f.Kind) + ": " + f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func failure(k Kind, err error) error { return &Failure{Kind: k, Err: err} }

// KindOf classifies an error that a bot returned; what it did not classify itself is the
// generator's fault.
func KindOf(err error) Kind {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return KindGenerator
}

// classified gives an error a kind unless it has one.
func classified(err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return err
	}
	return signalingFailure(err)
}

// signalingFailure classifies an error of entering the room.
func signalingFailure(err error) error {
	var (
		dns       *net.DNSError
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		record    tls.RecordHeaderError
		alert     tls.AlertError
		slow      net.Error
		op        *net.OpError
		refused   interface{ ServiceError() string }
		status    interface{ StatusCode() int }
	)
	switch {
	case errors.As(err, &refused):
		return failure(KindSignalRefused, err)
	case errors.As(err, &status):
		return failure(KindSignalHTTP, err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return failure(KindSignalTimeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return failure(KindClosedByPeer, err)
	case errors.As(err, &dns):
		return failure(KindSignalDNS, err)
	case errors.As(err, &cert), errors.As(err, &authority), errors.As(err, &record), errors.As(err, &alert):
		return failure(KindSignalTLS, err)
	case errors.As(err, &op):
		return failure(KindSignalTCP, err)
	}
	return failure(KindGenerator, err)
}
