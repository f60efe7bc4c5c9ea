// Package identity makes the certificates of a run: for DTLS, and for servers that speak TLS. It
// keeps none of them and does not know who uses them.
//
// What it makes has the same number of bytes in every run, and so has a handshake with it: on a
// link with a rate one byte more arrives later, and equal runs in virtual time are to be equal.
package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
)

// DTLS makes an ECDSA P-256 certificate for DTLS-SRTP and the key to it, which
// webrtc.CertificateFromX509 takes. The key is safe for concurrent use. It is no
// *ecdsa.PrivateKey, which WebRTC asks for nowhere but in Certificate.Equals: a connection whose
// configuration is changed later must not be given the certificate again.
func DTLS() (crypto.Signer, *x509.Certificate, error) {
	key, certificate, err := selfSigned(x509.Certificate{})
	if err != nil {
		return nil, nil, fmt.Errorf("make DTLS certificate: %w", err)
	}
	return key, certificate, nil
}

// TLS makes a certificate for a server that is reached by these DNS names and literal IPs, and the
// pool that trusts it and nothing else. The certificate is signed by itself.
func TLS(hosts ...string) (*tls.Certificate, *x509.CertPool, error) {
	template := x509.Certificate{
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip, err := netip.ParseAddr(h); err == nil {
			template.IPAddresses = append(template.IPAddresses, net.IP(ip.Unmap().AsSlice()))
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	if len(hosts) == 0 {
		return nil, nil, errors.New("make TLS certificate: no name to make it for")
	}
	key, certificate, err := selfSigned(template)
	if err != nil {
		return nil, nil, fmt.Errorf("make TLS certificate: %w", err)
	}
	trust := x509.NewCertPool()
	trust.AddCert(certificate)
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key, Leaf: certificate}, trust, nil
}

// selfSigned fills in the template and has it signed by its own key.
func selfSigned(template x509.Certificate) (*signer, *x509.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	key := &signer{private}
	now := time.Now()
	template.SerialNumber = serial()
	template.Subject = pkix.Name{CommonName: "peerfleet"}
	template.NotBefore, template.NotAfter = now.AddDate(0, 0, -1), now.AddDate(1, 0, 0)
	template.SignatureAlgorithm = x509.ECDSAWithSHA256
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return key, certificate, err
}

// serial is a random number of exactly 16 bytes, positive in DER.
func serial() *big.Int {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // never fails: the runtime stops the program instead
	b[0] = b[0]&0x3f | 0x40
	return new(big.Int).SetBytes(b[:])
}
