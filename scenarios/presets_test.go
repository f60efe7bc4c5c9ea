package scenarios

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPresets(t *testing.T) {
	got := map[string]string{}
	var names []string
	for _, p := range Presets() {
		names = append(names, p.Name)
		got[p.Name] = fmt.Sprintf("%d/%d kbps %s/%s %g%%", p.Down.RateBPS/1000, p.Up.RateBPS/1000, p.Down.Delay, p.Up.Delay, p.Down.LossRatio*100)
		if p.Source == "" || p.Up.LossRatio != p.Down.LossRatio {
			t.Errorf("%s: source %q, loss %g and %g", p.Name, p.Source, p.Up.LossRatio, p.Down.LossRatio)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(got) {
		t.Errorf("names are not sorted or not unique: %v", names)
	}
	want := map[string]string{
		"devtools-3g":           "400/400 kbps 200ms/200ms 0%",
		"devtools-slow4g":       "1440/675 kbps 75ms/75ms 0%",
		"devtools-fast4g":       "8100/1350 kbps 30ms/30ms 0%",
		"3g":                    "1600/768 kbps 75ms/75ms 0%",
		"3gfast":                "1600/768 kbps 37.5ms/37.5ms 0%",
		"3gslow":                "400/400 kbps 100ms/100ms 0%",
		"3gem":                  "400/400 kbps 100ms/100ms 0%",
		"2g":                    "280/256 kbps 200ms/200ms 0%",
		"edge":                  "240/200 kbps 210ms/210ms 0%",
		"dial":                  "49/30 kbps 30ms/30ms 0%",
		"4g":                    "9000/9000 kbps 42.5ms/42.5ms 0%",
		"lte":                   "12000/12000 kbps 17.5ms/17.5ms 0%",
		"cable":                 "5000/1000 kbps 7ms/7ms 0%",
		"dsl":                   "1500/384 kbps 12.5ms/12.5ms 0%",
		"fios":                  "20000/5000 kbps 1ms/1ms 0%",
		"atc-3g-average":        "780/330 kbps 100ms/100ms 0%",
		"atc-3g-good":           "850/420 kbps 90ms/100ms 0%",
		"atc-edge-avg":          "240/200 kbps 400ms/440ms 0%",
		"atc-edge-good":         "250/200 kbps 350ms/370ms 0%",
		"atc-edge-lossy":        "240/200 kbps 400ms/440ms 1%",
		"atc-2g-rural":          "20/18 kbps 650ms/650ms 2%",
		"atc-2g-urban":          "35/32 kbps 650ms/650ms 0%",
		"atc-cable":             "6000/1000 kbps 2ms/2ms 0%",
		"atc-dsl":               "2000/256 kbps 5ms/5ms 0%",
		"apple-nlc-3g":          "780/330 kbps 100ms/100ms 0%",
		"apple-nlc-edge":        "240/200 kbps 400ms/440ms 0%",
		"apple-nlc-dsl":         "2000/256 kbps 5ms/5ms 0%",
		"apple-nlc-lte":         "50000/10000 kbps 50ms/65ms 0%",
		"apple-nlc-wifi":        "40000/33000 kbps 1ms/1ms 0%",
		"apple-nlc-very-bad":    "1000/1000 kbps 500ms/500ms 10%",
		"satellite-geo":         "20000/3000 kbps 300ms/300ms 0.5%",
		"satellite-leo":         "100000/15000 kbps 25ms/25ms 0.5%",
		"wifi-bad":              "3000/1000 kbps 5ms/5ms 3%",
		"congested-bufferbloat": "1000/500 kbps 10ms/10ms 0%",
		"intercontinental":      "100000/100000 kbps 90ms/90ms 0.1%",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestEveryPresetIsALink(t *testing.T) {
	for _, p := range Presets() {
		s := parseText(t, "name: x\npeers: {a: {link: "+p.Name+"}}\n", Options{})
		q := s.Plan(1).Cells[0].Peers[0]
		if d := cmp.Diff(p.Down, q.Down); d != "" {
			t.Error(p.Name, d)
		}
	}
}

func TestOwnLinkBeatsPreset(t *testing.T) {
	s := parseText(t, "name: x\nlinks: {lte: {up: {delay: 1ms}}}\npeers: {a: {link: lte}}\n", Options{})
	if got := s.Plan(1).Cells[0].Peers[0].Up; got.Delay != time.Millisecond || got.RateBPS != 0 {
		t.Errorf("got %+v, want the file's own", got)
	}
}
