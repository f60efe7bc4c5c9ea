package turnserver

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // prescribed by the TURN REST API
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v4"
)

// keyring knows the keys of the server's users. Passwords are never compared: pion/turn checks
// the MESSAGE-INTEGRITY that a client made with its key against ours, in constant time.
type keyring struct {
	realm   string
	secret  []byte
	static  map[string][]byte // user to key
	refused atomic.Uint64
}

func newKeyring(cfg Config) *keyring {
	k := &keyring{realm: cfg.Realm, secret: []byte(cfg.Secret), static: map[string][]byte{}}
	for user, password := range cfg.Users {
		k.static[user] = turn.GenerateAuthKey(user, cfg.Realm, password)
	}
	return k
}

// key is pion/turn's AuthHandler: the key of a static user, or of a REST user whose name has not
// expired.
func (k *keyring) key(username, realm string, _ net.Addr) ([]byte, bool) {
	if realm == k.realm {
		if key, ok := k.static[username]; ok {
			return key, true
		}
		if expiry, ok := expiryOf(username); ok && time.Now().Before(expiry) {
			return turn.GenerateAuthKey(username, realm, restPassword(k.secret, username)), true
		}
	}
	k.refused.Add(1)
	return nil, false
}

// RESTCredentials makes a credential for any TURN server that shares the secret
// (draft-uberti-behave-turn-rest-00): the name is "expiry:user" with the expiry in seconds since
// 1970, the password is derived from the name.
func RESTCredentials(secret, user string, expiry time.Time) (username, password string) {
	username = strconv.FormatInt(expiry.Unix(), 10) + ":" + user
	return username, restPassword([]byte(secret), username)
}

func restPassword(secret []byte, username string) string {
	mac := hmac.New(sha1.New, secret)
	mac.Write([]byte(username)) // a hash never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// owner is whose quota an allocation counts against.
func (k *keyring) owner(username string) owner {
	if _, ok := k.static[username]; ok {
		return owner{name: username, static: true}
	}
	_, user, _ := strings.Cut(username, ":")
	return owner{name: user}
}

// seed is a number that only holders of the secret can tell.
func (k *keyring) seed() uint64 {
	sum := sha256.Sum256(append([]byte("turnserver seed "), k.secret...))
	return binary.BigEndian.Uint64(sum[:])
}

// expiryOf reads the expiry in front of a REST username, "expiry:user" or "expiry".
func expiryOf(username string) (time.Time, bool) {
	digits, _, _ := strings.Cut(username, ":")
	seconds, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}
