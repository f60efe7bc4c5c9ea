package scenarios

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	variable    = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	onlyOne     = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*\}$`)
	secretInRow = regexp.MustCompile(`(?i)((?:password|secret)["']?\s*:\s*)("[^"]*"?|'[^']*'?|[^\s,}#"'][^,}]*)`)
)

// span is a stretch of one line, in characters from 0.
type span struct{ line, from, to int }

// secrets finds the literal secrets of a document in its text. A secret must stand on one line,
// so that exactly it can be masked.
func secrets(root *node, lines []string, fs *faults) []span {
	var spans []span
	turn := root.get("server").get("turn")
	for _, key := range []string{"password", "secret"} {
		n := turn.get(key)
		if n == nil || n.shape == mapShape || n.shape == listShape || n.shape == nullShape || onlyOne.MatchString(n.text) {
			continue
		}
		if n.line < 1 || n.line > len(lines) {
			continue
		}
		row := []rune(lines[n.line-1])
		from := min(n.column-1, len(row))
		to := extent(row[from:], n)
		if to == 0 {
			fs.at(n.place, "a secret stands on one line")
			for l := n.line; l <= len(lines); l++ {
				spans = append(spans, span{l, 0, len([]rune(lines[l-1]))})
			}
			continue
		}
		spans = append(spans, span{n.line, from, from + to})
	}
	return spans
}

// extent is how many characters of the row the scalar takes; 0: it goes on in the next line.
func extent(row []rune, n *node) int {
	if len(row) == 0 {
		return 0
	}
	if q := row[0]; n.quoted && (q == '"' || q == '\'') {
		for i := 1; i < len(row); i++ {
			switch {
			case q == '"' && row[i] == '\\', row[i] == q && q == '\'' && i+1 < len(row) && row[i+1] == q:
				i++
			case row[i] == q:
				return i + 1
			}
		}
		return 0
	}
	if want := []rune(n.text); len(want) <= len(row) && string(row[:len(want)]) == n.text {
		return len(want)
	}
	return 0
}

// masked is the text with every span replaced by three stars.
func masked(text string, spans []span) string {
	lines := strings.Split(text, "\n")
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(b.from, a.from) }) // from the right: nothing shifts
	for _, s := range spans {
		row := []rune(lines[s.line-1])
		lines[s.line-1] = string(row[:s.from]) + "***" + string(row[s.to:])
	}
	return strings.Join(lines, "\n")
}

// shown are the lines as messages may show them: secrets as stars of the same width, so that the
// caret still points at its column.
func shown(lines []string, spans []span) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimSuffix(l, "\r")
	}
	for _, s := range spans {
		row := []rune(out[s.line-1])
		for i := s.from; i < min(s.to, len(row)); i++ {
			row[i] = '*'
		}
		out[s.line-1] = string(row)
	}
	for i, l := range out {
		out[i] = secretInRow.ReplaceAllStringFunc(l, func(m string) string {
			parts := secretInRow.FindStringSubmatch(m)
			if onlyOne.MatchString(strings.TrimSpace(strings.Trim(parts[2], `"'`))) {
				return m
			}
			return parts[1] + strings.Repeat("*", len([]rune(parts[2])))
		})
	}
	return out
}

// expand replaces ${NAME} by the environment's value. Without an environment the text stays.
func expand(s string, env func(string) (string, bool)) (string, error) {
	if env == nil {
		return s, nil
	}
	if rest := variable.ReplaceAllString(s, ""); strings.Contains(rest, "${") {
		return "", errors.New("a variable is written ${NAME}, of letters, digits and _")
	}
	var missing error
	out := variable.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-1]
		v, ok := env(name)
		if (!ok || v == "") && missing == nil {
			missing = fmt.Errorf("the environment has no %s", name)
		}
		return v
	})
	return out, missing
}
