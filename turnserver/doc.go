// Package turnserver is the bundled STUN and TURN server (RFC 8656): pion/turn v4 behind a guard,
// on the sockets of a network.Host. It knows nothing of rooms, media or WebRTC.
//
// It is no open relay. Every allocation needs a credential, credentials run out, peers in
// special-purpose address ranges are refused unless they are allowed by name, users have quotas,
// and no relay sends to the server's own sockets.
//
// pion/turn v4.1.4 answers some requests otherwise than RFC 8656 asks, and this package lets it:
//   - a wrong password, an unknown user or an expired credential is answered with 400, not 401;
//   - a refused CreatePermission is an error without an ERROR-CODE, a refused ChannelBind says
//     401, where both should say 403;
//   - a request for an allocation that does not exist gets no answer, where it should get 437;
//   - REQUESTED-ADDRESS-FAMILY is ignored: relays have the family of Config.RelayIP;
//   - an allocation belongs to its 5-tuple, and any valid user may refresh it there.
//
// None of this lets anybody relay without a credential or to a refused peer.
package turnserver
