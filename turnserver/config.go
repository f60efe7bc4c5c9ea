package turnserver

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"
)

// complete fills in the defaults and returns the listening address, or every fault.
func (c *Config) complete() (netip.AddrPort, error) {
	c.defaults()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	listen, err := netip.ParseAddrPort(c.Listen)
	if err != nil {
		fault("listen address %q: want a literal IP and a port", c.Listen)
	}
	if c.Host == nil {
		fault("no host to listen on")
	}
	for _, t := range c.Transports {
		if t != UDP && t != TCP {
			fault("unknown transport %q: want %q or %q", t, UDP, TCP)
		}
	}
	if !c.RelayIP.IsValid() {
		c.RelayIP = listen.Addr()
	}
	if err == nil && c.RelayIP.IsUnspecified() {
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
	return listen, errors.Join(faults...)
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
