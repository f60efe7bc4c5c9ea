package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/metrics"
)

const strictScenario = `
name: strict
duration: 3s
warmup: 1s
network: sockets
media:
  camera:
    audio: {codec: opus}
    video: {codec: h264, bitrate: 200kbps, keyframe: 2s}
peers:
  conference: {count: 3, topology: conference, publish: [camera], receive: all, join: {every: 200ms}}
  pair: {count: 2, topology: p2p, publish: [camera], receive: all}
  mesh: {count: 3, topology: mesh, publish: [camera], receive: all}
`

// TestBotsLoadAStrictServer runs bots against a server that behaves as Ant Media Server does and
// asks for tokens: every topology connects and has H.264 in every direction.
func TestBotsLoadAStrictServer(t *testing.T) {
	const secret = "correct horse battery"
	host := startServe(t, "--strict", "--token-secret", secret)
	folder := t.TempDir()
	file, report := filepath.Join(folder, "strict.yaml"), filepath.Join(folder, "out")
	if err := os.WriteFile(file, []byte(strictScenario), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(args ...string) (int, string) {
		var said bytes.Buffer
		code := Main(Env{
			Args:   append([]string{"run", file, "--quiet", "--target", "ws://" + host + "/live/websocket", "--out", report}, args...),
			Stdout: &said, Stderr: &said, LookupEnv: func(string) (string, bool) { return "", false },
		})
		return code, said.String()
	}
	code, said := load("--format", "json", "--target-token-secret", secret)
	if code != 0 && code != 6 { // a busy machine makes the figures invalid, not what is looked at here
		t.Errorf("got exit code %d:\n%s", code, said)
	}
	text, err := os.ReadFile(filepath.Join(report, "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte(secret)) {
		t.Error("run.json holds the secret")
	}
	var r metrics.Run
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	peers, tracks := 0, map[string]int{}
	for _, c := range r.Cells {
		for _, p := range c.PeersDetail {
			if peers++; p.State != "connected" {
				t.Errorf("%s: %s %s %s", p.Name, p.State, p.Failure, p.Detail)
			}
			for _, track := range p.Tracks {
				if track.Packets > 0 {
					tracks[p.Topology+" "+track.Kind]++
				}
			}
		}
	}
	want := map[string]int{
		"conference audio": 6, "conference video": 6, "p2p audio": 2, "p2p video": 2, "mesh audio": 6, "mesh video": 6,
	}
	if d := cmp.Diff(want, tracks); d != "" || peers != 8 {
		t.Errorf("%d peers, tracks with media (-want +got):\n%s", peers, d)
	}

	code, said = load("--format", "json", "--target-token", "nonsense")
	text, err = os.ReadFile(filepath.Join(report, "run.json"))
	if err != nil || code != 5 || strings.Count(string(text), "unauthorized_access") < 8 {
		t.Errorf("with a wrong token: got exit code %d, %v:\n%s", code, err, said)
	}
}
