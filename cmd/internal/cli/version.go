package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
	"github.com/spf13/cobra"
)

func versionCommand(env Env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "version", Short: "Print the versions of peerfleet, Go and the pion modules", Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			t := toolInfo()
			if asJSON {
				return json.NewEncoder(env.Stdout).Encode(t)
			}
			fmt.Fprintf(env.Stdout, "peerfleet %s\n%s\n", t.Version, t.Go)
			for _, name := range slices.Sorted(maps.Keys(t.Pion)) {
				fmt.Fprintf(env.Stdout, "pion/%s %s\n", name, t.Pion[name])
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// toolInfo reads what the binary was built from.
func toolInfo() metrics.Tool {
	t := metrics.Tool{Version: "devel", Go: runtime.Version(), Pion: map[string]string{}}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return t
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		t.Version = v
	}
	for _, m := range info.Deps {
		name, ok := strings.CutPrefix(m.Path, "github.com/pion/")
		if !ok {
			continue
		}
		// turn/v4 is the bundled server; the v5 that ICE brings along is its client.
		base, major, _ := strings.Cut(name, "/")
		if _, taken := t.Pion[base]; taken || base == "turn" && major != "v4" || base == "stun" && major != "v3" || base == "transport" && major != "v4" {
			base = name
		}
		t.Pion[base] = m.Version
	}
	return t
}
