package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/peerfleet/peerfleet/metrics"
	"github.com/peerfleet/peerfleet/reports"
	"github.com/peerfleet/peerfleet/scenarios"
	"github.com/spf13/cobra"
)

// runFlags are the flags of run as given.
type runFlags struct {
	out, seed, clock, network, duration, repeat string
	set, allowHosts                             []string
	target, format, baseline, metricsAddr, live string
	trace                                       string
	token                                       tokenFlags
	dryRun, quiet, noColor, json                bool
}

func runCommand(ctx context.Context, env Env) *cobra.Command {
	f := &runFlags{}
	c := &cobra.Command{
		Use: "run SCENARIO...", Short: "Carry out scenario files, by path or by the name of a built-in",
		Args: atLeastOne("scenario files or names"),
		RunE: func(_ *cobra.Command, args []string) error { return run(ctx, env, f, args) },
	}
	fl := c.Flags()
	fl.StringVar(&f.out, "out", "", "folder of the report (default out/<scenario>-<time>)")
	fl.StringVar(&f.seed, "seed", "", "override the scenario's seed")
	fl.StringVar(&f.clock, "clock", "", "override the scenario's clock: wall or virtual")
	fl.StringVar(&f.network, "network", "", "override the scenario's network: sockets or simulated")
	fl.StringVar(&f.duration, "duration", "", "override the scenario's measured time")
	fl.StringVar(&f.repeat, "repeat", "", "override how often each cell is run")
	fl.StringArrayVar(&f.set, "set", nil, "override one value of the file, as PATH=VALUE; repeatable")
	fl.StringVar(&f.target, "target", "", "load this server, as ws:// or wss:// URL, instead of the embedded one")
	f.token.register(fl)
	fl.StringArrayVar(&f.allowHosts, "allow-host", nil, "permit load on a host that is not loopback; repeatable")
	fl.StringVar(&f.format, "format", strings.Join(reports.Formats(), ","), "what to write into the folder")
	fl.StringVar(&f.baseline, "baseline", "", "compare with earlier runs (not available yet)")
	fl.StringVar(&f.metricsAddr, "metrics", "", "serve Prometheus metrics on this address while running")
	fl.StringVar(&f.live, "live", "", "serve a page with running charts on this address while running")
	fl.StringVar(&f.trace, "trace", "", "tell this peer's connecting packet by packet, as a plot and as pcapng")
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the plan and its predicted cost, start nothing")
	fl.BoolVar(&f.quiet, "quiet", false, "no progress")
	fl.BoolVar(&f.noColor, "no-color", false, "no colours")
	fl.BoolVar(&f.json, "json", false, "end standard output with the summary as one JSON object")
	return c
}

// run reads every scenario before it starts the first, so that a fault in one leaves nothing
// half done.
func run(ctx context.Context, env Env, f *runFlags, args []string) error {
	formats, err := f.check()
	if err != nil {
		return err
	}
	if err := f.token.check(f.target); err != nil {
		return err
	}
	if f.noColor {
		env.ColorOut = false
	}
	plans, err := loadPlans(env, f, args)
	if err != nil {
		return err
	}
	if f.dryRun {
		for _, p := range plans {
			printPlan(env.Stdout, p)
		}
		return nil
	}
	live, err := startWatchers(ctx, f.metricsAddr, f.live)
	if err != nil {
		return err
	}
	runs, err := carryOut(ctx, env, f, formats, plans, live)
	if err := live.Close(context.WithoutCancel(ctx)); err != nil {
		fmt.Fprintln(env.Stderr, "peerfleet: watching:", err) // the run itself is not at fault
	}
	codes := map[int]bool{}
	if err != nil {
		fmt.Fprintln(env.Stderr, "peerfleet:", err)
		codes[fleet.ExitFault] = true
	}
	if len(runs) < len(plans) && ctx.Err() != nil {
		codes[fleet.ExitInterrupted] = true
	}
	return finish(env, f, runs, codes)
}

func (f *runFlags) check() ([]string, error) {
	if f.baseline != "" {
		return nil, usage("--baseline: comparing runs is not available yet in this version")
	}
	return parseFormats(f.format)
}

func loadPlans(env Env, f *runFlags, args []string) ([]scenarios.Plan, error) {
	o, err := f.options(env)
	if err != nil {
		return nil, err
	}
	var plans []scenarios.Plan
	var errs []error
	for _, arg := range args {
		src, err := findScenario(arg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s, err := parseScenario(src, o)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		p := s.Plan(s.Seed)
		if err := permitted(p, f.allowHosts); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", src.name, err))
			continue
		}
		if err := traceable(p, f.trace); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", src.name, err))
			continue
		}
		plans = append(plans, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, usageError{err}
	}
	return plans, nil
}

func (f *runFlags) options(env Env) (scenarios.Options, error) {
	o := scenarios.Options{
		Seed: f.seed, Clock: f.clock, Network: f.network, Duration: f.duration, Repeat: f.repeat, Target: f.target,
		Env: env.LookupEnv, ReadFile: readTrace,
	}
	for _, s := range f.set {
		path, value, ok := strings.Cut(s, "=")
		if !ok || path == "" {
			return o, usage("--set: %q is not PATH=VALUE", s)
		}
		o.Set = append(o.Set, scenarios.Override{Path: path, Value: value})
	}
	return o, nil
}

// permitted tells whether load may go to every host that the plan names: loopback always, others
// by --allow-host. Names are not resolved for this: what a name means may change.
func permitted(p scenarios.Plan, allowed []string) error {
	hosts := map[string]bool{}
	if p.Target != "" {
		u, err := url.Parse(p.Target)
		if err != nil {
			return fmt.Errorf("--target: %w", err)
		}
		hosts[u.Hostname()] = true
	}
	for _, c := range p.Cells {
		for _, u := range c.Server.TURN.URLs {
			_, rest, _ := strings.Cut(u, ":")
			rest, _, _ = strings.Cut(rest, "?")
			host := rest
			if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
				host = rest[:i]
			}
			hosts[strings.Trim(host, "[]")] = true
		}
	}
	var errs []error
	for h := range hosts {
		addr, err := netip.ParseAddr(h)
		loopback := err == nil && addr.Unmap().IsLoopback() || h == "localhost"
		if !loopback && !slices.Contains(allowed, h) {
			errs = append(errs, fmt.Errorf("load on %s needs --allow-host %s", h, h))
		}
	}
	return errors.Join(errs...)
}

// carryOut runs the plans one after the other and writes each one's report. An interrupt ends
// the row.
func carryOut(ctx context.Context, env Env, f *runFlags, formats []string, plans []scenarios.Plan, live *watchers) ([]*metrics.Run, error) {
	var runs []*metrics.Run
	taken := map[string]bool{}
	for i := 0; i < len(plans) && (i == 0 || ctx.Err() == nil); i++ {
		p := plans[i]
		dir := unused(f.folder(p, len(plans) > 1), taken)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return runs, fmt.Errorf("make report folder: %w", err)
		}
		show := newProgress(env, f.quiet)
		show.announce(p, runtime.GOMAXPROCS(0))
		kept := captures{peer: f.trace}
		live.begin(p.Name)
		r := fleet.Run(ctx, p, fleet.Config{
			Tool: toolInfo(), Progress: show.update, Live: live.observer(), Trace: f.trace, Captured: kept.take,
			TargetToken: f.token.mint,
		})
		show.done()
		runs = append(runs, r)
		if err := errors.Join(writeReport(r, dir, formats), kept.write(dir)); err != nil {
			return runs, err
		}
		fmt.Fprint(env.Stdout, reports.Summary(reports.Build(r), env.color()))
		fmt.Fprintln(env.Stdout, "report:", dir)
	}
	return runs, nil
}

// folder is where a plan's report goes. Several plans have a folder each below --out.
func (f *runFlags) folder(p scenarios.Plan, several bool) string {
	switch {
	case f.out == "":
		return filepath.Join("out", fileName(p.Name)+time.Now().Format("-20060102-150405"))
	case several:
		return filepath.Join(f.out, fileName(p.Name))
	}
	return f.out
}

// unused numbers a folder that an earlier scenario of the same command has taken.
func unused(dir string, taken map[string]bool) string {
	free := dir
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s-%d", dir, n)
	}
	taken[free] = true
	return free
}

// finish prints the summary object, where asked for, and turns the runs into the exit code: of
// several the one that comes first in the order of exit codes. codes hold beside those of the runs.
func finish(env Env, f *runFlags, runs []*metrics.Run, codes map[int]bool) error {
	for _, r := range runs {
		codes[r.ExitCode] = true
	}
	if f.json {
		if err := printJSON(env, runs); err != nil {
			return err
		}
	}
	for _, code := range fleet.ExitOrder() {
		if codes[code] {
			return exitError{code}
		}
	}
	return nil
}

// runSummary is what --json prints of a run.
type runSummary struct {
	Scenario   string                    `json:"scenario"`
	Verdict    string                    `json:"verdict"`
	ExitCode   int                       `json:"exit_code"`
	Seed       uint64                    `json:"seed"`
	ElapsedS   float64                   `json:"elapsed_s"`
	Peers      metrics.PeerCounts        `json:"peers"`
	Thresholds []metrics.ThresholdResult `json:"thresholds"`
	Findings   []metrics.Finding         `json:"findings"`
}

func printJSON(env Env, runs []*metrics.Run) error {
	var b bytes.Buffer
	list := make([]runSummary, 0, len(runs))
	for _, r := range runs {
		s := runSummary{
			Scenario: r.Scenario.Name, Verdict: r.Verdict, ExitCode: r.ExitCode, Seed: r.Scenario.Seed, ElapsedS: r.ElapsedS,
			Peers: metrics.PeerCounts{Failures: map[string]int{}}, Thresholds: r.Thresholds, Findings: r.Audit.Findings,
		}
		for i := range r.Cells {
			s.Peers.Add(r.Cells[i].Peers)
		}
		list = append(list, s)
	}
	var object any = map[string]any{"runs": list}
	if len(list) == 1 {
		object = list[0]
	}
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a line for a terminal, not a page
	if err := e.Encode(object); err != nil {
		return err
	}
	_, err := env.Stdout.Write(b.Bytes())
	return err
}
