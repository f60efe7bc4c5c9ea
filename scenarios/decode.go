package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// decode reads a scalar.
func decode(v *value, s *spec) error {
	if v.shape == mapShape || v.shape == listShape || v.shape == nullShape {
		return fmt.Errorf("%s is wanted here, not %s", wanted(s), v.shape)
	}
	switch s.kind {
	case text, secret:
		return checkText(v.node, s)
	case word:
		return checkWord(v.node, s)
	}
	if v.quoted && s.kind != duration && s.kind != rate && s.kind != ratio && s.kind != queue {
		return fmt.Errorf("%s is wanted here, not text in quotes", wanted(s))
	}
	var err error
	switch s.kind {
	case boolean:
		if v.shape != boolShape {
			return fmt.Errorf("%q is neither true nor false", short(v.text))
		}
		v.flag = v.text == "true"
	case integer:
		if v.whole, err = parseInt(v.text); err == nil {
			v.real = float64(v.whole)
		}
	case seed:
		v.unsigned, err = strconv.ParseUint(v.text, 10, 64)
	case number:
		v.real, err = parseNumber(v.text)
	case duration:
		v.time, err = parseDuration(short(v.text))
		v.real = float64(v.time)
	case rate:
		v.whole, err = parseRate(short(v.text))
		v.real = float64(v.whole)
	case ratio:
		v.real, err = parseRatio(short(v.text))
	case queue:
		var bytes int
		v.time, bytes, err = parseQueue(short(v.text))
		v.whole = int64(bytes)
		if err == nil && (v.time > time.Minute || bytes > 1<<30 || v.time == 0 && bytes == 0) {
			err = fmt.Errorf("%q is out of range; a queue is above 0 and at most 60s or 1000MB", short(v.text))
		}
	}
	if err != nil {
		if s.kind == integer || s.kind == seed || s.kind == number {
			return fmt.Errorf("%q is not %s", short(v.text), wanted(s))
		}
		return err
	}
	return checkRange(v, s)
}

func checkRange(v *value, s *spec) error {
	switch s.kind {
	case integer, number:
		if v.real < s.low || v.real > s.high {
			return fmt.Errorf("%s is out of range; from %s to %s", short(v.text), plainNumber(s.low), plainNumber(s.high))
		}
	case duration:
		if v.real < s.low || v.real > s.high {
			return fmt.Errorf("%s is out of range; from %s to %s", short(v.text), time.Duration(s.low), time.Duration(s.high))
		}
	case rate:
		if v.real < s.low || v.real > s.high {
			return fmt.Errorf("%s is out of range; from %s to %s", short(v.text), plainRate(s.low), plainRate(s.high))
		}
	}
	return nil
}

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func plainRate(bps float64) string {
	units := rateUnits()
	for i := len(units) - 1; i > 0; i-- {
		if bps >= units[i].scale {
			return plainNumber(bps/units[i].scale) + units[i].name
		}
	}
	return plainNumber(bps) + "bps"
}

func checkText(n *node, s *spec) error {
	switch length := utf8.RuneCountInString(n.text); {
	case n.shape != textShape:
		return errors.New("text is wanted here, not " + n.shape.String() + "; put it in quotes")
	case length < s.least:
		return errors.New("the text is empty")
	case length > s.limit():
		return fmt.Errorf("the text has %d characters; at most %d", length, s.limit())
	case s.pattern != nil && !s.pattern.MatchString(n.text):
		return fmt.Errorf("%q is not allowed here; it must be %s", short(n.text), s.rule)
	}
	return nil
}

func checkWord(n *node, s *spec) error {
	for _, w := range s.words {
		if n.text == w && n.shape == textShape {
			return nil
		}
	}
	if len(s.words) == 1 {
		return fmt.Errorf("%q is not allowed here; only %s is", short(n.text), s.words[0])
	}
	return fmt.Errorf("%q is not allowed here; it is one of %s%s", short(n.text), strings.Join(s.words, ", "), nearest(n.text, s.words))
}

// nearest is the proposal alone, without the list that meant falls back on.
func nearest(w string, known []string) string {
	if m := meant(w, known); strings.HasPrefix(m, "; did") {
		return m
	}
	return ""
}

func wanted(s *spec) string {
	switch s.kind {
	case boolean:
		return "true or false"
	case integer, seed:
		return "a whole number"
	case number:
		return "a number"
	case duration:
		return "a duration like 5s"
	case rate:
		return "a rate like 500kbps"
	case ratio:
		return "a share like 2%"
	case queue:
		return "a queue like 200ms or 64KB"
	case word:
		return "one of " + strings.Join(s.words, ", ")
	}
	return "text"
}

// short keeps messages readable whatever the file holds.
func short(s string) string {
	if utf8.RuneCountInString(s) <= 80 {
		return s
	}
	return string([]rune(s)[:77]) + "..."
}
