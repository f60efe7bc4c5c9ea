package cli

import (
	"bufio"
	"io"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestServe starts the server on free ports, talks to it, and asks it to stop.
func TestServe(t *testing.T) {
	out, in := io.Pipe()
	signals := make(chan os.Signal, 1)
	code := make(chan int, 1)
	go func() {
		code <- Main(Env{
			Args:   []string{"serve", "--http", "127.0.0.1:0", "--turn", "127.0.0.1:0", "--mesh"},
			Stdout: in, Stderr: io.Discard, Signals: signals, LookupEnv: func(string) (string, bool) { return "", false },
		})
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no line that the server is ready: %v", err)
	}
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != "ready" || !strings.HasPrefix(fields[1], "http=http://") || !strings.HasPrefix(fields[2], "turn=turn:") {
		t.Errorf("got %q, want ready http=… turn=…", line)
	}
	u, err := url.Parse(strings.TrimPrefix(fields[1], "http="))
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+u.Host+"/live/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ask := func(command, want string) {
		t.Helper()
		if err := conn.WriteMessage(websocket.TextMessage, []byte(command)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, answer, err := conn.ReadMessage(); err != nil || !strings.Contains(string(answer), want) {
			t.Errorf("got %s %v, want %s", answer, err, want)
		}
	}
	ask(`{"command":"ping"}`, `"pong"`)
	ask(`{"command":"getIceServerConfig"}`, `"stunServerUri":"turn:127.0.0.1:`)

	signals <- os.Interrupt
	if _, answer, err := conn.ReadMessage(); err != nil || !strings.Contains(string(answer), "server_will_stop") {
		t.Errorf("got %s %v, want the stop announced", answer, err)
	}
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("got exit code %d, want 0", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not stop")
	}
}

// startServe runs "peerfleet serve" until the test ends, and returns the address of signaling.
func startServe(t *testing.T, args ...string) string {
	t.Helper()
	out, in := io.Pipe()
	signals, ended := make(chan os.Signal, 1), make(chan int, 1)
	go func() {
		ended <- Main(Env{
			Args:   append([]string{"serve", "--http", "127.0.0.1:0", "--turn", "127.0.0.1:0"}, args...),
			Stdout: in, Stderr: os.Stderr, Signals: signals, LookupEnv: func(string) (string, bool) { return "", false },
		})
		_ = in.Close()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no line that the server is ready: %v", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		signals <- os.Interrupt
		if code := <-ended; code != 0 {
			t.Errorf("serve: exit code %d", code)
		}
	})
	_, rest, ok := strings.Cut(line, "http=http://")
	if !ok {
		t.Fatalf("got %q, want an address", line)
	}
	address, _, _ := strings.Cut(rest, " ")
	return strings.TrimSpace(address)
}
