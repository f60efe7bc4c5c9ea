package bots

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/peerfleet/peerfleet/identity"
	"github.com/peerfleet/peerfleet/network"
	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// Stack is what a fleet shares to make connections cheaply: one DTLS certificate, one media
// engine for each purpose of a connection, and a bound on how many descriptions are worked on at
// once. It is safe for concurrent use.
type Stack struct {
	certificate webrtc.Certificate
	engines     map[signaling.Purpose]*webrtc.MediaEngine // not changed after NewStack
	slots       chan struct{}
}

// NewStack makes the shared parts. Connections carry VP8, H.264 and Opus.
func NewStack() (*Stack, error) {
	key, certificate, err := identity.DTLS()
	if err != nil {
		return nil, err
	}
	s := &Stack{
		certificate: webrtc.CertificateFromX509(key, certificate),
		engines:     map[signaling.Purpose]*webrtc.MediaEngine{},
		slots:       make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
	}
	for _, p := range []signaling.Purpose{signaling.ToPeer, signaling.ToPublish, signaling.ToPlay} {
		if s.engines[p], err = rtpstream.NewMediaEngine(); err != nil {
			return nil, fmt.Errorf("register codecs: %w", err)
		}
	}
	return s, nil
}

// slot waits for the right to do the expensive part of a negotiation; the caller gives it back
// by calling release. It is never held over a wait for the network.
func (s *Stack) slot(ctx context.Context) (release func(), err error) {
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// iceSettings is how a bot's ICE agents behave.
type iceSettings struct {
	servers   []webrtc.ICEServer
	relayOnly bool
	relayWait time.Duration
	tlsRoots  *x509.CertPool // whom to trust as a turns: server; nil: whom the system trusts
}

// replayWindow is how many packets late a repair may come: with the default of 64 SRTP takes the
// repairs of a fast stream on a long path for replays.
const replayWindow = 1024

// open makes a connection on a host. No interceptors: the bot makes its own reports, repairs
// losses itself, and its packet path has no per-connection chain. ctx lasts as long as the
// connection: when it ends, so do handshakes with TURN servers.
func (s *Stack) open(ctx context.Context, host network.Host, purpose signaling.Purpose, i iceSettings) (*webrtc.PeerConnection, error) {
	e := webrtc.SettingEngine{}
	e.SetNet(turnNet{host})
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.DisableActiveTCP(true)
	e.DisableCloseByDTLS(true) // see rtpstream.CloseWithPeer
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetIncludeLoopbackCandidate(true)
	e.SetHostAcceptanceMinWait(0)
	e.SetSrflxAcceptanceMinWait(0)
	e.SetPrflxAcceptanceMinWait(0)
	e.SetRelayAcceptanceMinWait(i.relayWait)
	e.SetICEProxyDialer(newTURNDialer(ctx, host, i.servers, i.tlsRoots))
	e.DisableMediaEngineCopy(true)
	e.SetSRTPReplayProtectionWindow(replayWindow)
	e.LoggerFactory = &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}

	policy := webrtc.ICETransportPolicyAll
	if i.relayOnly {
		policy = webrtc.ICETransportPolicyRelay
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(s.engines[purpose]),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	return api.NewPeerConnection(webrtc.Configuration{
		ICEServers:         i.servers,
		ICETransportPolicy: policy,
		BundlePolicy:       webrtc.BundlePolicyMaxBundle,
		Certificates:       []webrtc.Certificate{s.certificate},
	})
}
