package network

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// What follows makes an ICE agent send the same in every run. Agents handle what happens at one
// instant, such as a check that has come and a candidate that became known, in an order that is
// chance, and look at their pairs once more or not.

// The STUN message types that matter here (RFC 8489 section 18.1, RFC 8656 section 17), and the
// attributes that hold whom TURN relays to and what.
const (
	stunBindingRequest = 0x0001
	stunBindingSuccess = 0x0101
	stunBindingError   = 0x0111
	turnSend           = 0x0016
	turnData           = 0x0017
	turnPeerAttribute  = 0x0012
	turnDataAttribute  = 0x0013

	stunHeader = 20
)

// stunTurn is when a STUN message leaves among those of a socket to one place at one instant: what
// TURN needs to relay the others first, then answers to checks, then checks. An answer behind the
// check that it could have gone before costs ICE a round.
func stunTurn(b []byte) int {
	b = relayed(b)
	if len(b) < 2 {
		return 0
	}
	switch binary.BigEndian.Uint16(b) {
	case stunBindingSuccess, stunBindingError:
		return 1
	case stunBindingRequest:
		return 2
	}
	return 0
}

// repeatsCheck tells whether a packet is the same connectivity check as one that its socket has sent
// at this instant; sent is in canonical order. The network takes such a check, and what it would have
// brought about, for the first one's.
func repeatsCheck(sent []*datagram, i int) bool {
	p := sent[i]
	body := checkBody(p)
	if body == nil {
		return false
	}
	for i--; i >= 0; i-- {
		q := sent[i]
		if q.origin != p.origin || q.dst != p.dst || q.kind != p.kind {
			return false
		}
		if len(q.buf) == len(p.buf) && bytes.Equal(checkBody(q), body) && bytes.Equal(relayedTo(q.buf), relayedTo(p.buf)) {
			return true
		}
	}
	return false
}

// checkBody is what two checks of a pair have in common: the attributes up to MESSAGE-INTEGRITY and
// FINGERPRINT, which end a check (RFC 8445 section 7.2.2). It is nil for anything else.
func checkBody(p *datagram) []byte {
	const seal = 24 + 8
	if p.kind != kindSTUN {
		return nil
	}
	b := relayed(p.buf)
	if len(b) < stunHeader+seal || binary.BigEndian.Uint16(b) != stunBindingRequest {
		return nil
	}
	return b[stunHeader : len(b)-seal]
}

// relayed is what a TURN message carries, and any other message itself (RFC 8656 sections 11 and 12).
func relayed(b []byte) []byte {
	_, data := openTURN(b)
	return data
}

// relayedTo is the peer that a TURN message is sent to.
func relayedTo(b []byte) []byte {
	to, _ := openTURN(b)
	return to
}

func openTURN(b []byte) (to, data []byte) {
	if len(b) > 4 && b[0]&0xf0 == 0x40 {
		return b[:2], b[4:]
	}
	if len(b) < stunHeader {
		return nil, b
	}
	if t := binary.BigEndian.Uint16(b); t != turnSend && t != turnData {
		return nil, b
	}
	for rest := b[stunHeader:]; len(rest) >= 4; {
		kind, n := binary.BigEndian.Uint16(rest), int(binary.BigEndian.Uint16(rest[2:]))
		if len(rest) < 4+n {
			break
		}
		switch kind {
		case turnDataAttribute:
			data = rest[4 : 4+n]
		case turnPeerAttribute:
			to = slices.Clone(rest[4 : 4+n])
			for i := range min(len(b[4:stunHeader]), max(n-4, 0)) {
				to[4+i] ^= b[4+i] // the address hides behind the magic cookie and the transaction (RFC 8489 section 14.2)
			}
		}
		rest = rest[min(len(rest), 4+(n+3)&^3):]
	}
	return to, data
}
