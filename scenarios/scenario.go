// Package scenarios is the language of scenario files: it parses and validates them, decides the
// Plan of a run before anything starts, and holds the built-in scenarios. It does not know how a
// Plan is carried out.
package scenarios

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// Options are what comes from outside the file. The texts are as the user wrote them on the
// command line; empty ones leave the file's value.
type Options struct {
	Set                                    []Override // in this order, before validation
	Seed, Clock, Network, Duration, Repeat string
	Target                                 string // ws:// or wss:// URL of the server under load
	// Env looks up ${NAME} in TURN credentials. Without it they stay as written, unresolved.
	Env func(name string) (string, bool)
	// ReadFile reads trace files. Their paths are joined to the scenario file's folder. Without
	// it a scenario that names one is refused.
	ReadFile func(path string) ([]byte, error)
}

// Scenario is a valid file. It is immutable and safe for concurrent use.
type Scenario struct {
	Name, Description string
	Seed              uint64 // the file's, or the option's in its place
	Clock             string // "wall" or "virtual"
	Network           string // "sockets" or "simulated"
	Target            string // "": the embedded server
	Repeat            int
	Thresholds        []metrics.Threshold
	SHA256            string // of the file's text, hex
	Source            string // the file's text, literal secrets as ***

	models []*model
}

// Parse reads a scenario file; file is the name that faults carry and that trace paths are
// relative to. The error is a *ParseError with all faults, in the order of the file.
func Parse(file string, src []byte, o Options) (*Scenario, error) {
	fs := &faults{file: file}
	content := strings.TrimPrefix(string(src), "\ufeff")
	lines := strings.Split(content, "\n")
	if len(src) <= maxFileBytes {
		fs.lines = shown(lines, nil)
	}
	root := readYAML(content, fs)
	if root == nil {
		return nil, fs.err(1)
	}
	spans := secrets(root, lines, fs)
	fs.lines = shown(lines, spans)
	p := &parse{faults: fs, options: o, dir: filepath.Dir(file)}
	s := p.scenario(override(root, o.changes(), fs))
	if err := fs.err(max(p.cells, 1)); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(src)
	s.SHA256, s.Source = hex.EncodeToString(sum[:]), masked(content, spans)
	return s, nil
}

// parse is the state of reading one file.
type parse struct {
	*faults
	options Options
	dir     string
	hint    string // how to get the other network, where a flag has chosen this one
	cells   int    // examined
}

func (p *parse) scenario(root *node) *Scenario {
	s := &Scenario{Seed: 1, Clock: "wall", Repeat: 1, Target: p.options.Target}
	top := check(root, language(), p.faults)
	if top == nil {
		return s
	}
	if v := top.child("name"); v != nil {
		s.Name = v.node.text
	}
	if v := top.child("description"); v != nil {
		s.Description = v.node.text
	}
	if v := top.child("seed"); v != nil {
		s.Seed = v.unsigned
	}
	if v := top.child("repeat"); v != nil {
		s.Repeat = int(v.whole)
	}
	p.worlds(s, top)
	p.checkTarget(s)
	b := &builder{faults: p.faults, root: top}
	s.Thresholds = b.buildThresholds()
	s.models = p.everyCell(root, top, s)
	return s
}

// worlds settles the clock and the network, which must fit each other.
func (p *parse) worlds(s *Scenario, top *value) {
	clock, network := top.child("clock"), top.child("network")
	if clock != nil {
		s.Clock = clock.text
	}
	s.Network = "sockets"
	if s.Clock == "virtual" {
		s.Network = "simulated"
	}
	if network != nil {
		s.Network = network.text
	}
	virtual, simulated := s.Clock == "virtual", s.Network == "simulated"
	switch {
	case virtual && !simulated:
		p.at(network.place, "clock: virtual contradicts network: sockets; virtual time needs network: simulated%s", beside(clock, network))
	case virtual && s.Target != "":
		p.at(clock.place, "clock: virtual contradicts a target; a real server needs clock: wall%s", realWorld(clock, network))
	case simulated && s.Target != "":
		p.at(network.place, "network: simulated contradicts a target; a real server needs network: sockets%s", realWorld(nil, network))
	case clock != nil && clock.place.override != "" && network == nil && !virtual:
		p.hint = "; add --network=simulated"
	}
}

// beside is the flag that reconciles a flag with the file, where one of the two chose virtual time
// and the other the sockets.
func beside(clock, network *value) string {
	switch {
	case clock.place.override != "" && network.place.override == "":
		return "; add --network=simulated"
	case clock.place.override == "" && network.place.override != "":
		return "; add --clock=wall"
	}
	return ""
}

// realWorld are the flags that let a target be loaded by a file that is written for virtual time.
func realWorld(clock, network *value) string {
	flags := ""
	if clock != nil && clock.place.override == "" {
		flags += " --clock=wall"
	}
	if network != nil && network.place.override == "" {
		flags += " --network=sockets"
	}
	if flags == "" {
		return ""
	}
	return "; add" + flags
}

func (p *parse) checkTarget(s *Scenario) {
	if s.Target == "" {
		return
	}
	at := place{override: "--target " + s.Target}
	u, err := url.Parse(s.Target)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		p.at(at, "not a URL like ws://localhost:5080/app/websocket")
	case u.Scheme != "ws" && u.Scheme != "wss":
		p.at(at, "a target is a ws:// or wss:// URL, not %s://", u.Scheme)
	case u.User != nil:
		p.at(place{override: "--target " + u.Redacted()}, "a target carries no user name or password")
	}
}
