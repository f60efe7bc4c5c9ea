package antmedia

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/peerfleet/peerfleet/signaling"
)

// infoTimeout is how long REST waits for what the media of streams can tell. Their sessions do one
// thing after another, and a negotiation takes its time.
const infoTimeout = 2 * time.Second

// infos asks the media of streams; nothing where they do not answer in time.
func (s *Server) infos(ctx context.Context, asked []*publisher) []signaling.StreamInfo {
	if len(asked) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	answer := make(chan []signaling.StreamInfo, 1) // never blocks
	gather(asked, func(all []signaling.StreamInfo) { answer <- all })
	select {
	case all := <-answer:
		return all
	case <-ctx.Done():
		return nil
	}
}

// watchers counts viewers by the way they are served. There is one way here; the others are -1, as
// Ant Media has them where they are off.
type watchers struct {
	WebRTC int `json:"totalWebRTCWatchersCount"`
	RTMP   int `json:"totalRTMPWatchersCount"`
	HLS    int `json:"totalHLSWatchersCount"`
	DASH   int `json:"totalDASHWatchersCount"`
}

func (s *Server) restStatistics(id string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.broadcast(id, s.find(id))
	if !ok {
		return nil, unknown(id)
	}
	return watchers{WebRTC: b.ViewerCount, RTMP: -1, HLS: -1, DASH: -1}, nil
}

// streamInfo describes one stream as REST has it.
type streamInfo struct {
	Height   int    `json:"videoHeight"`
	Width    int    `json:"videoWidth"`
	VideoBPS int    `json:"videoBitrate"`
	AudioBPS int    `json:"audioBitrate"`
	Codec    string `json:"videoCodec"`
}

func (s *Server) restStreamInfo(ctx context.Context, id string) (any, error) {
	s.mu.Lock()
	asked := s.streamsOf(id, s.find(id))
	s.mu.Unlock()
	if len(asked) == 0 {
		return nil, unknown(id)
	}
	list := []streamInfo{}
	for _, i := range s.infos(ctx, asked) {
		list = append(list, streamInfo{i.Height, i.Width, int(i.VideoBPS), int(i.AudioBPS), i.VideoCodec})
	}
	if len(list) == 0 {
		return nil, errors.New("the media does not answer in time")
	}
	return list, nil
}

// viewerInfo describes one viewer.
type viewerInfo struct {
	ClientID     string `json:"clientId"`
	ClientInfo   string `json:"clientInfo"`
	ClientIP     string `json:"clientIp"`
	SubscriberID string `json:"subscriberId"`
	Connected    bool   `json:"connected"`
}

func (s *Server) restViewers(id string) ([]viewerInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.broadcast(id, s.find(id)); !ok {
		return nil, unknown(id)
	}
	list := []viewerInfo{}
	if st := s.stages[id]; st != nil {
		for _, v := range st.viewers {
			list = append(list, viewerInfo{v.called, v.name, addressOf(v.client.remote), v.subscriber, v.connected})
		}
	}
	return list, nil
}

func (s *Server) restTotals(*http.Request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := struct {
		watchers
		Live int `json:"activeLiveStreamCount"`
	}{watchers{RTMP: -1, HLS: -1, DASH: -1}, s.countLive()}
	for _, st := range s.stages {
		total.WebRTC += len(st.viewers)
	}
	return total, nil
}
