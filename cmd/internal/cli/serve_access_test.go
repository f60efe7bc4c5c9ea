package cli

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// TestServeAsksForTokens starts a server with secrets, lets REST mint a token, and shows it.
func TestServeAsksForTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host := startServe(t, "--token-secret-file", file, "--stream-limit", "1", "--allow-origin", "https://page.example")
	answer, err := http.Get("http://" + host + "/live/rest/v2/broadcasts/room1/jwt-token?type=publish&expireDate=4102444800")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	_, rest, _ := strings.Cut(string(text), `"tokenId":"`)
	token, _, found := strings.Cut(rest, `"`)
	if !found {
		t.Fatalf("got %s, want a token", text)
	}

	if _, refusal, err := websocket.DefaultDialer.Dial("ws://"+host+"/live/websocket", http.Header{"Origin": {"https://evil.example"}}); err == nil || refusal.StatusCode != http.StatusForbidden {
		t.Errorf("a page of another origin: got %v, want 403", err)
	}
	conn, _, err := websocket.DefaultDialer.Dial("ws://"+host+"/live/websocket", http.Header{"Origin": {"https://page.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, c := range []struct{ stream, token, want string }{
		{"a", "", "unauthorized_access"},
		{"a", token, `"command":"start"`},
		{"b", token, "not_allowed_to_add_more_subtracks"},
	} {
		ask := map[string]string{"command": "publish", "streamId": c.stream, "mainTrack": "room1", "token": c.token}
		if err := conn.WriteJSON(ask); err != nil {
			t.Fatal(err)
		}
		if _, answer, err := conn.ReadMessage(); err != nil || !strings.Contains(string(answer), c.want) {
			t.Errorf("publish %s: got %s %v, want %s", c.stream, answer, err, c.want)
		}
	}
}
