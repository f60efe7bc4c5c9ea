package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/peerfleet/peerfleet/scenarios"
)

// source is the text of a scenario and where it comes from.
type source struct {
	name string // of the file or the built-in, for messages
	text []byte
}

// maxScenarioFile bounds what is read of a file before it is parsed.
const maxScenarioFile = 4 << 20

// findScenario reads a scenario by its path, or by the name of a built-in one. A path wins where
// both exist only when it looks like one.
func findScenario(arg string) (source, error) {
	isPath := strings.ContainsRune(arg, filepath.Separator) || strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml")
	if !isPath {
		if text, ok := scenarios.Builtin(arg); ok {
			return source{arg + ".yaml", text}, nil
		}
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, os.ErrNotExist) && !isPath:
		return source{}, usage("%q is neither a file nor a built-in scenario; built-in are %s", arg, strings.Join(scenarios.Builtins(), ", "))
	case err != nil:
		return source{}, usageError{err}
	case info.IsDir():
		return source{}, usage("%s is a folder, not a scenario file", arg)
	case info.Size() > maxScenarioFile:
		return source{}, usage("%s is too large for a scenario file: %d bytes", arg, info.Size())
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return source{}, usageError{err}
	}
	return source{arg, text}, nil
}

// parseScenario parses a scenario; its faults are the user's.
func parseScenario(s source, o scenarios.Options) (*scenarios.Scenario, error) {
	sc, err := scenarios.Parse(s.name, s.text, o)
	if err != nil {
		return nil, usageError{err}
	}
	return sc, nil
}

// readTrace reads a file that a scenario names.
func readTrace(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > 64<<20 || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a trace file of at most 64 MiB", path)
	}
	return os.ReadFile(path)
}
