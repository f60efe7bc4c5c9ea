package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"io"
)

// signatureSize is the length of every signature in DER, in bytes. A P-256 signature has 70, 71 or
// 72, and rarely less, by how many of its two numbers need a zero in front: half of all have 71.
const signatureSize = 71

// maxTries bounds how often one signature is made: that none of so many fits does not happen.
const maxTries = 256

// signer is an ECDSA P-256 key whose signatures all have the same length.
type signer struct{ key *ecdsa.PrivateKey }

var _ crypto.Signer = (*signer)(nil)

// Public implements crypto.Signer.
func (s *signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign implements crypto.Signer. It signs with fresh randomness until the length is right; what
// that gives away of a signature everybody sees anyway.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	for range maxTries {
		// Not the caller's randomness: without any a signature would be the same every time.
		signature, err := s.key.Sign(rand.Reader, digest, opts)
		if err != nil || len(signature) == signatureSize {
			return signature, err
		}
	}
	return nil, errors.New("no signature of the wanted length found")
}
