package metrics

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// randomDurations spread over all buckets.
func randomDurations(seed uint64, n int) []int64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	us := make([]int64, n)
	for i := range us {
		us[i] = min(1+int64(math.Exp(rng.Float64()*22.1)), histHighest)
	}
	return us
}

func bothHists(t testing.TB, us []int64) (*Hist, *hdrhistogram.Histogram) {
	t.Helper()
	h, d := NewHist(), hdrhistogram.New(histLowest, histHighest, histDigits)
	for _, v := range us {
		h.Record(v)
		if err := d.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	return h, d
}

func TestHistHasTheLayoutOfHDR(t *testing.T) {
	edges := []int64{1, 2, 1023, 1024, 2047, 2048, 2049, 4095, 4096, 1 << 20, 1<<20 - 1, histHighest - 1, histHighest}
	h, d := bothHists(t, append(edges, randomDurations(7, 20000)...))
	if d.ByteSize() < histSlots*8 || len(d.Export().Counts) != histSlots {
		t.Errorf("got %d counts, want %d", histSlots, len(d.Export().Counts))
	}
	for i, n := range d.Export().Counts {
		var got uint32
		if p := i >> histPageBits; p < len(h.pages) && h.pages[p] != nil {
			got = h.pages[p][i&(histPageSize-1)]
		}
		if int64(got) != n {
			t.Fatalf("slot %d: got %d, want %d", i, got, n)
		}
	}
	i := 0
	bars := d.Distribution()
	h.Each(func(us int64, n uint32) {
		for bars[i].Count == 0 {
			i++
		}
		if bars[i].To != us || bars[i].Count != int64(n) {
			t.Fatalf("got %d of %d, want %v", n, us, bars[i])
		}
		i++
	})
	for rank := int64(1); rank < d.TotalCount(); rank += 97 {
		q := float64(rank) / float64(d.TotalCount()) // a whole rank: both round alike
		if got, want := h.Quantile(q), min(d.ValueAtQuantile(q*100), histHighest); got != want {
			t.Fatalf("quantile %v: got %d, want %d", q, got, want)
		}
	}
}

func TestHistEncodesLikeHDR(t *testing.T) {
	for name, us := range map[string][]int64{
		"empty": nil, "one": {1}, "gap of one": {5, 7, 8, 8, 8}, "highest": {histHighest, 1}, "many": randomDurations(3, 50000),
	} {
		h, d := bothHists(t, us)
		got, err := h.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		want, err := d.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %.80s, want %.80s", name, got, want)
		}
		theirs, err := hdrhistogram.Decode(got)
		if err != nil || !theirs.Equals(d) {
			t.Errorf("%s: the library reads something else: %v", name, err)
		}
		back := &Hist{}
		if err := back.UnmarshalText(want); err != nil {
			t.Fatal(err)
		}
		again, err := back.MarshalText()
		if err != nil || !bytes.Equal(again, want) || back.Count() != h.Count() {
			t.Errorf("%s: does not come back the same: %v", name, err)
		}
	}
}

func TestHistFigures(t *testing.T) {
	h := NewHist()
	if h.Min() != 0 || h.Max() != 0 || h.Quantile(0.5) != 0 || h.Count() != 0 {
		t.Errorf("an empty histogram has figures")
	}
	h.Record(-5)
	h.Record(123_457)
	h.RecordN(histHighest*2, 2)
	h.RecordN(77, 0)
	if h.Count() != 4 || h.Min() != 1 || h.Max() != histHighest || h.Sum() != 1+123_457+2*histHighest {
		t.Errorf("got count %d, min %d, max %d, sum %d", h.Count(), h.Min(), h.Max(), h.Sum())
	}
	if got := h.Quantile(0.5); got < 123_457 || got > 123_457+123 {
		t.Errorf("got median %d, want 123457 to three digits, not below", got)
	}
}

func TestHistDoesNotOverflow(t *testing.T) {
	h := NewHist()
	for range 4 {
		h.RecordN(histHighest, math.MaxUint32)
	}
	h.Record(histHighest)
	h.Merge(h.Clone())
	if h.Count() != math.MaxUint32 || h.Sum() != math.MaxInt64 {
		t.Errorf("got count %d, sum %d", h.Count(), h.Sum())
	}
}

// encoded wraps counts in the V2 encoding with a header of choice.
func encoded(payload []byte, length uint32, digits uint32, lowest, highest uint64) []byte {
	b := binary.BigEndian.AppendUint32(nil, hdrCookie)
	b = binary.BigEndian.AppendUint32(b, length)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, digits)
	b = binary.BigEndian.AppendUint64(b, lowest)
	b = binary.BigEndian.AppendUint64(b, highest)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(1))
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(append(b, payload...)) // a bytes.Buffer takes everything
	_ = w.Close()
	out := binary.BigEndian.AppendUint32(nil, hdrCompressedCookie)
	out = binary.BigEndian.AppendUint32(out, uint32(z.Len()))
	return []byte(base64.StdEncoding.EncodeToString(append(out, z.Bytes()...)))
}

func counts(n ...int64) []byte {
	var b []byte
	for _, v := range n {
		b = appendZigZag(b, v)
	}
	return b
}

func standard(payload []byte) []byte {
	return encoded(payload, uint32(len(payload)), histDigits, histLowest, histHighest)
}

func hostileHists() map[string][]byte {
	bomb := make([]byte, 8<<20)
	return map[string][]byte{
		"":                       nil,
		"base64":                 []byte("!!!"),
		"too short":              []byte("AAAA"),
		"not in HDR V2":          []byte(base64.StdEncoding.EncodeToString(make([]byte, 20))),
		"cut short":              []byte(base64.StdEncoding.EncodeToString([]byte{0x1c, 0x84, 0x93, 0x14, 0, 0, 1, 0})),
		"layout is not":          encoded(counts(1), 1, 5, 1, math.MaxInt64),
		"more than the layout":   encoded(bomb, uint32(len(bomb)), histDigits, histLowest, histHighest),
		"header promises":        encoded(bomb, 10, histDigits, histLowest, histHighest),
		"header promises 2":      encoded(counts(1), 10, histDigits, histLowest, histHighest),
		"zeros beyond":           standard(counts(-histSlots-1, 1)),
		"zeros beyond the":       standard(counts(1, -histSlots)),
		"zeros beyond the layou": standard(counts(math.MinInt64 / 2)),
		"count beyond":           standard(counts(-histSlots, 1)),
		"is too large":           standard(counts(math.MaxUint32 + 1)),
		"counts are too large":   standard(counts(-histSlots+1, math.MaxUint32)),
		"end within a number":    standard([]byte{0x80}),
		"too large":              bytes.Repeat([]byte("A"), hdrMaxText+1),
	}
}

func TestHistRefusesHostileText(t *testing.T) {
	for want, text := range hostileHists() {
		h := NewHist()
		h.Record(5)
		err := h.UnmarshalText(text)
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, " 2")) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		if h.Count() != 1 || h.Max() != 5 {
			t.Errorf("%q: the histogram changed", want)
		}
	}
}

func FuzzHistUnmarshalText(f *testing.F) {
	for _, text := range hostileHists() {
		if len(text) < 4096 {
			f.Add(text)
		}
	}
	h := NewHist()
	for _, us := range randomDurations(1, 50) {
		h.Record(us)
	}
	text, err := h.MarshalText()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		h := NewHist()
		if h.UnmarshalText(text) != nil {
			return
		}
		checkHistComesBack(t, h)
	})
}

// FuzzHistCounts fuzzes behind the compression, where random bytes seldom get.
func FuzzHistCounts(f *testing.F) {
	f.Add(counts(1, -3, 7))
	f.Add(counts(-histSlots, 1))
	f.Add(bytes.Repeat([]byte{0xff}, 9))
	f.Fuzz(func(t *testing.T, payload []byte) {
		h := NewHist()
		if h.readCounts(payload) == nil {
			checkHistComesBack(t, h)
		}
	})
}

func checkHistComesBack(t *testing.T, h *Hist) {
	t.Helper()
	text, err := h.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	back := NewHist()
	if err := back.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	if back.Count() != h.Count() || back.Quantile(0.9) != h.Quantile(0.9) {
		t.Errorf("got %d values, p90 %d, want %d, %d", back.Count(), back.Quantile(0.9), h.Count(), h.Quantile(0.9))
	}
}

func BenchmarkHistRecord(b *testing.B) {
	h, us := NewHist(), randomDurations(1, 1024)
	for _, v := range us {
		h.Record(v)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		h.Record(us[i&1023])
		i++
	}
}

func TestHistRecordDoesNotAllocate(t *testing.T) {
	h := NewHist()
	h.Record(20_000)
	if n := testing.AllocsPerRun(1000, func() { h.Record(20_001) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
