package scenarios

import "github.com/peerfleet/peerfleet/network/nat"

func (b *builder) buildServer() {
	v := b.root.child("server")
	b.server = Server{MeshLimit: 6, TURN: TURN{Enabled: true}}
	if w := v.child("mesh_limit"); w != nil {
		b.server.MeshLimit = int(w.whole)
	}
	turn := &b.server.TURN
	t := v.child("turn")
	if w := t.child("enabled"); w != nil {
		turn.Enabled = w.flag
	}
	if w := t.child("relay_wait"); w != nil {
		turn.RelayWait = &w.time
	}
	for _, w := range listOfValue(t.child("transports")) {
		turn.Transports = append(turn.Transports, w.text)
	}
	for _, w := range listOfValue(t.child("urls")) {
		turn.URLs = append(turn.URLs, w.text)
	}
	if turn.Enabled && !t.has("transports") && !t.has("urls") {
		turn.Transports = []string{"udp", "tcp"}
	}
	if t != nil {
		b.checkTURN(t, turn)
	}
}

// letTLSOut adds TLS to the default transports when there are peers who can get out in no other way.
func (b *builder) letTLSOut() {
	t := b.root.child("server").child("turn")
	if !b.server.TURN.Enabled || t.has("transports") || t.has("urls") {
		return
	}
	for i := range b.groups {
		if b.groups[i].link.firewall == nat.TLS443Only {
			b.server.TURN.Transports = append(b.server.TURN.Transports, "tls")
			return
		}
	}
}

func listOfValue(v *value) []*value {
	if v == nil {
		return nil
	}
	return v.list
}

func (b *builder) checkTURN(t *value, turn *TURN) {
	if !turn.Enabled {
		for _, k := range []string{"transports", "relay_wait", "urls", "username", "password", "secret"} {
			if t.has(k) {
				b.at(t.spot(k), "%s has no meaning with enabled: false", k)
			}
		}
		return
	}
	if t.has("urls") && t.has("transports") {
		b.at(t.spot("transports"), "transports belong to the bundled server; with urls an external one takes its place")
	}
	for _, k := range []string{"username", "password", "secret"} {
		if t.has(k) && !t.has("urls") {
			b.at(t.spot(k), "%s belongs to an external server; name it with urls", k)
		}
	}
	if !t.has("urls") {
		return
	}
	if !b.sockets {
		b.at(t.spot("urls"), "an external TURN server is out of reach on network: simulated; leave urls out, or use network: sockets")
	}
	user, password, secret := t.has("username"), t.has("password"), t.has("secret")
	switch {
	case secret && (user || password):
		b.at(t.spot("secret"), "secret takes the place of username and password; give one or the other")
	case !secret && (!user || !password):
		b.at(t.spot("urls"), "an external TURN server needs username and password, or secret")
	}
	turn.Username, turn.Password, turn.Secret = b.fromEnv(t, "username"), b.fromEnv(t, "password"), b.fromEnv(t, "secret")
}

func (b *builder) fromEnv(t *value, key string) string {
	v := t.child(key)
	if v == nil {
		return ""
	}
	s, err := expand(v.text, b.options.Env)
	if err != nil {
		b.at(v.place, "%s: %s", key, err)
	}
	return s
}
