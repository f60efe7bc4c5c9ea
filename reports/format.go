package reports

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/peerfleet/peerfleet/metrics"
)

const absent = "–"

// inUnit writes a value of the document with a unit that suits its size.
func inUnit(v metrics.Value, unit string) string {
	if !v.Valid() {
		return absent
	}
	f := float64(v)
	switch unit {
	case "ms":
		return inTime(f)
	case "bit/s":
		return inRate(f)
	case "ratio":
		return inPercent(f)
	case "bytes":
		return inBytes(f)
	case "", "count", "1–5", "1-5":
		return number(f)
	case "1/s":
		return number(f) + "/s"
	}
	return number(f) + " " + unit
}

func inTime(ms float64) string {
	switch a := math.Abs(ms); {
	case a >= 10_000:
		return number(ms/1000) + " s"
	default:
		return number(ms) + " ms"
	}
}

func inRate(bps float64) string {
	switch a := math.Abs(bps); {
	case a >= 1e9:
		return number(bps/1e9) + " Gbit/s"
	case a >= 1e6:
		return number(bps/1e6) + " Mbit/s"
	case a >= 1e3:
		return number(bps/1e3) + " kbit/s"
	}
	return number(bps) + " bit/s"
}

func inPercent(ratio float64) string { return number(round(ratio*100, 9)) + " %" }

// percent writes a ratio with two decimals, so that a column of them can be compared by eye.
func percent(v metrics.Value) string {
	if !v.Valid() {
		return absent
	}
	if v == 0 {
		return "0 %"
	}
	return fixed(v, 100, 2) + " %"
}

func inBytes(b float64) string {
	switch a := math.Abs(b); {
	case a >= 1<<30:
		return number(b/(1<<30)) + " GiB"
	case a >= 1<<20:
		return number(b/(1<<20)) + " MiB"
	case a >= 1<<10:
		return number(b/(1<<10)) + " KiB"
	}
	return number(b) + " B"
}

// number writes about three significant digits, and whole numbers in full.
func number(f float64) string {
	a := math.Abs(f)
	if a == 0 {
		return "0"
	}
	if f == math.Trunc(f) && a < 1e15 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	switch {
	case a >= 100:
		return strconv.FormatFloat(f, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	case a >= 1:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case a >= 0.01:
		return short(f, 3)
	}
	return strconv.FormatFloat(f, 'g', 2, 64)
}

// short writes a number with at most so many decimals.
func short(f float64, decimals int) string {
	return strconv.FormatFloat(round(f, decimals), 'f', -1, 64)
}

// fixed writes a value with a set number of decimals, so that columns line up.
func fixed(v metrics.Value, scale float64, decimals int) string {
	if !v.Valid() {
		return absent
	}
	s := strconv.FormatFloat(float64(v)*scale, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// count writes a number of things, "1 peer" or "2 peers".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.Itoa(n) + " " + thing + "s"
}

// clean makes foreign text safe to print on a terminal, in a plot or in a file: control and
// direction-changing characters and broken UTF-8 become the replacement character.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// cleanLines is clean for text that keeps its lines and tabs.
func cleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, l := range lines {
		fields := strings.Split(l, "\t")
		for j := range fields {
			fields[j] = clean(fields[j])
		}
		lines[i] = strings.Join(fields, "\t")
	}
	return strings.Join(lines, "\n")
}

// shorten cuts a text to n characters.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string(r[:n-1]) + "…"
}

// shortenMiddle cuts a text to n characters but keeps its ends, which tell names apart.
func shortenMiddle(s string, n int) string {
	r := []rune(s)
	if len(r) <= n || n < 3 {
		return shorten(s, n)
	}
	tail := n / 3
	return string(r[:n-1-tail]) + "…" + string(r[len(r)-tail:])
}

// varied writes a value of vary alike whether it comes from a plan or from run.json.
func varied(v any) string {
	switch v := v.(type) {
	case string:
		return clean(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case map[string]any, []any:
		if b, err := json.Marshal(v); err == nil {
			return clean(string(b))
		}
	}
	return clean(fmt.Sprint(v))
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// compareNatural orders names with numbers in them as people do: peer-2 before peer-10.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		da, db := digits(a), digits(b)
		if da > 0 && db > 0 {
			na, nb := strings.TrimLeft(a[:da], "0"), strings.TrimLeft(b[:db], "0")
			if len(na) != len(nb) {
				return len(na) - len(nb)
			}
			if c := strings.Compare(na, nb); c != 0 {
				return c
			}
			a, b = a[da:], b[db:]
			continue
		}
		if a[0] != b[0] {
			return int(a[0]) - int(b[0])
		}
		a, b = a[1:], b[1:]
	}
	return len(a) - len(b)
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
