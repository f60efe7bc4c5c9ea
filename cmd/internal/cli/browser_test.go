//go:build browser

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrowserSDK has the unmodified SDK in a real Chromium do what its documentation shows, against
// the server that "peerfleet serve" runs. SDK_DIR is the package's folder dist/es, CHROMIUM the
// browser, "chromium" by default.
func TestBrowserSDK(t *testing.T) {
	sdk := os.Getenv("SDK_DIR")
	if _, err := os.Stat(filepath.Join(sdk, "index.js")); err != nil {
		t.Fatalf("SDK_DIR: %v", err)
	}
	results := make(chan []byte, 1)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("../../../testdata/browser")))
	mux.Handle("/sdk/", http.StripPrefix("/sdk/", http.FileServer(http.Dir(sdk))))
	mux.HandleFunc("POST /result", func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		results <- body
	})
	pages := httptest.NewServer(mux)
	defer pages.Close()
	pair := startServe(t)
	mesh := startServe(t, "--mesh", "--mesh-limit", "4")

	for _, name := range []string{"connect", "p2p", "mesh", "conference", "mute", "screen", "data", "drop", "legacy"} {
		t.Run(name, func(t *testing.T) {
			browse(t, pages.URL, results, url.Values{"scenario": {name}, "pair": {pair}, "mesh": {mesh}})
		})
	}
	t.Run("bots", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "call.yaml")
		call := "name: call\nduration: 8s\npeers:\n  bots: {count: 2, topology: conference, room: both, publish: [camera]}\n"
		if err := os.WriteFile(file, []byte(call), 0o600); err != nil {
			t.Fatal(err)
		}
		done := make(chan string, 1)
		go func() {
			var out bytes.Buffer
			code := Main(Env{
				Args:   []string{"run", file, "--quiet", "--target", "ws://" + pair + "/live/websocket", "--out", filepath.Join(filepath.Dir(file), "out")},
				Stdout: &out, Stderr: &out, LookupEnv: func(string) (string, bool) { return "", false },
			})
			if code != 0 && code != 6 { // a machine that also decodes for a browser may be too busy to measure
				done <- out.String()
				return
			}
			done <- ""
		}()
		browse(t, pages.URL, results, url.Values{"scenario": {"bots"}, "pair": {pair}, "mesh": {mesh}, "room": {"both"}})
		if trouble := <-done; trouble != "" {
			t.Errorf("the bots: %s", trouble)
		}
	})
}

// browse opens the page in a browser of its own and waits for its result.
func browse(t *testing.T, base string, results <-chan []byte, query url.Values) {
	t.Helper()
	chromium := os.Getenv("CHROMIUM")
	if chromium == "" {
		chromium = "chromium"
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, chromium,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio", "--remote-debugging-port=0",
		"--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--user-data-dir="+t.TempDir(),
		base+"/page.html?"+query.Encode())
	var out bytes.Buffer
	c.Stdout, c.Stderr, c.WaitDelay = &out, &out, 5*time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = c.Wait() // killed
	}()
	select {
	case body := <-results:
		var r struct {
			OK      bool     `json:"ok"`
			Error   string   `json:"error"`
			Journal []string `json:"journal"`
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if !r.OK {
			t.Errorf("%s\n%s", r.Error, strings.Join(r.Journal, "\n"))
		}
	case <-ctx.Done():
		t.Fatalf("no result; the browser said:\n%s", out.String())
	}
}
