package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peerfleet/peerfleet/fleet"
)

// TestREADME runs every command that the README shows, in its order and in one empty folder, with
// runs cut short by the environment twins of their flags. Each must succeed.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	ran := 0
	for block := range fenced(string(text), "sh") {
		for command := range strings.Lines(block) {
			command = strings.TrimSpace(command)
			if command == "go test ./..." {
				continue // the command that has brought us here
			}
			args, ok := strings.CutPrefix(command, "go run ./cmd/peerfleet ")
			if !ok {
				t.Errorf("the README shows %q, which no test runs", command)
				continue
			}
			ran++
			t.Run(command, func(t *testing.T) { runShort(t, strings.Fields(args)) })
		}
	}
	if ran < 8 {
		t.Errorf("ran %d commands of the README, want all: has its form changed?", ran)
	}
}

// runShort carries a command out in process. serve is told to stop at once.
func runShort(t *testing.T, args []string) {
	twins := map[string]string{
		"PEERFLEET_DURATION": "1s", "PEERFLEET_QUIET": "true", "PEERFLEET_HTTP": "127.0.0.1:0", "PEERFLEET_TURN": "127.0.0.1:0",
	}
	signals := make(chan os.Signal, 1)
	if args[0] == "serve" {
		signals <- os.Interrupt
	}
	code := 0
	var output bytes.Buffer
	for range 3 { // a machine under load can make a run on sockets invalid
		output.Reset()
		code = Main(Env{
			Args: args, Stdout: &output, Stderr: t.Output(), Signals: signals,
			LookupEnv: func(name string) (string, bool) { v, ok := twins[name]; return v, ok },
		})
		if code != fleet.ExitInvalid {
			break
		}
	}
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, output.String())
	}
}

// fenced yields the code blocks of a kind.
func fenced(markdown, kind string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for rest := markdown; ; {
			_, after, ok := strings.Cut(rest, "```"+kind+"\n")
			if !ok {
				return
			}
			block, left, ok := strings.Cut(after, "```")
			if !ok || !yield(block) {
				return
			}
			rest = left
		}
	}
}

// TestREADMEFiles holds the README to files that exist.
func TestREADMEFiles(t *testing.T) {
	text, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "](")[1:] {
		target, _, _ := strings.Cut(part, ")")
		if strings.Contains(target, "://") {
			continue
		}
		if _, err := os.Stat(filepath.Join("../../..", filepath.FromSlash(target))); err != nil {
			t.Errorf("the README points to %s: %v", target, err)
		}
	}
}
