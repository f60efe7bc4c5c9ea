//go:build natlab && linux

package natlab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/network/nat"
)

// TestKernelAndTranslatorAgree asks both the same, for every kind of NAT.
func TestKernelAndTranslatorAgree(t *testing.T) {
	for _, kind := range nat.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			rules, ok := recipes()[kind]
			if !ok {
				t.Fatal("no rules for this kind of NAT")
			}
			want := findings{kind != nat.None, kind != nat.Symmetric, kind.Mapping(), kind.Filtering(), straight}
			agree(t, newLab(t, string(kind)), nat.NAT{Kind: kind}, rules, want)
		})
	}
	t.Run("hairpin", func(t *testing.T) {
		t.Parallel()
		n := nat.NAT{Kind: nat.FullCone, Hairpin: true}
		want := findings{true, true, n.Kind.Mapping(), n.Kind.Filtering(), external}
		agree(t, newLab(t, "hairpin"), n, hairpinRecipe, want)
	})
}

// agree checks that the probe finds the same in a kernel with these rules, in a translator, and in
// what is wanted: neither of the two can be wrong on its own, nor both in the same way.
func agree(t *testing.T, l lab, n nat.NAT, rules string, want findings) {
	t.Helper()
	if n.Kind == nat.None {
		run(t, "", "ip", "-n", l.internet, "route", "add", "10.0.0.0/24", "via", outsideAddr().String())
	}
	l.rule(t, rules)
	for name, p := range map[string]path{
		"kernel":     newKernel(t, l, 40000, 40001, 40002, 40003),
		"translator": newModel(n),
	} {
		got, err := discover(p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

// TestFirewalls compares what a kernel's firewall lets out, behind a NAT, with what
// nat.Firewall.Permits says.
func TestFirewalls(t *testing.T) {
	for _, f := range nat.Firewalls() {
		t.Run(string(f), func(t *testing.T) {
			t.Parallel()
			rules, ok := barriers()[f]
			if !ok {
				t.Fatal("no rules for this firewall")
			}
			l := newLab(t, string(f))
			l.rule(t, recipes()[nat.PortRestricted])
			l.rule(t, rules)
			k := newKernel(t, l, 40000)
			for _, port := range []uint16{80, 443} {
				to := netip.AddrPortFrom(server(1, 1).Addr(), port)
				if got, want := connects(t, l, to), f.Permits(nat.TCP, to); got != want {
					t.Errorf("TCP to %v: got %v, want %v", to, got, want)
				}
			}
			for address := range 2 {
				for port := range 2 {
					to := server(1+address, 1+port)
					if got, want := passes(t, k, to), f.Permits(nat.UDP, to); got != want {
						t.Errorf("UDP to %v: got %v, want %v", to, got, want)
					}
				}
			}
		})
	}
}

// passes tells whether UDP from the host arrives within a second, which is long: there is nothing
// in between but the kernel.
func passes(t *testing.T, k *kernel, to netip.AddrPort) bool {
	t.Helper()
	token, err := k.send(netip.AddrPortFrom(hostAddr(), 40000), to)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = k.receive(to, time.Second, token)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return err == nil
}

// connects tells whether a TCP connection from the host to a port of the server comes about. The
// time allowed includes a second SYN, a second after the first.
func connects(t *testing.T, l lab, to netip.AddrPort) bool {
	t.Helper()
	err := within(l.internet, func() error {
		listener, err := net.Listen("tcp4", to.String())
		if err == nil {
			t.Cleanup(func() {
				if err := listener.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var timeout net.Error
	err = within(l.host, func() error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp4", to.String())
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
		t.Fatal(err)
	}
	return err == nil
}
