package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/peerfleet/peerfleet/signaling/antmedia"
	"github.com/spf13/pflag"
)

// accessFlags are the flags of serve that say who may use its rooms, and how much.
type accessFlags struct {
	origins                  []string
	tokenSecret, tokenFile   string
	restSecret, restFile     string
	strict                   bool
	streamLimit, viewerLimit int
}

func (f *accessFlags) register(fl *pflag.FlagSet) {
	fl.StringArrayVar(&f.origins, "allow-origin", nil, "pages that may connect besides the server's own, as https://HOST:PORT; repeatable (default: any)")
	fl.StringVar(&f.tokenSecret, "token-secret", "", "ask for tokens to publish, play and join: JSON Web Tokens, HS256, by this secret")
	fl.StringVar(&f.tokenFile, "token-secret-file", "", "file that holds --token-secret")
	fl.StringVar(&f.restSecret, "rest-secret", "", "let REST be used from anywhere with a JSON Web Token, HS256, by this secret (default: this machine alone)")
	fl.StringVar(&f.restFile, "rest-secret-file", "", "file that holds --rest-secret")
	fl.BoolVar(&f.strict, "strict", false, "behave as Ant Media Server does where this server is kinder: H.264 alone, no mesh, no empty rooms to play")
	fl.IntVar(&f.streamLimit, "stream-limit", 0, "streams of a conference room; 0: no limit")
	fl.IntVar(&f.viewerLimit, "viewer-limit", 0, "viewers of a room or stream; 0: no limit")
}

// check reads the flags into the part of the server's configuration that they are about.
func (f *accessFlags) check() (c antmedia.Config, err error) {
	var errs []error
	for _, o := range f.origins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			errs = append(errs, fmt.Errorf("--allow-origin: %q is not SCHEME://HOST[:PORT]", o))
		}
	}
	if f.streamLimit < 0 || f.viewerLimit < 0 {
		errs = append(errs, errors.New("--stream-limit and --viewer-limit must not be negative"))
	}
	c = antmedia.Config{Strict: f.strict, Origins: f.origins, MaxStreams: f.streamLimit, MaxViewers: f.viewerLimit}
	if c.TokenSecret, err = secretOf("token-secret", f.tokenSecret, f.tokenFile); err != nil {
		errs = append(errs, err)
	}
	if c.RESTSecret, err = secretOf("rest-secret", f.restSecret, f.restFile); err != nil {
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

// leastSecret is how many bytes a secret of HS256 must have here. RFC 7518 section 3.2 asks for 32;
// this refuses what can be guessed, and takes what services that exist use.
const leastSecret = 16

// secretOf is a secret from its flag or its file; nil where there is neither.
func secretOf(flag, text, file string) ([]byte, error) {
	text, err := textOf(flag, text, file)
	switch {
	case err != nil || text == "":
		return nil, err
	case len(text) < leastSecret:
		return nil, fmt.Errorf("--%s: a secret of %d bytes can be guessed; %d is the least", flag, len(text), leastSecret)
	}
	return []byte(text), nil
}

// textOf is a text from its flag, or from its file where that is named.
func textOf(flag, text, file string) (string, error) {
	if file == "" {
		return text, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--%s-file: %w", flag, err)
	}
	if text = strings.TrimSpace(string(b)); text == "" {
		return "", fmt.Errorf("--%s-file: %s is empty", flag, file)
	}
	return text, nil
}
