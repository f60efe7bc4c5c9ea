package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// rounds is enough to meet every length there could be: one signature in 256 is shorter than 70.
const rounds = 300

func TestSignaturesHaveOneLength(t *testing.T) {
	key, certificate, err := DTLS()
	if err != nil {
		t.Fatal(err)
	}
	public, ok := certificate.PublicKey.(*ecdsa.PublicKey)
	if !ok || !public.Equal(key.Public()) {
		t.Fatalf("the certificate is for %T, want the key's %T", certificate.PublicKey, key.Public())
	}
	for i := range rounds {
		digest := sha256.Sum256([]byte{byte(i), byte(i >> 8)})
		signature, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if len(signature) != signatureSize || !ecdsa.VerifyASN1(public, digest[:], signature) {
			t.Fatalf("signature %d: % x of %d bytes, want a good one of %d", i, signature, len(signature), signatureSize)
		}
	}
}

func TestCertificatesHaveOneLength(t *testing.T) {
	for name, certificate := range map[string]func() (*x509.Certificate, error){
		"DTLS": func() (*x509.Certificate, error) {
			_, c, err := DTLS()
			return c, err
		},
		"TLS": func() (*x509.Certificate, error) {
			c, _, err := TLS("localhost", "127.0.0.1")
			if err != nil {
				return nil, err
			}
			return c.Leaf, nil
		},
	} {
		size := 0
		for range rounds {
			c, err := certificate()
			if err != nil {
				t.Fatal(err)
			}
			if size == 0 {
				size = len(c.Raw)
			}
			if len(c.Raw) != size || len(c.Signature) != signatureSize {
				t.Fatalf("%s: %d bytes signed by %d, before that %d by %d", name, len(c.Raw), len(c.Signature), size, signatureSize)
			}
			if err := c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

// TestValidInVirtualTime makes certificates in a bubble, whose clock begins in the year 2000.
func TestValidInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, certificate, err := DTLS()
		if err != nil {
			t.Fatal(err)
		}
		if now := time.Now(); now.Before(certificate.NotBefore) || now.AddDate(0, 6, 0).After(certificate.NotAfter) {
			t.Errorf("at %v: valid from %v to %v", now, certificate.NotBefore, certificate.NotAfter)
		}
		handshake(t, "localhost", "localhost")
	})
}

func TestServersAreKnownByTheirNames(t *testing.T) {
	for _, name := range []string{"turn.test", "198.18.0.2", "127.0.0.1", "::1"} {
		if err := verify(t, name, "turn.test", "198.18.0.2", "127.0.0.1", "::1"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"other.test", "198.18.0.3"} {
		var want x509.HostnameError
		if err := verify(t, name, "turn.test", "198.18.0.2"); !errors.As(err, &want) {
			t.Errorf("%s: got %v, want a wrong name", name, err)
		}
	}
	if _, _, err := TLS(); err == nil {
		t.Error("a certificate for nobody was made")
	}
}

func verify(t *testing.T, name string, hosts ...string) error {
	t.Helper()
	certificate, trust, err := TLS(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = certificate.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: trust})
	return err
}

func TestOthersAreNotTrusted(t *testing.T) {
	certificate, _, err := TLS("localhost")
	if err != nil {
		t.Fatal(err)
	}
	_, trust, err := TLS("localhost")
	if err != nil {
		t.Fatal(err)
	}
	var want x509.UnknownAuthorityError
	if _, err := certificate.Leaf.Verify(x509.VerifyOptions{DNSName: "localhost", Roots: trust}); !errors.As(err, &want) {
		t.Errorf("got %v, want an unknown authority", err)
	}
}

// TestHandshakesHaveOneLength is what the package is for.
func TestHandshakesHaveOneLength(t *testing.T) {
	up, down := handshake(t, "localhost", "localhost")
	for range 50 {
		if u, d := handshake(t, "localhost", "localhost"); u != up || d != down {
			t.Fatalf("%d bytes up and %d down, before that %d and %d", u, d, up, down)
		}
	}
}

// handshake connects with a certificate of its own and returns the bytes of client and server.
func handshake(t *testing.T, name string, hosts ...string) (up, down int64) {
	t.Helper()
	certificate, trust, err := TLS(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	client, server := &meter{Conn: near}, &meter{Conn: far}
	done := make(chan error, 1)
	go func() { // ends with the connection
		s := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
		_, err := s.Write([]byte("x"))
		done <- err
	}()
	c := tls.Client(client, &tls.Config{RootCAs: trust, ServerName: name, MinVersion: tls.VersionTLS12})
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		t.Fatal(err)
	}
	return client.sent.Load(), server.sent.Load()
}

// meter counts what is written.
type meter struct {
	net.Conn
	sent atomic.Int64
}

func (m *meter) Write(b []byte) (int, error) {
	m.sent.Add(int64(len(b)))
	return m.Conn.Write(b)
}
