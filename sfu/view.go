package sfu

import (
	"sync"

	"github.com/pion/webrtc/v4"
)

// view is a source as one viewer sees it: the shared track under the viewer's own name. It
// implements webrtc.TrackLocal.
type view struct {
	e      *egress
	source *source
	label  string
	pair   *webrtc.RTPTransceiver // set before the first offer that carries it
	ssrc   uint32                 // set by Bind, before anybody else sees it

	mu      sync.Mutex // guards what follows
	off     bool
	bound   bool
	greeted bool // a keyframe was asked for since it was bound
}

// ID implements webrtc.TrackLocal.
func (v *view) ID() string { return v.label }

// RID implements webrtc.TrackLocal.
func (v *view) RID() string { return "" }

// StreamID implements webrtc.TrackLocal.
func (v *view) StreamID() string { return v.e.v.MediaStream }

// Kind implements webrtc.TrackLocal.
func (v *view) Kind() webrtc.RTPCodecType { return v.source.kind }

// Bind implements webrtc.TrackLocal. A viewer that has refused every codec of the kind gets
// nothing of it; that is no reason to fail the whole negotiation.
func (v *view) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := v.source.track.Bind(ctx)
	if err != nil {
		v.e.log.Warn("viewer cannot receive a track", "track", v.label, "error", err)
		return webrtc.RTPCodecParameters{}, nil
	}
	v.ssrc = uint32(ctx.SSRC())
	v.mu.Lock()
	v.bound = true
	v.source.track.Enable(v.ssrc, !v.off)
	v.mu.Unlock()
	v.source.attach(v)
	reader := ctx.RTCPReader()
	v.e.spawn(func() { v.source.track.Serve(v.ssrc, reader) })
	return codec, nil
}

// Unbind implements webrtc.TrackLocal.
func (v *view) Unbind(ctx webrtc.TrackLocalContext) error {
	v.mu.Lock()
	bound := v.bound
	v.bound = false
	v.mu.Unlock()
	if !bound {
		return nil
	}
	v.source.detach(v)
	return v.source.track.Unbind(ctx)
}

func (v *view) enable(on bool) {
	v.mu.Lock()
	changed := v.off == on
	v.off = !on
	bound := v.bound
	if bound {
		v.source.track.Enable(v.ssrc, on)
	}
	v.mu.Unlock()
	if changed && on && bound {
		v.source.wantKeyframe()
	}
}

// greet asks for a keyframe once the view's packets can reach the viewer.
func (v *view) greet() {
	v.mu.Lock()
	due := v.bound && !v.greeted
	if due {
		v.greeted = true
	}
	v.mu.Unlock()
	if due {
		v.source.wantKeyframe()
	}
}
