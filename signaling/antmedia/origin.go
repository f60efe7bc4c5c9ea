package antmedia

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// originAllowed tells whether a page of the request's origin may use the server: any page may
// unless origins are configured, as with Ant Media Server, whose protocol has no cookies that a
// foreign page could abuse. What is no browser sends no origin.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || len(s.config.Origins) == 0 {
		return true
	}
	return sameOrigin(origin, r) || slices.ContainsFunc(s.config.Origins, func(o string) bool {
		return o == "*" || strings.EqualFold(o, origin)
	})
}

// sameOrigin tells whether a page of the server's own address asks.
func sameOrigin(origin string, r *http.Request) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

// local tells whether a request was made on this machine, to an address of this machine, by
// something that is no foreign page: neither a form of another site nor a name that an attacker
// points here (DNS rebinding) comes through, nor what a proxy passes on.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r) {
		return false
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
