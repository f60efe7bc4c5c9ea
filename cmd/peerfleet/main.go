// Command peerfleet loads, gates and debugs WebRTC: see README.md.
package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/peerfleet/peerfleet/cmd/internal/cli"
	"golang.org/x/term"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	width, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil {
		width = 0 // not a terminal
	}
	os.Exit(cli.Main(cli.Env{
		Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv,
		Signals: signals, TerminalWidth: width, ColorOut: term.IsTerminal(int(os.Stdout.Fd())),
	}))
}
