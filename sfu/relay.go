package sfu

import "github.com/pion/webrtc/v4"

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
		c := e.channel
		if c.ReadyState() != webrtc.DataChannelStateOpen {
			continue
		}
		if c.BufferedAmount()+uint64(len(m.Data)) > maxBuffered {
			s.dropped.Add(1)
			continue
		}
		var err error
		if m.IsString {
			err = c.SendText(string(m.Data))
		} else {
			err = c.Send(m.Data)
		}
		if err != nil {
			s.dropped.Add(1)
			continue
		}
		s.relayed.Add(1)
	}
}
