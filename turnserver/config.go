package turnserver

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// complete fills in the defaults and returns the listening addresses, or every fault.
func (c *Config) complete() (listening, error) {
	c.defaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	var at listening
	listen, err := netip.ParseAddrPort(c.Listen)
	if err != nil {
		fault("listen address %q: want a literal IP and a port", c.Listen)
	}
	if c.Host == nil {
		fault("no host to listen on")
	}
	for _, t := range c.Transports {
		if t != UDP && t != TCP && t != TLS {
			fault("unknown transport %q: want %q, %q or %q", t, UDP, TCP, TLS)
		}
	}
	at.plain, at.secure = listen, netip.AddrPortFrom(listen.Addr(), 0)
	if slices.Contains(c.Transports, TLS) {
		if c.ListenTLS != "" {
			if at.secure, err = netip.ParseAddrPort(c.ListenTLS); err != nil {
				fault("listen address %q for TLS: want a literal IP and a port", c.ListenTLS)
			}
		}
		if c.Certificate == nil {
			fault("transport %q needs a certificate", TLS)
		}
	}
	if !c.RelayIP.IsValid() {
		c.RelayIP = listen.Addr()
	}
	if c.RelayIP.IsUnspecified() {
		fault("a server on %s needs the address that its relays are reached at", listen.Addr())
	}
	if c.RelayMinPort > c.RelayMaxPort || (c.RelayMinPort == 0) != (c.RelayMaxPort == 0) {
		fault("relay ports %d-%d: want a range", c.RelayMinPort, c.RelayMaxPort)
	}
	if c.PeerQuota < 0 || c.TotalQuota < 0 || c.AnswerRate < 0 || c.AuthTTL < 0 {
		fault("quotas, rates and lifetimes cannot be negative")
	}
	for name, password := range c.Users {
		if name == "" || password == "" {
			fault("user %q needs a name and a password", name)
		}
	}
	return at, errors.Join(faults...)
}

// listening is where a server listens: plain for UDP and TCP, secure for TLS.
type listening struct{ plain, secure netip.AddrPort }

// tls is what the server shows of itself over TLS. Every message is a record of its own, however
// long: it is sent on at once and costs one header.
func (c *Config) tls() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{*c.Certificate}, MinVersion: tls.VersionTLS12, DynamicRecordSizingDisabled: true,
	}
}

func (c *Config) defaults() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if len(c.Transports) == 0 {
		c.Transports = []string{UDP, TCP}
	}
	c.Transports = slices.Clone(c.Transports)
	c.AllowPeers = slices.Clone(c.AllowPeers)
	if c.Realm == "" {
		c.Realm = "fleet"
	}
	if c.Secret == "" {
		var b [32]byte
		rand.Read(b[:]) //nolint:errcheck // never fails: the runtime stops the program instead
		c.Secret = hex.EncodeToString(b[:])
	}
	if c.AuthTTL == 0 {
		c.AuthTTL = time.Hour
	}
	if c.PeerQuota == 0 {
		c.PeerQuota = 100
	}
	if c.TotalQuota == 0 {
		c.TotalQuota = 10_000
	}
	if c.AnswerRate == 0 {
		c.AnswerRate = 10
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}
