package sfu

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/peerfleet/peerfleet/rtpstream"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"
)

// gatherTimeout bounds the wait for local candidates. They come from one socket that is open
// already, so the wait is hardly one.
const gatherTimeout = 5 * time.Second

// replayWindow is how late a packet may come before SRTP takes it for a replay (RFC 3711 section
// 3.3.2), in packets. A repair comes a round trip late, which at the usual 64 would be too late
// on any fast stream over a long path.
const replayWindow = 1024

// newAPI makes what all connections share: one port, no interceptors, no acceptance waits. The
// media engine is copied for each connection on purpose: browsers differ in payload types and
// codecs, and a shared engine would hold every peer to what the first one negotiated.
func (s *SFU) newAPI() (*webrtc.API, error) {
	engine, err := rtpstream.NewMediaEngine()
	if err != nil {
		return nil, err
	}
	e := webrtc.SettingEngine{LoggerFactory: silent()}
	e.SetNet(s.c.Host)
	e.SetICEUDPMux(s.mux)
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.DisableActiveTCP(true)
	e.DisableCloseByDTLS(true) // see rtpstream.CloseWithPeer
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	e.SetIncludeLoopbackCandidate(true)
	e.SetHostAcceptanceMinWait(0)
	e.SetSrflxAcceptanceMinWait(0)
	e.SetPrflxAcceptanceMinWait(0)
	e.SetRelayAcceptanceMinWait(0)
	e.SetICETimeouts(s.c.DisconnectedTimeout, s.c.FailedTimeout, 2*time.Second)
	e.DisableMediaEngineMultipleCodecs(true)
	e.SetSRTPReplayProtectionWindow(replayWindow)
	if len(s.c.PublicIPs) > 0 {
		err := e.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: s.c.PublicIPs, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		})
		if err != nil {
			return nil, fmt.Errorf("public addresses: %w", err)
		}
	}
	return webrtc.NewAPI(webrtc.WithSettingEngine(e), webrtc.WithMediaEngine(engine),
		webrtc.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

func (s *SFU) newConnection() (*webrtc.PeerConnection, error) {
	pc, err := s.api.NewPeerConnection(webrtc.Configuration{
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
		Certificates: []webrtc.Certificate{s.certificate},
	})
	if err != nil {
		return nil, fmt.Errorf("open connection: %w", err)
	}
	rtpstream.CloseWithPeer(pc, closePause)
	return pc, nil
}

// silent keeps pion's own logging away: what matters of it reaches us as states and errors.
func silent() *logging.DefaultLoggerFactory {
	return &logging.DefaultLoggerFactory{Writer: io.Discard, DefaultLogLevel: logging.LogLevelDisabled}
}

// setLocal applies a local description and returns it once it holds all candidates.
func setLocal(ctx context.Context, pc *webrtc.PeerConnection, d webrtc.SessionDescription) (string, error) {
	if err := pc.SetLocalDescription(d); err != nil {
		return "", fmt.Errorf("apply local %s: %w", d.Type, err)
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	select {
	case <-webrtc.GatheringCompletePromise(pc):
	case <-ctx.Done():
		return "", fmt.Errorf("gather candidates: %w", ctx.Err())
	}
	return pc.LocalDescription().SDP, nil
}

func candidateInit(c signaling.Candidate) webrtc.ICECandidateInit {
	line := uint16(max(c.MLine, 0))
	return webrtc.ICECandidateInit{Candidate: c.Candidate, SDPMid: &c.MID, SDPMLineIndex: &line}
}
