package scenarios

import (
	"regexp"
	"time"
)

// kind is what a value of the file may be.
type kind uint8

const (
	object   kind = iota // a mapping with fixed keys
	named                // a mapping whose keys the user chooses
	list                 // a list; a single value where spec.single says so
	text                 // any text
	word                 // one of spec.words
	secret               // text that no message may show
	boolean              // true or false
	integer              // a whole number between spec.low and spec.high
	seed                 // a whole number up to 2^64-1
	number               // a number between spec.low and spec.high
	duration             // 20ms, between spec.low and spec.high nanoseconds
	rate                 // 1.5Mbps, between spec.low and spec.high bit/s
	ratio                // 2%
	queue                // 200ms or 64KB
	anything             // checked where it is put to use
)

// spec describes a value of the file. The parser checks by it and the JSON Schema is made from
// it, so that neither knows a key that the other does not.
type spec struct {
	kind      kind
	doc       string
	keys      []key          // object
	item      *spec          // named, list
	words     []string       // word
	low, high float64        // integer, number, duration (ns), rate (bit/s)
	pattern   *regexp.Regexp // text; the names of named
	rule      string         // what the pattern asks, in words
	most      int            // entries of named and list, characters of text; 0: 1000
	least     int            // entries of named and list, characters of text
	single    bool           // list: one item may stand for a list of one
	short     string         // object: the key that a text in its place stands for
}

// key is one key of an object.
type key struct {
	name     string
	spec     *spec
	required bool
}

// find is the spec of a key, nil if the object has none of that name.
func (s *spec) find(name string) *spec {
	for i := range s.keys {
		if s.keys[i].name == name {
			return s.keys[i].spec
		}
	}
	return nil
}

// names are the keys of an object in the order of the documentation.
func (s *spec) names() []string {
	names := make([]string, len(s.keys))
	for i := range s.keys {
		names[i] = s.keys[i].name
	}
	return names
}

// limit is how many entries or characters there may be.
func (s *spec) limit() int {
	if s.most > 0 {
		return s.most
	}
	return 1000
}

func opt(name string, s *spec) key        { return key{name: name, spec: s} }
func must(name string, s *spec) key       { return key{name: name, spec: s, required: true} }
func obj(doc string, keys ...key) *spec   { return &spec{kind: object, doc: doc, keys: keys} }
func oneOf(doc string, w ...string) *spec { return &spec{kind: word, doc: doc, words: w} }
func yesNo(doc string) *spec              { return &spec{kind: boolean, doc: doc} }
func share(doc string) *spec              { return &spec{kind: ratio, doc: doc} }
func anyText(doc string, most int) *spec  { return &spec{kind: text, doc: doc, least: 1, most: most} }

func whole(doc string, low, high float64) *spec {
	return &spec{kind: integer, doc: doc, low: low, high: high}
}

func num(doc string, low, high float64) *spec {
	return &spec{kind: number, doc: doc, low: low, high: high}
}

func dur(doc string, low, high time.Duration) *spec {
	return &spec{kind: duration, doc: doc, low: float64(low), high: float64(high)}
}

func bits(doc string, low, high float64) *spec {
	return &spec{kind: rate, doc: doc, low: low, high: high}
}

// identifier names something that the user defines.
func identifier(doc string) *spec {
	return &spec{kind: text, doc: doc, least: 1, most: 64, pattern: identifierPattern, rule: identifierRule}
}

var identifierPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

const identifierRule = "letters, digits, - and _, at most 64 of them"

func mapOf(doc string, most int, item *spec) *spec {
	return &spec{kind: named, doc: doc, item: item, most: most, pattern: identifierPattern, rule: identifierRule}
}

func listOf(doc string, item *spec) *spec { return &spec{kind: list, doc: doc, item: item} }
