package antmedia

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
	"go.uber.org/goleak"
)

func TestLoopback(t *testing.T) {
	defer goleak.VerifyNone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conference := signalingtest.NewConference()
	server := NewServer(Config{Conference: conference})
	web := &http.Server{Handler: server, ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	target := NewTarget(TargetConfig{
		URL: "ws://" + listener.Addr().String() + "/live/websocket", Dial: new(net.Dialer).DialContext,
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var sessions []signaling.Session
	for _, id := range []string{"a", "b", "c"} {
		s, err := target.Join(ctx, peer(id, "r", signaling.TopologyConference, camera()))
		if err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, s)
	}
	if d, err := sessions[0].Ping(ctx); err != nil || d <= 0 || d > 10*time.Second {
		t.Errorf("ping: got %v, %v", d, err)
	}
	if err := sessions[0].Leave(ctx); err != nil {
		t.Error(err)
	}
	if err := sessions[1].Drop(); err != nil {
		t.Error(err)
	}
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
	<-sessions[2].Done()
	if err := sessions[2].Err(); !errors.Is(err, ErrServiceStopping) {
		t.Errorf("end: got %v", err)
	}
	if err := web.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	if err := conference.Close(); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	defer goleak.VerifyNone(t)
	certificate, roots, err := identity.TLS("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(Config{})
	web := httptest.NewUnstartedServer(server)
	web.TLS = &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12}
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	config := TargetConfig{
		URL: "wss://" + web.Listener.Addr().String() + "/live/websocket", Dial: new(net.Dialer).DialContext,
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	p := peer("a", "r", signaling.TopologyP2P, camera())
	_, err = NewTarget(config).Join(ctx, p)
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) {
		t.Errorf("join with an unknown authority: got %v", err)
	}
	config.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	s, err := NewTarget(config).Join(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Drop(); err != nil {
		t.Error(err)
	}
	if err := server.Stop(ctx); err != nil {
		t.Error(err)
	}
}
