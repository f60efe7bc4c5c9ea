package antmedia

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The two things a stream token can permit.
const (
	permitPublish = "publish"
	permitPlay    = "play"
)

var errNotPermitted = errors.New("the token permits something else")

// tokenClaims are what a stream token says: a JSON Web Token (RFC 7519) signed with HS256, with
// the claims that Ant Media Server reads.
type tokenClaims struct {
	StreamID string `json:"streamId"`
	Type     string `json:"type"` // permitPublish or permitPlay
	jwt.RegisteredClaims
}

// parseToken reads a token that is signed with the secret and has not expired.
func parseToken(secret []byte, token string, claims jwt.Claims) error {
	key := func(*jwt.Token) (any, error) { return secret, nil }
	_, err := jwt.ParseWithClaims(token, claims, key, jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}))
	return err
}

// MintToken makes a token that permits to publish a stream, or to publish into and play a room,
// until it expires: what a service that shares the secret accepts (HS256). An empty secret is an
// error.
func MintToken(secret []byte, id string, expires time.Time) (string, error) {
	if len(secret) == 0 {
		return "", errors.New("token without a secret")
	}
	return mintToken(secret, permitPublish, id, expires)
}

func mintToken(secret []byte, kind, id string, expires time.Time) (string, error) {
	claims := tokenClaims{
		StreamID: id, Type: kind, RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(expires)},
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(secret)
}

// permit tells why a token does not permit to publish or play a stream; room is "" for a stream
// that is in none. A token to publish into a room permits to play it as well, for that is what a
// participant needs.
func (s *Server) permit(token, kind, stream, room string) error {
	if s.config.TokenSecret == nil {
		return nil
	}
	var claims tokenClaims
	if err := parseToken(s.config.TokenSecret, token, &claims); err != nil {
		return err
	}
	switch {
	case claims.StreamID == "":
	case claims.Type == kind && (claims.StreamID == stream || claims.StreamID == room):
		return nil
	case claims.Type == permitPublish && kind == permitPlay && claims.StreamID == stream:
		return nil
	}
	return errNotPermitted
}

// permitted answers a client whose token does not do.
func (c *client) permitted(m message, kind, room string) bool {
	err := c.server.permit(string(m.Token), kind, m.StreamID, room)
	if err != nil {
		c.server.log.Info("unauthorized", "command", m.Command, "stream", m.StreamID, "error", err)
		c.refuse(defUnauthorized, m.StreamID)
	}
	return err == nil
}

// permittedToJoin is the same for a room without media at the server: a token of either kind does.
func (c *client) permittedToJoin(m message) bool {
	return c.server.permit(string(m.Token), permitPublish, m.StreamID, "") == nil || c.permitted(m, permitPlay, "")
}
