package antmedia

import "strings"

// The labels of tracks: a prefix of exactly seven characters, which pages cut off without
// looking at it, then the ID of the stream or of a slot.
const (
	mediaStream      = "ARDAMS"
	audioLabelPrefix = mediaStream + "a"
	videoLabelPrefix = mediaStream + "v"
)

// trackLabel is the label of a stream's track of a kind, "audio" or "video".
func trackLabel(stream, kind string) string {
	if kind == "audio" {
		return audioLabelPrefix + stream
	}
	return videoLabelPrefix + stream
}

// labelStream is the stream, or slot, that a label names.
func labelStream(label string) string {
	if s, ok := strings.CutPrefix(label, audioLabelPrefix); ok {
		return s
	}
	return strings.TrimPrefix(label, videoLabelPrefix)
}

// streamsOf turns labels into what a connection wants to know; nil stays nil.
func streamsOf(labels map[string]string) map[string]string {
	if labels == nil {
		return nil
	}
	streams := make(map[string]string, len(labels))
	for mid, label := range labels {
		streams[mid] = labelStream(label)
	}
	return streams
}

// section is a media section of a session description, as far as signaling looks into it.
type section struct {
	kind     string // "audio", "video", "application"
	mid      string
	rejected bool // port 0
}

// sections lists the media sections of a session description. It accepts any text.
func sections(sdp string) []section {
	var list []section
	for line := range strings.Lines(sdp) {
		line = strings.TrimRight(line, "\r\n")
		if m, ok := strings.CutPrefix(line, "m="); ok {
			kind, rest, _ := strings.Cut(m, " ")
			port, _, _ := strings.Cut(rest, " ")
			list = append(list, section{kind: kind, rejected: port == "0"})
		} else if mid, ok := strings.CutPrefix(line, "a=mid:"); ok && len(list) > 0 {
			list[len(list)-1].mid = mid
		}
	}
	return list
}

// labelsOf labels the audio and video sections of a relayed description as tracks of one
// stream. The SDK cannot handle tracks without it.
func labelsOf(sdp, stream string) map[string]string {
	labels := map[string]string{}
	for _, s := range sections(sdp) {
		if s.mid != "" && (s.kind == "audio" || s.kind == "video") {
			labels[s.mid] = trackLabel(stream, s.kind)
		}
	}
	return labels
}
