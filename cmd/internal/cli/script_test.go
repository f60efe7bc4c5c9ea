package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/peerfleet/peerfleet/fleet"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"peerfleet": func() {
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		os.Exit(Main(Env{
			Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv, Signals: signals,
		}))
	}})
}

// TestScripts runs the whole command by script. "exits CODE ARGS" runs peerfleet and checks its
// exit code. A machine under other load can make a run on real sockets invalid, exit code 6: that
// is no answer to what a script asks, so it asks again.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../../../testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				got := 0
				for range 3 {
					got = exitCode(ts.Exec("peerfleet", args[1:]...))
					if got == want || got != fleet.ExitInvalid {
						break
					}
				}
				if got != want {
					ts.Fatalf("exit code %d, want %d", got, want)
				}
			},
			"same": func(ts *testscript.TestScript, _ bool, args []string) {
				var runs [2]map[string]any
				for i := range runs {
					ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[i])), &runs[i]))
					for _, key := range []string{"started", "elapsed_s"} {
						if runs[i][key] == nil {
							ts.Fatalf("%s has no %s", args[i], key)
						}
						delete(runs[i], key)
					}
				}
				if diff := cmp.Diff(runs[0], runs[1]); diff != "" {
					ts.Fatalf("-%s +%s:\n%s", args[0], args[1], diff)
				}
			},
		},
	})
}

// exitCode is the code in the error of a process that has exited, 0 for none.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(interface{ ExitCode() int }); ok {
		return e.ExitCode()
	}
	return -1
}

// TestBrokenScenarios runs every file of testdata/broken: exit code 2, the place named that the
// file's first line says, and nothing written.
func TestBrokenScenarios(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/broken/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("got %d files, %v; want at least 30", len(files), err)
	}
	want := regexp.MustCompile(`^# want (\d+:\d+): (.*)`)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			m := want.FindStringSubmatch(string(text))
			if m == nil {
				t.Fatal("the first line does not say what is wanted")
			}
			dir := t.TempDir()
			copied := filepath.Join(dir, filepath.Base(file))
			if err := os.WriteFile(copied, text, 0o600); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := Main(Env{
				Args:   []string{"run", copied, "--out", filepath.Join(dir, "out")},
				Stdout: &stdout, Stderr: &stderr, LookupEnv: func(string) (string, bool) { return "", false },
			})
			if code != 2 {
				t.Errorf("got exit code %d, want 2", code)
			}
			place, message, _ := strings.Cut(strings.TrimPrefix(m[0], "# want "), ": ")
			if got := stderr.String(); !strings.Contains(got, filepath.Base(file)+":"+place+": ") || !strings.Contains(got, message) {
				t.Errorf("got\n%s\nwant %s: … %s", got, place, message)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(entries) != 1 || stdout.Len() > 0 {
				t.Errorf("something was written: %v, %q", entries, stdout.String())
			}
		})
	}
}
