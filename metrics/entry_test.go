package metrics

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for _, tt := range []struct {
		sorted []float64
		q      float64
		want   float64
	}{
		{[]float64{15, 20, 35, 40, 50}, 0.05, 15},
		{[]float64{15, 20, 35, 40, 50}, 0.30, 20},
		{[]float64{15, 20, 35, 40, 50}, 0.40, 20},
		{[]float64{15, 20, 35, 40, 50}, 0.50, 35},
		{[]float64{15, 20, 35, 40, 50}, 1, 50},
		{[]float64{15, 20, 35, 40, 50}, 0, 15},
		{[]float64{1, 2, 3, 4}, 0.5, 2},
		{[]float64{7}, 0.99, 7},
		{hundred, 0.07, 7},
		{hundred, 0.29, 29},
		{hundred, 0.58, 58},
		{hundred, 0.999, 100},
		{hundred, 0.951, 96},
		{hundred, -1, 1},
		{hundred, 2, 100},
		{hundred, math.NaN(), 1},
	} {
		if got := Quantile(tt.sorted, tt.q); got != tt.want {
			t.Errorf("quantile %v of %d values: got %v, want %v", tt.q, len(tt.sorted), got, tt.want)
		}
	}
	for n := 1; n <= 100; n++ {
		if got := Quantile(hundred, float64(n)/100); got != float64(n) {
			t.Errorf("p%d of 1 to 100: got %v", n, got)
		}
	}
	if got := Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("of nothing: got %v, want NaN", got)
	}
}

func TestEntriesMergeTheTagsThatAreNotKept(t *testing.T) {
	s := NewSet()
	s.Add("connect.total", Tags{Group: "b", Peer: "b-0", Room: "r0", Cell: "x"}, 300)
	s.Add("connect.total", Tags{Group: "b", Peer: "b-1", Room: "r1", Path: "relay"}, 100)
	s.Add("connect.total", Tags{Group: "a", Peer: "a-0", Topology: "mesh"}, math.Copysign(0, -1))
	s.Add("connect.total", Tags{Group: "a", Peer: "a-0", Topology: "mesh"}, math.NaN())
	s.Add("connect.total", Tags{Group: "a", Peer: "a-0", Topology: "mesh"}, math.Inf(1))
	s.Hist("media.delay", Tags{Kind: "video", Peer: "a-0"}).RecordN(2500, 10)
	s.Hist("media.delay", Tags{Kind: "video", Peer: "a-1"}).RecordN(12_345_678, 1)
	s.Hist("media.jitter", Tags{})
	got := s.Entries()
	for i := range got {
		if h := got[i].Hist; h != nil && h.Count() != got[i].Count {
			t.Errorf("%s: hist has %d", got[i].Name, h.Count())
		}
		got[i].Hist = nil
	}
	no := Missing()
	want := []Entry{
		{Name: "connect.total", Tags: Tags{Group: "a", Topology: "mesh"}, Unit: "ms", Count: 1, P90: no, P95: no, P99: no, Values: []float64{0}},
		{
			Name: "connect.total", Tags: Tags{Group: "b"}, Unit: "ms", Count: 2, Sum: 400, Min: 100, Avg: 200, Med: 100,
			P90: no, P95: no, P99: no, Max: 300, Values: []float64{100, 300},
		},
		{
			Name: "media.delay", Tags: Tags{Kind: "video"}, Unit: "ms", Count: 11, Sum: 12370.678, Min: 2.5,
			Avg: Value(12370.678 / 11), Med: 2.501, P90: no, P95: no, P99: no, Max: 12345.678,
		},
	}
	if diff := cmp.Diff(want, got, equalValues()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if math.Signbit(got[0].Sum) || math.Signbit(float64(got[0].Min)) {
		t.Error("a negative zero is left")
	}
}

func TestPercentilesNeedTenSamplesBeyond(t *testing.T) {
	for _, tt := range []struct {
		n             int
		p90, p95, p99 bool
	}{{1, false, false, false}, {99, false, false, false}, {100, true, false, false}, {199, true, false, false}, {200, true, true, false}, {999, true, true, false}, {1000, true, true, true}} {
		s := NewSet()
		for i := range tt.n {
			s.Add("connect.total", Tags{}, float64(i))
			s.Hist("media.delay", Tags{}).Record(int64(i))
		}
		for _, e := range s.Entries() {
			if !e.Med.Valid() || e.P90.Valid() != tt.p90 || e.P95.Valid() != tt.p95 || e.P99.Valid() != tt.p99 {
				t.Errorf("%s of %d: got med %v, p90 %v, p95 %v, p99 %v", e.Name, tt.n, e.Med, e.P90, e.P95, e.P99)
			}
		}
	}
}

// owners are the sets of a fleet's peers.
func owners(seed uint64, n int) []*Set {
	rng := rand.New(rand.NewPCG(seed, 2))
	sets := make([]*Set, n)
	for i := range sets {
		s := NewSet()
		t := Tags{Group: fmt.Sprint("g", i%3), Room: fmt.Sprint("r", i/4), Peer: fmt.Sprint("p", i), Topology: "mesh"}
		for range rng.IntN(6) {
			s.Add("connect.total", t, rng.ExpFloat64()*700)
		}
		for _, kind := range []string{"audio", "video"} {
			t.Kind = kind
			s.Add("media.loss", t, rng.Float64())
			for range 40 {
				s.Hist("media.delay", t).Record(int64(rng.ExpFloat64() * 50_000))
			}
		}
		sets[i] = s
	}
	return sets
}

func TestMergeInAnyOrderGivesTheSameBytes(t *testing.T) {
	sets := owners(11, 40)
	rng := rand.New(rand.NewPCG(5, 5))
	var want []byte
	for round := range 20 {
		rng.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
		cut := 1 + rng.IntN(len(sets)-1) // two halves first: associative too
		a, b := NewSet(), NewSet()
		for _, s := range sets[:cut] {
			a.Merge(s)
		}
		for _, s := range sets[cut:] {
			b.Merge(s)
		}
		a.Merge(b)
		a.Merge(nil)
		got, err := json.Marshal(a.Entries())
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			want = got
		} else if string(got) != string(want) {
			t.Fatalf("round %d: other bytes", round)
		}
	}
}

func TestMergeEntriesGivesTheTotal(t *testing.T) {
	all := NewSet()
	for _, s := range owners(3, 30) {
		all.Merge(s)
	}
	total := NewSet()
	for _, k := range all.Keys() {
		total.merge(Key{k.Name, Tags{Topology: "mesh"}}, all.Get(k))
	}
	for _, want := range total.Entries() {
		parts := SelectEntries(all.Entries(), want.Name, Tags{Topology: "mesh"})
		if len(parts) < 3 {
			t.Fatalf("%s: got %d parts", want.Name, len(parts))
		}
		if diff := cmp.Diff(entryJSON(t, want), entryJSON(t, MergeEntries(parts...))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", want.Name, diff)
		}
	}
	if n := len(SelectEntries(all.Entries(), "media.loss", Tags{Group: "g1", Kind: "audio"})); n != 1 {
		t.Errorf("got %d entries of one group and kind, want 1", n)
	}
}

func (s *Set) merge(k Key, e *Samples) { s.samples(k).merge(e) }

func entryJSON(t *testing.T, e Entry) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMergeEntriesWithoutSamples(t *testing.T) {
	no := Missing()
	a := Entry{Name: "connect.total", Tags: Tags{Group: "a", Kind: "x"}, Unit: "ms", Count: 1, Sum: 5, Min: 5, Avg: 5, Med: 5, Max: 5, Values: []float64{5}}
	b := Entry{Name: "connect.total", Tags: Tags{Group: "b", Kind: "x"}, Unit: "ms", Count: 3, Sum: 9, Min: 1, Avg: 3, Med: 3, Max: 6}
	got := MergeEntries(a, b)
	want := Entry{Name: "connect.total", Tags: Tags{Kind: "x"}, Unit: "ms", Count: 4, Sum: 14, Min: 1, Avg: 3.5, Med: no, P90: no, P95: no, P99: no, Max: 6}
	if diff := cmp.Diff(want, got, equalValues()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if v := b.Quantile(0.5); v != 3 {
		t.Errorf("got median %v, want the printed one", v)
	}
	if v := b.Quantile(0.3); v.Valid() {
		t.Errorf("got %v, want none", v)
	}
	if e := MergeEntries(); e.Count != 0 || e.Min.Valid() || e.Quantile(0.5).Valid() {
		t.Errorf("of nothing: got %+v", e)
	}
}

func TestCatalogue(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Names() {
		d, ok := Lookup(name)
		if !ok || d.Unit == "" || d.Help == "" || seen[name] {
			t.Errorf("%s: got %+v", name, d)
		}
		if d.Hist && d.Unit != UnitMS {
			t.Errorf("%s: a histogram of %s", name, d.Unit)
		}
		seen[name] = true
	}
	if len(seen) != 37 {
		t.Errorf("got %d metrics, want 37", len(seen))
	}
	if _, ok := Lookup("connect"); ok {
		t.Error("found a metric by a part of its name")
	}
}

func BenchmarkSetMerge1000(b *testing.B) {
	sets := owners(1, 1000)
	b.ReportAllocs()
	for b.Loop() {
		s := NewSet()
		for _, o := range sets {
			s.Merge(o)
		}
	}
}

func BenchmarkEntries(b *testing.B) {
	s := NewSet()
	for _, o := range owners(1, 1000) {
		s.Merge(o)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Entries()
	}
}

// equalValues lets two missing values be the same.
func equalValues() cmp.Option {
	return cmp.Comparer(func(a, b Value) bool { return a == b || !a.Valid() && !b.Valid() })
}
