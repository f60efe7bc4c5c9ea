package sfu

import (
	"github.com/pion/webrtc/v4"
)

// maxBuffered is how much may wait for a viewer in its data channel; more is dropped, for that
// viewer alone.
const maxBuffered = 1 << 20

// relay passes a data-channel message on to the play connections of everybody but its sender: of
// a stream, if it came with a publication, or the viewer from, if that is not nil. It does not
// block: what a viewer has no room for is dropped for that viewer.
func (s *SFU) relay(r *room, m webrtc.DataChannelMessage, stream string, from *egress) {
	for _, e := range *r.watchers.Load() {
		if e == from || from == nil && e.v.Exclude == stream {
			continue
		}
		e.send(m)
	}
}

// send writes a message to the viewer's data channel, where that is open and has room.
func (e *egress) send(m webrtc.DataChannelMessage) {
	c := e.channel
	if c.ReadyState() != webrtc.DataChannelStateOpen {
		return
	}
	if c.BufferedAmount()+uint64(len(m.Data)) > maxBuffered {
		e.s.dropped.Add(1)
		return
	}
	var err error
	if m.IsString {
		err = c.SendText(string(m.Data))
	} else {
		err = c.Send(m.Data)
	}
	if err != nil {
		e.s.dropped.Add(1)
		return
	}
	e.s.relayed.Add(1)
}

// Notify implements signaling.Egress.
func (e *egress) Notify(text string) {
	e.send(webrtc.DataChannelMessage{IsString: true, Data: []byte(text)})
}
