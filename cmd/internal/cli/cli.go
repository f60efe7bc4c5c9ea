// Package cli is the commands of peerfleet, one file each. It turns flags, files and signals into
// calls of the packages below and their results into output and exit codes; it does not know how
// anything is done.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Env is everything a command may touch of the process it runs in.
type Env struct {
	Args           []string // without the program's name
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
	Signals        <-chan os.Signal // the first asks to stop, the second to quit
	TerminalWidth  int              // of Stderr, in columns; 0: not a terminal
	ColorOut       bool             // Stdout is a terminal
}

// usageError is an error of how peerfleet was called: exit code 2.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exitError ends a command with a code whose reason has been printed already.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// Main runs the command and returns the process's exit code. The first signal ends the command's
// context; at the second Main returns at once, whatever still runs.
func Main(env Env) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan int, 1)
	go func() { done <- execute(ctx, env) }() // ends with the command; abandoned only at the second signal
	for stopping := false; ; {
		select {
		case code := <-done:
			return code
		case <-env.Signals:
			if stopping {
				fmt.Fprintln(env.Stderr, "peerfleet: quitting at once")
				return fleet.ExitInterrupted
			}
			stopping = true
			fmt.Fprintln(env.Stderr, "peerfleet: stopping; once more to quit at once")
			cancel()
		}
	}
}

func execute(ctx context.Context, env Env) int {
	root := rootCommand(ctx, env)
	root.SetArgs(env.Args)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	err := root.Execute()
	var exit exitError
	var use usageError
	switch {
	case err == nil:
		return fleet.ExitPass
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &use):
		fmt.Fprintln(env.Stderr, "peerfleet:", err)
		return fleet.ExitUsage
	}
	fmt.Fprintln(env.Stderr, "peerfleet:", err)
	return fleet.ExitFault
}

func rootCommand(ctx context.Context, env Env) *cobra.Command {
	root := &cobra.Command{
		Use:           "peerfleet",
		Short:         "Load, gate and debug WebRTC",
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q; see peerfleet --help", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			return fromEnvironment(c.Flags(), env.LookupEnv)
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(runCommand(ctx, env), serveCommand(ctx, env), scenarioCommand(env), reportCommand(env), versionCommand(env))
	return root
}

// fromEnvironment gives every flag that was not set its environment twin's value: --allow-host
// is PEERFLEET_ALLOW_HOST, comma-separated where the flag repeats.
func fromEnvironment(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" {
			return
		}
		name := "PEERFLEET_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := lookup(name)
		if !ok || value == "" { // as CI systems export what is not set
			return
		}
		values := []string{value}
		if f.Value.Type() == "stringArray" {
			values = strings.Split(value, ",")
		}
		for _, v := range values {
			if err := flags.Set(f.Name, v); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	})
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

// exactly checks the number of arguments as a fault of usage.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != n {
			return usage("expected %s, got %d arguments", what, len(args))
		}
		return nil
	}
}

func atLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usage("expected %s", what)
		}
		return nil
	}
}
