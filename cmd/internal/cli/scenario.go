package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/spf13/cobra"
)

func scenarioCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "scenario", Short: "List, show, check and start scenario files",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q of scenario; see peerfleet scenario --help", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the built-in scenarios", Args: exactly(0, "no arguments"),
			RunE: func(*cobra.Command, []string) error { return listScenarios(env) },
		},
		&cobra.Command{
			Use: "show NAME", Short: "Print a built-in scenario", Args: exactly(1, "the name of a built-in scenario"),
			RunE: func(_ *cobra.Command, args []string) error {
				text, ok := scenarios.Builtin(args[0])
				if !ok {
					return usage("no built-in scenario %q; there are %s", args[0], strings.Join(scenarios.Builtins(), ", "))
				}
				_, err := env.Stdout.Write(text)
				return err
			},
		},
		&cobra.Command{
			Use: "validate FILE...", Short: "Check scenario files and report every fault", Args: atLeastOne("scenario files"),
			RunE: func(_ *cobra.Command, args []string) error { return validateScenarios(env, args) },
		},
		&cobra.Command{
			Use: "schema", Short: "Print the JSON Schema of scenario files", Args: exactly(0, "no arguments"),
			RunE: func(*cobra.Command, []string) error {
				_, err := env.Stdout.Write(scenarios.Schema())
				return err
			},
		},
		&cobra.Command{
			Use: "new NAME", Short: "Write a commented scenario NAME.yaml to start from", Args: exactly(1, "a name"),
			RunE: func(_ *cobra.Command, args []string) error { return newScenario(env, args[0]) },
		},
	)
	return c
}

func listScenarios(env Env) error {
	for _, name := range scenarios.Builtins() {
		text, _ := scenarios.Builtin(name)
		s, err := scenarios.Parse(name+".yaml", text, scenarios.Options{})
		if err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%-18s %s\n", name, strings.Join(strings.Fields(s.Description), " "))
	}
	return nil
}

// validateScenarios checks every file, whatever is wrong with those before it.
func validateScenarios(env Env, args []string) error {
	var errs []error
	for _, arg := range args {
		src, err := findScenario(arg)
		if err == nil {
			_, err = scenarios.Parse(src.name, src.text, scenarios.Options{Env: env.LookupEnv, ReadFile: readTrace})
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintf(env.Stdout, "%s: ok\n", arg)
	}
	if err := errors.Join(errs...); err != nil {
		return usageError{err}
	}
	return nil
}

func newScenario(env Env, name string) error {
	file := fileName(name) + ".yaml"
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return usage("%s exists already", file)
	}
	if err != nil {
		return usageError{err}
	}
	if _, err := f.Write(scenarios.Template(name)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, file)
	return nil
}

// fileName is a scenario's name as the name of a file or folder: never one that leads elsewhere.
func fileName(name string) string {
	if strings.Trim(name, ".") == "" {
		return strings.Repeat("-", len(name))
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
			return r
		}
		return '-'
	}, name)
}
