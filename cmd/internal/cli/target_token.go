package cli

import (
	"time"

	"github.com/peerfleet/peerfleet/signaling/antmedia"
	"github.com/spf13/pflag"
)

// tokenLife is how long a token lasts that a run mints: longer than any run.
const tokenLife = 7 * 24 * time.Hour

// tokenFlags are the flags of run that say what peers show to the server under load.
type tokenFlags struct {
	token, tokenFile   string
	secret, secretFile string

	mint func(room string) string // what check has made of them; nil: nothing is shown
}

func (f *tokenFlags) register(fl *pflag.FlagSet) {
	fl.StringVar(&f.token, "target-token", "", "token that every peer shows to the --target")
	fl.StringVar(&f.tokenFile, "target-token-file", "", "file that holds --target-token")
	fl.StringVar(&f.secret, "target-token-secret", "", "mint a token for each room of the --target: a JSON Web Token, HS256, by this secret")
	fl.StringVar(&f.secretFile, "target-token-secret-file", "", "file that holds --target-token-secret")
}

func (f *tokenFlags) check(target string) error {
	token, err := textOf("target-token", f.token, f.tokenFile)
	if err != nil {
		return usageError{err}
	}
	secret, err := textOf("target-token-secret", f.secret, f.secretFile)
	switch {
	case err != nil:
		return usageError{err}
	case token != "" && secret != "":
		return usage("--target-token and --target-token-secret: give one or the other")
	case (token != "" || secret != "") && target == "":
		return usage("--target-token and --target-token-secret belong to a --target")
	case token != "":
		f.mint = func(string) string { return token }
	case secret != "":
		f.mint = func(room string) string {
			// It fails only without a secret.
			minted, _ := antmedia.MintToken([]byte(secret), room, time.Now().Add(tokenLife))
			return minted
		}
	}
	return nil
}
