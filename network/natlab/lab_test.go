//go:build natlab && linux

package natlab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// lab is three network namespaces in a row: the host's, the gateway's and the internet's. Each test
// makes its own, since the kernel's memory of connections outlives the rules that made them.
type lab struct{ host, gateway, internet string }

// namespaces is where ip keeps named network namespaces.
const namespaces = "/run/netns"

// TestMain removes the namespaces of runs that came to an end without doing so: a panic in one test
// spares the others their cleanup, as does a kill. It leaves alone those of a run that still goes on.
func TestMain(m *testing.M) {
	left, err := filepath.Glob(filepath.Join(namespaces, "natlab-*"))
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, path := range left {
		var owner int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "natlab-%d-", &owner); err != nil {
			continue // not one of ours
		}
		if owner == os.Getpid() || errors.Is(unix.Kill(owner, 0), unix.ESRCH) {
			// Another run may have been faster; and what stays is in nobody's way.
			_ = command("", "ip", "netns", "del", name)
		}
	}
	m.Run()
}

// newLab makes namespaces that are removed when the test ends, unless the process dies before.
func newLab(t *testing.T, name string) lab {
	t.Helper()
	needs(t)
	prefix := fmt.Sprintf("natlab-%d-%s-", os.Getpid(), name)
	l := lab{prefix + "host", prefix + "gateway", prefix + "internet"}
	for _, namespace := range []string{l.host, l.gateway, l.internet} {
		t.Cleanup(func() {
			if err := command("", "ip", "netns", "del", namespace); err != nil {
				t.Error(err)
			}
		})
		run(t, "", "ip", "netns", "add", namespace)
		run(t, "", "ip", "-n", namespace, "link", "set", "lo", "up")
	}
	l.join(t, "lan", "10.0.0.1/24", l.host, "10.0.0.2/24")
	l.join(t, "wan", outsideAddr().String()+"/24", l.internet, "203.0.113.1/24", "203.0.113.2/24")
	run(t, "", "ip", "-n", l.host, "route", "add", "default", "via", "10.0.0.1")
	run(t, "", "ip", "netns", "exec", l.gateway, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	return l
}

// join connects an interface of the gateway with another namespace.
func (l lab) join(t *testing.T, name, address, other string, addresses ...string) {
	t.Helper()
	run(t, "", "ip", "-n", l.gateway, "link", "add", "name", name, "type", "veth", "peer", "name", "up0", "netns", other)
	run(t, "", "ip", "-n", l.gateway, "address", "add", address, "dev", name)
	for _, a := range addresses {
		run(t, "", "ip", "-n", other, "address", "add", a, "dev", "up0")
	}
	run(t, "", "ip", "-n", other, "link", "set", "up0", "up")
	run(t, "", "ip", "-n", l.gateway, "link", "set", name, "up")
}

// rule loads rules into the gateway.
func (l lab) rule(t *testing.T, rules string) {
	t.Helper()
	run(t, rules, "ip", "netns", "exec", l.gateway, "nft", "-f", "-")
}

// needs fails a test that cannot be run here: who asks for this layer wants to know.
func needs(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces need root: run the test as root")
	}
	for name, pkg := range map[string]string{"ip": "iproute2", "nft": "nftables"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Fatalf("the test needs the command %s: install %s (%v)", name, pkg, err)
		}
	}
}

func run(t *testing.T, input string, args ...string) {
	t.Helper()
	if err := command(input, args...); err != nil {
		t.Fatal(err)
	}
}

func command(input string, args ...string) error {
	c := exec.Command(args[0], args[1:]...)
	c.Stdin = strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// within calls f in a network namespace. Sockets that f opens stay there. The thread that went in
// cannot be trusted to come back: the goroutine ends without unlocking it, which ends the thread.
func within(namespace string, f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- enter(namespace, f)
	}()
	return <-done
}

func enter(namespace string, f func() error) error {
	handle, err := os.Open(filepath.Join(namespaces, namespace))
	if err != nil {
		return err
	}
	err = unix.Setns(int(handle.Fd()), unix.CLONE_NEWNET)
	if closing := handle.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("enter namespace %s: %w", namespace, err)
	}
	return f()
}
