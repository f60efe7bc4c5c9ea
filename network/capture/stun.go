package capture

import (
	"encoding/binary"
	"fmt"

	"github.com/pion/stun/v3"
)

const (
	stunHeader        = 20
	channelDataHeader = 4
)

// stunMessage names STUN (RFC 8489) and TURN (RFC 8656) messages.
func stunMessage(b []byte) (note, bool) {
	m := stun.Message{Raw: b}
	if !stun.IsMessage(b) || m.Decode() != nil {
		return note{}, false
	}
	method := m.Type.Method
	if inner, ok := relayedPayload(&m); ok {
		return relayed(inner), true
	}
	n := note{layer: layerTURN}
	if method == stun.MethodBinding {
		n.layer = layerSTUN
	}
	n.what = methodWord(method) + " " + classWord(m.Type.Class)
	switch {
	case m.Type.Class == stun.ClassErrorResponse:
		var code stun.ErrorCodeAttribute
		if code.GetFrom(&m) == nil {
			n.what += fmt.Sprintf(" %d", code.Code)
		}
	case m.Contains(stun.AttrUseCandidate):
		n.what += ", USE-CANDIDATE"
	}
	return n, true
}

func methodWord(m stun.Method) string {
	switch m {
	case stun.MethodBinding:
		return "Binding"
	case stun.MethodAllocate:
		return "Allocate"
	case stun.MethodRefresh:
		return "Refresh"
	case stun.MethodSend:
		return "Send"
	case stun.MethodData:
		return "Data"
	case stun.MethodCreatePermission:
		return "CreatePermission"
	case stun.MethodChannelBind:
		return "ChannelBind"
	case stun.MethodConnect:
		return "Connect"
	case stun.MethodConnectionBind:
		return "ConnectionBind"
	case stun.MethodConnectionAttempt:
		return "ConnectionAttempt"
	}
	return fmt.Sprintf("method %#x", uint16(m))
}

func classWord(c stun.MessageClass) string {
	switch c {
	case stun.ClassRequest:
		return "request"
	case stun.ClassIndication:
		return "indication"
	case stun.ClassSuccessResponse:
		return "success"
	}
	return "error"
}

// relayedPayload is what a Send or Data indication carries.
func relayedPayload(m *stun.Message) ([]byte, bool) {
	if m.Type.Class != stun.ClassIndication || m.Type.Method != stun.MethodSend && m.Type.Method != stun.MethodData {
		return nil, false
	}
	data, err := m.Get(stun.AttrData)
	return data, err == nil
}

// relayed names what TURN carries by what is inside.
func relayed(inner []byte) note {
	var n note
	ok := false
	if len(inner) > 0 && inner[0]>>6 != 1 && !carriesData(inner) { // no relay within a relay: bounds the depth
		n, ok = datagram(inner)
	}
	if !ok {
		n.what = "data"
	}
	n.layer, n.what = layerTURN, "relayed "+n.what
	return n
}

// carriesData tells a Send or Data indication by its type.
func carriesData(b []byte) bool {
	return len(b) > 1 && b[0] == 0 && (b[1] == 0x16 || b[1] == 0x17)
}

// channelData names a ChannelData message (RFC 8656 section 12.4).
func channelData(b []byte) (note, bool) {
	if len(b) < channelDataHeader {
		return note{}, false
	}
	length := int(binary.BigEndian.Uint16(b[2:]))
	if len(b) < channelDataHeader+length {
		return note{}, false
	}
	return relayed(b[channelDataHeader : channelDataHeader+length]), true
}
