package rtpstream

import (
	"time"

	"github.com/pion/webrtc/v4"
)

// CloseWithPeer closes a connection with a data channel a pause after its far end has closed it,
// as pion does by itself at once. By itself it may do so at the very instant at which the data
// channels end, and then one of the two waits for the other's lock while that waits for time to
// pass: virtual time never gets on. The API that makes the connection has to leave the closing to
// this (SettingEngine.DisableCloseByDTLS). It is called before the connection is used.
func CloseWithPeer(pc *webrtc.PeerConnection, pause time.Duration) {
	pc.SCTP().OnClose(func(error) {
		time.AfterFunc(pause, func() {
			_ = pc.Close() // what it says of a connection that is gone tells nothing
		})
	})
}
