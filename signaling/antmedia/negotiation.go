package antmedia

import (
	"context"
	"fmt"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// requestOffer has an offer made as soon as none is open.
func (l *link) requestOffer(o signaling.OfferOptions) {
	l.do(func(context.Context) {
		if o.Audio > 0 || o.Video > 0 {
			l.audio, l.video = o.Audio, o.Video
		}
		merged := signaling.OfferOptions{RestartICE: o.RestartICE, Audio: l.audio, Video: l.video}
		if l.want != nil {
			merged.RestartICE = merged.RestartICE || l.want.RestartICE
		}
		l.want = &merged
	})
}

func (l *link) offer(ctx context.Context) {
	o := *l.want
	l.want = nil
	l.hold()
	sdp, err := l.conn.Offer(ctx, o)
	if err != nil {
		l.err = fmt.Errorf("offer: %w", err)
		return
	}
	l.unanswered = time.NewTimer(answerTimeout)
	l.describe(typeOffer, sdp)
}

// answer answers an offer. One that crosses our own as offerer is void: the far end will answer
// ours.
func (l *link) answer(d signaling.Description) {
	l.do(func(ctx context.Context) {
		if l.unanswered != nil {
			return
		}
		l.hold()
		sdp, err := l.conn.Answer(ctx, d)
		if err != nil {
			l.err = fmt.Errorf("answer: %w", err)
			return
		}
		l.describe(typeAnswer, sdp)
		if l.spec.Purpose == signaling.ToPeer {
			s := l.session
			select {
			case s.calls <- func(context.Context) { s.wantRoom(l, d.SDP) }:
			case <-ctx.Done():
			}
		}
	})
}

func (l *link) accept(d signaling.Description) {
	l.do(func(ctx context.Context) {
		if l.unanswered == nil {
			return
		}
		l.settled()
		if err := l.conn.Accept(ctx, d); err != nil {
			l.err = fmt.Errorf("accept answer: %w", err)
		}
	})
}

func (l *link) addCandidate(c signaling.Candidate) {
	l.do(func(context.Context) {
		if err := l.conn.AddCandidate(c); err != nil {
			l.session.target.log.Debug("remote candidate", "connection", l.spec.ID, "error", err)
		}
	})
}

func (l *link) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holding = true
}

// describe sends a description and then the candidates that waited for it.
func (l *link) describe(kind, sdp string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.session.send(description(kind, l.spec.ID, evenLength(sdp), nil))
	l.holding = false
	for _, c := range l.held {
		l.session.send(candidate(l.spec.ID, c.Candidate, c.MID, c.MLine))
	}
	l.held = nil
}

// signal takes a local candidate; the connection calls it. The end of candidates stays here:
// not every service can read an empty one.
func (l *link) signal(c signaling.Candidate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed || c.Candidate == "":
	case !l.holding:
		l.session.send(candidate(l.spec.ID, c.Candidate, c.MID, c.MLine))
	case len(l.held) < maxHeld:
		l.held = append(l.held, c)
	}
}
