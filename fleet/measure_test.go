package fleet

import (
	"math"
	"strings"
	"testing"

	"github.com/peerfleet/peerfleet/metrics"
)

// TestImpairmentIsMeasured asks a link for loss and delay and finds them in three places that know
// nothing of each other: the link's own account, the receivers' packet counts, the capture times.
func TestImpairmentIsMeasured(t *testing.T) {
	t.Parallel()
	const loss, delay = 0.03, 40.0
	text := strings.Replace(call("p2p", 2, ""), "near: {up: {delay: 20ms}, down: {delay: 20ms}}", "near: {up: {delay: 40ms, loss: 3%}}", 1)
	text = strings.Replace(text, "duration: 3s", "duration: 8s", 1)
	cell := trusted(t, carryOut(t, text))
	var offered, lost float64
	for _, l := range cell.Links {
		if l.Direction != "up" {
			continue
		}
		offered, lost = offered+float64(l.Offered), lost+float64(l.Lost)
		if got := float64(l.DelayMS.P50); got < delay-0.1 || got > delay+5 {
			t.Errorf("%s up: got a median delay of %v ms, want %v and on an idle machine at most 2 more", l.Host, got, delay)
		}
		if l.Offered < l.Delivered+l.Lost+l.QueuedOut {
			t.Errorf("%s up: got %d offered, fewer than %d delivered, %d lost and %d queued out", l.Host, l.Offered, l.Delivered, l.Lost, l.QueuedOut)
		}
	}
	within := func(what string, ratio, n float64) {
		t.Helper()
		// Five standard deviations: one false alarm in a million runs.
		if bound := 5 * math.Sqrt(loss*(1-loss)/n); math.Abs(ratio-loss) > bound {
			t.Errorf("%s: got a loss of %.4f of %.0f packets, want %v within %.4f", what, ratio, n, loss, bound)
		}
	}
	within("links", lost/offered, offered)
	var received, missing float64
	for _, p := range cell.PeersDetail {
		for _, tr := range p.Tracks {
			n := float64(tr.Packets) / (1 - tr.Loss)
			received, missing = received+n, missing+n*tr.LossWire
		}
	}
	within("receivers", missing/received, received)
	audio := merged(cell, "media.delay", metrics.Tags{Kind: "audio"})
	if got := float64(audio.Med); got < delay-0.1 || got > delay+5 {
		t.Errorf("got a median audio delay of %v ms, want %v and on an idle machine at most 2 more", got, delay)
	}
	if got := merged(cell, "media.loss", metrics.Tags{Kind: "video"}); float64(got.Avg) > loss/3 {
		t.Errorf("got a video loss of %v after repair, want most of %v repaired", got.Avg, loss)
	}
}
