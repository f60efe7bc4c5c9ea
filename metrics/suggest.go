package metrics

import (
	"fmt"
	"strings"
)

// didYouMean is the tail of a message about an unknown name, empty when nothing is near.
func didYouMean(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf(", did you mean %q?", near)
	}
	return ""
}

// nearest finds the known name a misspelt one most likely meant: by edits of the whole, or of
// what stands behind its first dot.
func nearest(name string, known []string) string {
	if name == "" || len(name) > 64 {
		return ""
	}
	name = strings.ToLower(name)
	best, bestEdits := "", max(len(name)/3, 1)+1
	for _, k := range known {
		e := edits(name, k)
		if _, tail, ok := strings.Cut(k, "."); ok {
			e = min(e, edits(name, tail))
		}
		if e < bestEdits {
			best, bestEdits = k, e
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
