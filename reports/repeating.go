package reports

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// maxSource bounds the scenario's text in the long reports.
const maxSource = 256 << 10

// repeatSection holds all that is needed to do the run again.
func repeatSection(run *metrics.Run) Section {
	s := Section{
		ID: "repeat", Title: "Doing it again",
		Text:  []string{"Save the scenario below as scenario.yaml and run: " + command(run)},
		Table: &Table{Columns: []Column{{"what", false}, {"value", false}}},
	}
	for _, f := range provenance(run) {
		if f.Text != "" {
			s.Table.Rows = append(s.Table.Rows, []Field{{Text: f.Label}, {Text: clean(f.Text)}})
		}
	}
	s.Pre = cleanLines(run.Scenario.Source)
	if len(s.Pre) > maxSource {
		s.Pre = strings.ToValidUTF8(s.Pre[:maxSource], "") + "\n… (the rest is in run.json)"
	}
	if s.Pre == "" {
		s.Text = nil
	}
	return s
}

func command(run *metrics.Run) string {
	s := run.Scenario
	c := fmt.Sprintf("peerfleet run scenario.yaml --seed %d", s.Seed)
	if s.Clock != "" {
		c += " --clock " + quoted(s.Clock)
	}
	if s.Network != "" {
		c += " --network " + quoted(s.Network)
	}
	if s.Target != "" {
		c += " --target " + quoted(s.Target)
	}
	return c
}

// quoted makes a word safe to paste into a POSIX shell.
func quoted(s string) string {
	s = clean(s)
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/:=@%+", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func provenance(run *metrics.Run) []Fact {
	var pion []string
	for _, m := range sortedKeys(run.Tool.Pion) {
		pion = append(pion, m+" "+run.Tool.Pion[m])
	}
	started := ""
	if !run.Started.IsZero() {
		started = run.Started.UTC().Format("2006-01-02 15:04:05.000") + " UTC"
	}
	s, h := run.Scenario, run.Host
	return []Fact{
		{"scenario", s.Name},
		{"SHA-256 of its text", s.SHA256},
		{"seed", fmt.Sprint(s.Seed)},
		{"clock", s.Clock},
		{"network", s.Network},
		{"target", s.Target},
		{"peerfleet", run.Tool.Version},
		{"Go", run.Tool.Go},
		{"pion", strings.Join(pion, ", ")},
		{"CPU", strings.TrimSpace(fmt.Sprintf("%s (%s)", cmp.Or(h.CPU, "unknown"), count(h.CPUs, "core")))},
		{"system", strings.TrimSpace(h.OS + " " + h.Arch + " " + h.Kernel)},
		{"started", started},
		{"took", seconds(run.ElapsedS)},
		{"call time", seconds(run.SimulatedS)},
	}
}
