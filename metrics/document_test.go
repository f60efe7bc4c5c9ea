package metrics

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sampleRun(peers int) *Run {
	all := NewSet()
	for _, s := range owners(9, peers) {
		all.Merge(s)
	}
	start := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	line := NewTimeline("media.delay", Tags{Kind: "video"}, UnitMS, start, MeanOfSecond)
	line.Add(start.Add(time.Second), 12.25)
	th, _ := ParseThreshold("connect.total", "p(95) < 3s")
	return &Run{
		Schema: Schema, Tool: Tool{Version: "v0.1.0", Go: "go1.26", Pion: map[string]string{"webrtc": "v4"}},
		Scenario: ScenarioInfo{Name: "a <b> & c", Seed: 1<<63 + 1, Clock: "virtual", Network: "simulated", Source: "name: x\n"},
		Host:     HostInfo{CPUs: 2, OS: "linux"}, Started: start, ElapsedS: 3.2, SimulatedS: 132, Verdict: "pass",
		Cells: []Cell{{
			ID: "n=4", Vary: map[string]any{"n": 4.0, "t": "mesh", "none": nil}, DurationS: 20,
			Peers:  PeerCounts{Planned: 4, Joined: 4, Connected: 3, Failed: 1, Failures: map[string]int{"ice_timeout": 1}},
			Links:  []Link{{Host: "people-0", Direction: "up", Offered: 1 << 60, DelayMS: DelayRange{P50: 15, P99: Missing()}}},
			Events: []Event{{TS: 8, Peer: "people-0", What: "mute"}},
			PeersDetail: []PeerDetail{{
				Name: "people-0", Connect: map[string]float64{"total": 812.5},
				Tracks: []TrackDetail{{Kind: "audio", DelayP50MS: 20, DelayP95MS: Missing(), FPS: Missing()}},
			}},
			Metrics: all.Entries(), Series: MergeTimelines(3, line), Audit: CellAudit{Valid: true, CPUs: 2},
		}},
		Thresholds: Evaluate([]Threshold{th}, "n=4", 0, all),
	}
}

func write(t testing.TB, r *Run) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRunRoundTrip(t *testing.T) {
	run := sampleRun(60)
	b := write(t, run)
	if !bytes.Equal(b, write(t, sampleRun(60))) {
		t.Error("the same run gives other bytes")
	}
	back, err := ReadRun(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, write(t, back)) {
		t.Error("read and written again gives other bytes")
	}
	opts := cmp.Options{equalValues(), cmp.Comparer(func(a, b *Hist) bool {
		return a == nil && b == nil || a != nil && b != nil && a.Count() == b.Count() && a.Sum() == b.Sum() &&
			a.Min() == b.Min() && a.Max() == b.Max() && a.Quantile(0.3) == b.Quantile(0.3)
	})}
	if diff := cmp.Diff(run, back, opts); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
	for _, name := range []string{"media.delay", "connect.total"} {
		want := entryJSON(t, MergeEntries(SelectEntries(run.Cells[0].Metrics, name, Tags{})...))
		got := entryJSON(t, MergeEntries(SelectEntries(back.Cells[0].Metrics, name, Tags{})...))
		if got != want {
			t.Errorf("%s: the total of the document read is another:\n%.300s\n%.300s", name, got, want)
		}
	}
}

func TestWriteHasNoNullListsAndNoNaN(t *testing.T) {
	nan := math.NaN()
	b := write(t, &Run{
		ElapsedS: nan, SimulatedS: math.Inf(1),
		Cells: []Cell{
			{},
			{
				WarmupS: nan, Vary: map[string]any{"n": nan},
				PeersDetail: []PeerDetail{{UpBPS: nan, Connect: map[string]float64{"total": nan, "ice": 3}}, {}},
			},
		},
	})
	if bytes.Contains(b, []byte("NaN")) || bytes.Contains(b, []byte("Inf")) {
		t.Errorf("got a number that is none:\n%s", b)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		cell := doc["cells"].([]any)[i].(map[string]any)
		for _, name := range []string{"metrics", "series", "links", "events", "peers_detail"} {
			if _, ok := cell[name].([]any); !ok {
				t.Errorf("cell %d: %s is %v, want a list", i, name, cell[name])
			}
		}
		for _, m := range []any{cell["vary"], cell["peers"].(map[string]any)["failures"]} {
			if _, ok := m.(map[string]any); !ok {
				t.Errorf("cell %d: got %v, want an object", i, m)
			}
		}
	}
	for _, d := range []any{doc["thresholds"], doc["audit"].(map[string]any)["findings"]} {
		if _, ok := d.([]any); !ok {
			t.Errorf("got %v, want a list", d)
		}
	}
	if doc["schema"] != Schema {
		t.Errorf("got schema %v", doc["schema"])
	}
	if strings.Count(string(b), `"tracks": []`) != 2 {
		t.Error("want tracks of both peers to be empty lists")
	}
	if n := strings.Count(string(b), "null"); n != 0 {
		t.Errorf("got %d nulls, want none", n)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteReportsTheWriter(t *testing.T) {
	if err := sampleRun(60).Write(brokenWriter{}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v, want disk full", err)
	}
}

func hist(t testing.TB, us ...int64) string {
	t.Helper()
	h := NewHist()
	for _, v := range us {
		h.Record(v)
	}
	b, err := h.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func inMetric(fields string) string {
	return `{"schema":"peerfleet.run/1","cells":[{"id":"c","metrics":[{"name":"media.delay",` + fields + `}]}]}`
}

func TestReadRunRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                                       "not JSON",
		`{"schema":"peerfleet.run/1"`:            "not JSON",
		`{"schema":"peerfleet.run/1"} {}`:        "not JSON",
		`[]`:                                     "an array where an object belongs",
		`{}`:                                     "no schema",
		`{"schema":null}`:                        "no schema",
		`{"schema":1}`:                           "schema: a number where a string belongs",
		`{"schema":"peerfleet.run/2","cells":1}`: `schema is "peerfleet.run/2", want "peerfleet.run/1"`,
		`{"schema":"peerfleet.doctor/1"}`:        `schema is "peerfleet.doctor/1"`,
		`{"schema":"peerfleet.run/1","cells":{}}`:                                                   "cells: an object where a list belongs",
		`{"schema":"peerfleet.run/1","cells":[{"peers":{"planned":"4"}}]}`:                          "cells.peers.planned: a string where a whole number belongs",
		`{"schema":"peerfleet.run/1","cells":[{"id":"c","peers":{"planned":-4,"failed":-1}}]}`:      "cell \"c\": peers.planned is negative\ncell \"c\": peers.failed is negative",
		`{"schema":"peerfleet.run/1","cells":[{"peers":{"failures":{"ice":-1}}}]}`:                  "peers.failures.ice is negative",
		`{"schema":"peerfleet.run/1","cells":[{"id":"a"},{"id":"a"}]}`:                              "repeat 0 stands twice",
		`{"schema":"peerfleet.run/1","cells":[{"duration_s":-1}]}`:                                  "duration_s is negative",
		`{"schema":"peerfleet.run/1","cells":[{"links":[{"offered":-1}]}]}`:                         "cells.links.offered",
		`{"schema":"peerfleet.run/1","cells":[{"series":[{"name":"x","step_s":-1}]}]}`:              "step_s is negative",
		`{"schema":"peerfleet.run/1","verdict":"great"}`:                                            `unknown verdict "great"`,
		`{"schema":"peerfleet.run/1","exit_code":-3}`:                                               "exit_code -3",
		`{"schema":"peerfleet.run/1","elapsed_s":-3}`:                                               "elapsed_s is negative",
		`{"schema":"peerfleet.run/1","started":"yesterday"}`:                                        "yesterday",
		`{"schema":"peerfleet.run/1","thresholds":[{"metric":"x","verdict":"maybe","samples":-1}]}`: `threshold "x": unknown verdict "maybe"`,
		inMetric(`"count":-1`):                                         "cells.metrics.count",
		inMetric(`"count":2,"values":[1]`):                             "count is 2, and there are 1 values",
		inMetric(`"count":1,"values":[1e999]`):                         "cells.metrics.values",
		inMetric(`"count":1,"min":"low"`):                              "where a number or null belongs",
		inMetric(`"count":1,"min":3,"max":2`):                          "min is above max",
		inMetric(`"count":1,"hist":"AAAA"`):                            "histogram: too short",
		inMetric(`"count":1,"hist":7`):                                 "a number where a histogram in base64 belongs",
		inMetric(`"count":1,"hist":"` + hist(t, 1, 2) + `"`):           "count is 1, and hist has 2",
		inMetric(`"count":1,"values":[1],"hist":"` + hist(t, 1) + `"`): "both values and hist",
		`{"schema":"peerfleet.run/1","cells":[{"metrics":[{}]}]}`:      "has no name",
	} {
		r, err := ReadRun(strings.NewReader(in))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", in, err, want)
		}
		if r != nil {
			t.Errorf("%s: got a run beside the error", in)
		}
	}
}

func TestReadRunBounds(t *testing.T) {
	const in = `{"schema":"peerfleet.run/1"}`
	if _, err := readRun(strings.NewReader(in), int64(len(in))); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := readRun(strings.NewReader(in+" "), int64(len(in))); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("beyond the limit: got %v", err)
	}
	many := `{"schema":"peerfleet.run/1","cells":[` + strings.Repeat(`{"id":"x"},`, 1000) + `{}]}`
	if _, err := ReadRun(strings.NewReader(many)); err == nil || strings.Count(err.Error(), "\n") > maxFaults {
		t.Errorf("got %.100v, want a bounded list", err)
	}
}

func TestReadRunTakesOtherVersions(t *testing.T) {
	r, err := ReadRun(strings.NewReader(`{"schema":"peerfleet.run/1","new":{"a":[1]},"cells":[
		{"id":"c","audit":{"start_lateness_ms":{"p99":0}},"series":[{"name":"x","values":[1,null]}],
		"metrics":[{"name":"future.metric","count":2,"values":[3,1],"p90":null,"more":1},{"name":"media.delay","count":5,"avg":2}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c := r.Cells[0]
	if m := c.Metrics[0]; m.Sum != 4 || m.Values[0] != 1 || m.P90.Valid() {
		t.Errorf("got %+v, want the sum made up and the values sorted", m)
	}
	if c.Series[0].StepS != 1 || c.Series[0].Values[1].Valid() {
		t.Errorf("got %+v", c.Series[0])
	}
	if r.Thresholds == nil || c.Links == nil || c.Vary == nil {
		t.Error("missing lists and maps are nil")
	}
	write(t, r)
}

func FuzzReadRun(f *testing.F) {
	f.Add(write(f, sampleRun(2)))
	f.Add([]byte(`{"schema":"peerfleet.run/1","cells":[{"id":"a","vary":{"n":1e3},"metrics":[null]}]}`))
	f.Add([]byte(inMetric(`"count":2,"sum":3,"min":1,"max":2.5,"hist":"` + hist(f, 1000, 2500) + `"`)))
	f.Add([]byte(inMetric(`"count":2,"values":[-1e308,-1e308]`)))
	f.Add([]byte(`{"schema":"peerfleet.run/1","thresholds":[{"verdict":"no data","value":null}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ReadRun(bytes.NewReader(in))
		if err != nil {
			return
		}
		b := write(t, r)
		again, err := ReadRun(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("what was read and written cannot be read: %v", err)
		}
		if !bytes.Equal(write(t, again), b) {
			t.Error("written twice, other bytes")
		}
		for _, c := range r.Cells {
			if e := MergeEntries(c.Metrics...); e.Count > 0 {
				e.Quantile(0.5)
				entryJSON(t, e)
			}
		}
	})
}
