package sfu

import (
	"context"
	"fmt"
	"slices"

	"github.com/pion/webrtc/v4"
)

// reconcile adds and removes tracks until the connection has what the room has.
func (e *egress) reconcile() (changed bool, err error) {
	want := e.room.visible(e.v.Exclude)
	for _, v := range e.current() {
		if slices.Contains(want, v.source) {
			continue
		}
		if err := e.pc.RemoveTrack(v.pair.Sender()); err != nil {
			return false, fmt.Errorf("remove track %q: %w", v.label, err)
		}
		e.drop(v)
		changed = true
	}
	have := e.current()
	for _, s := range want {
		if slices.ContainsFunc(have, func(v *view) bool { return v.source == s }) {
			continue
		}
		if err := e.add(s); err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// add gives a source a media section of its own. Sections are never used again for another
// stream: browsers would go on calling the track by its first owner's name.
func (e *egress) add(s *source) error {
	kind := s.kind.String()
	v := &view{e: e, source: s, label: e.v.Label(s.in.p.Stream, kind)}
	t, err := e.pc.AddTransceiverFromTrack(v, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return fmt.Errorf("add track %q: %w", v.label, err)
	}
	v.pair = t
	e.show(v)
	return nil
}

// show makes a view one of those that Enable reaches, and switches it as Enable has asked before.
func (e *egress) show(v *view) {
	e.mu.Lock()
	defer e.mu.Unlock()
	v.enable(!e.off[muted{v.source.in.p.Stream, v.source.kind.String()}])
	e.views = append(e.views, v)
}

func (e *egress) current() []*view {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.views)
}

func (e *egress) drop(v *view) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.views = slices.DeleteFunc(e.views, func(o *view) bool { return o == v })
}

// offer makes an offer of what the connection has and hands it over.
func (e *egress) offer(ctx context.Context) error {
	offer, err := e.pc.CreateOffer(nil)
	if err != nil {
		return fmt.Errorf("create offer: %w", err)
	}
	sdp, err := setLocal(ctx, e.pc, offer)
	if err != nil {
		return err
	}
	labels := map[string]string{}
	for _, v := range e.current() {
		labels[v.pair.Mid()] = v.label
	}
	e.v.Offer(sdp, labels)
	return nil
}

func (e *egress) apply(sdp string) error {
	d := webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}
	if err := e.remote.Describe(d); err != nil {
		return fmt.Errorf("apply answer of viewer %q: %w", e.v.Viewer, err)
	}
	if err := e.remote.Release(); err != nil {
		e.log.Debug("candidates refused", "error", err)
	}
	return nil
}

// greet asks for keyframes for what has become able to flow.
func (e *egress) greet() {
	for _, v := range e.current() {
		v.greet()
	}
}

// detach takes the viewer's tracks off their sources when the viewing has ended by itself, so
// that nothing is sent into the void until Close.
func (e *egress) detach() {
	for _, v := range e.current() {
		if err := e.pc.RemoveTrack(v.pair.Sender()); err != nil {
			e.log.Debug("track not removed", "track", v.label, "error", err)
		}
		e.drop(v)
	}
}
