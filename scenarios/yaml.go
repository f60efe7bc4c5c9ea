package scenarios

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a scenario file. They keep a hostile file from costing more than its size.
const (
	maxFileBytes = 1 << 20
	maxDepth     = 32
	maxNodes     = 50_000 // after aliases are expanded
	maxTokens    = 40_000 // the parser's time grows with their square
)

// readYAML turns text into a node. A nil node comes with at least one fault.
func readYAML(text string, fs *faults) *node {
	if p, why := unreadable(text); why != "" {
		fs.at(p, "%s", why)
		return nil
	}
	file, err := parseYAML(text, fs)
	if err != nil {
		fs.at(syntaxFault(err))
		return nil
	}
	if file == nil {
		return nil
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			fs.at(nodePlace(d.Body), "a second YAML document; a scenario file holds one")
			return nil
		}
		body = d.Body
	}
	if body == nil {
		fs.at(place{line: 1, column: 1}, "the file is empty; a scenario needs name and peers")
		return nil
	}
	r := &reader{faults: fs, anchors: map[string]ast.Node{}}
	n := r.read(body, 0)
	if r.broken {
		return nil
	}
	return n
}

// unreadable says why text is no YAML at all.
func unreadable(text string) (place, string) {
	if len(text) > maxFileBytes {
		return place{line: 1, column: 1}, fmt.Sprintf("the file has %d bytes; at most %d are read", len(text), maxFileBytes)
	}
	line, column := 1, 1
	for i, c := range text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				return place{line: line, column: column}, "not UTF-8 text"
			}
		}
		if c == '\n' {
			line, column = line+1, 1
			continue
		}
		if c < ' ' && c != '\t' && c != '\r' || c == 0x7f {
			return place{line: line, column: column}, fmt.Sprintf("control character %U", c)
		}
		column++
	}
	return place{}, ""
}

// parseYAML runs the YAML parser. It refuses deep nesting beforehand, because the parser
// recurses, and takes a panic of the parser for a syntax fault.
func parseYAML(text string, fs *faults) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			file, err = nil, errors.New("not readable as YAML")
		}
	}()
	tokens := lexer.Tokenize(text)
	if len(tokens) > maxTokens {
		fs.at(tokenPlace(tokens[maxTokens]), "too long; the file has %d words and signs, at most %d are read", len(tokens), maxTokens)
		return nil, nil
	}
	if !shallow(tokens, fs) {
		return nil, nil
	}
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// shallow tells whether the parser can recurse safely, and refuses tags. Depth comes from open
// brackets, from runs of indicators without a scalar between them, and from indentation, which a
// file of limited size limits by itself.
func shallow(tokens token.Tokens, fs *faults) bool {
	open, run := 0, 0
	for _, t := range tokens {
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			open++
			run++
		case token.SequenceEndType, token.MappingEndType:
			open--
			run = 0
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.AnchorType, token.AliasType:
			run++
		case token.TagType:
			fs.at(tokenPlace(t), "tags such as %q are not understood; write the plain value", t.Value)
			return false
		case token.CommentType, token.SpaceType:
		default:
			run = 0
		}
		if open > maxDepth || run > 2*maxDepth {
			fs.at(tokenPlace(t), "nested too deeply; at most %d levels", maxDepth)
			return false
		}
	}
	return true
}

func syntaxFault(err error) (place, string, any) {
	var placed interface {
		GetMessage() string
		GetToken() *token.Token
	}
	if errors.As(err, &placed) && placed.GetToken() != nil {
		return tokenPlace(placed.GetToken()), "not valid YAML: %s", placed.GetMessage()
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return place{line: 1, column: 1}, "not valid YAML: %s", first
}

func tokenPlace(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{line: 1, column: 1}
	}
	return place{line: max(t.Position.Line, 1), column: max(t.Position.Column, 1)}
}

// nodePlace is where a node begins. The parser's token of a block mapping is its first colon.
func nodePlace(n ast.Node) place {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return nodePlace(n.Values[0].Key)
		}
	case *ast.MappingValueNode:
		return nodePlace(n.Key)
	case *ast.MappingKeyNode:
		if n.Value != nil {
			return nodePlace(n.Value)
		}
	}
	if n == nil {
		return place{line: 1, column: 1}
	}
	return tokenPlace(n.GetToken())
}

// reader turns the parser's tree into nodes.
type reader struct {
	*faults
	anchors map[string]ast.Node
	nodes   int
	broken  bool // a limit was passed: what was read is incomplete
}

func (r *reader) stop(p place, format string, args ...any) *node {
	if !r.broken {
		r.at(p, format, args...)
	}
	r.broken = true
	return &node{place: p}
}

func (r *reader) read(n ast.Node, depth int) *node {
	p := nodePlace(n)
	if r.nodes++; r.nodes > maxNodes {
		return r.stop(p, "too many values; at most %d, counted where aliases are used", maxNodes)
	}
	if depth > maxDepth {
		return r.stop(p, "nested too deeply; at most %d levels", maxDepth)
	}
	if r.broken {
		return &node{place: p}
	}
	switch n := n.(type) {
	case *ast.AnchorNode:
		if n.Value == nil {
			return &node{place: p}
		}
		v := r.read(n.Value, depth+1)
		r.anchors[scalarText(n.Name)] = n.Value // afterwards: what it holds cannot refer to it
		return v
	case *ast.AliasNode:
		name := scalarText(n.Value)
		target, ok := r.anchors[name]
		if !ok || target == nil {
			return r.stop(p, "no anchor &%s before this alias", name)
		}
		return r.read(target, depth+1)
	case *ast.MappingNode:
		return r.mapping(p, n.Values, depth)
	case *ast.MappingValueNode:
		return r.mapping(p, []*ast.MappingValueNode{n}, depth)
	case *ast.SequenceNode:
		out := &node{place: p, shape: listShape}
		for _, v := range n.Values {
			out.items = append(out.items, r.read(v, depth+1))
		}
		return out
	case *ast.LiteralNode:
		return &node{place: p, shape: textShape, text: scalarText(n.Value), quoted: true}
	case nil, *ast.NullNode:
		return &node{place: p}
	case *ast.BoolNode:
		return &node{place: p, shape: boolShape, text: strings.ToLower(n.GetToken().Value)}
	case *ast.IntegerNode:
		return &node{place: p, shape: intShape, text: n.GetToken().Value}
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return &node{place: p, shape: floatShape, text: n.GetToken().Value}
	case *ast.StringNode:
		quoted := n.Token.Type == token.SingleQuoteType || n.Token.Type == token.DoubleQuoteType
		return &node{place: p, shape: textShape, text: n.Value, quoted: quoted}
	}
	return r.stop(p, "not understood here: %s", n.Type())
}

func (r *reader) mapping(p place, values []*ast.MappingValueNode, depth int) *node {
	out := &node{place: p, shape: mapShape}
	var merged []*node
	for _, v := range values {
		if v.Key != nil && v.Key.Type() == ast.MergeKeyType {
			merged = append(merged, r.merge(v, depth)...)
			continue
		}
		key, at := scalarText(v.Key), nodePlace(v.Key)
		if first := out.at(key); first != nil {
			r.at(at, "%q stands twice; first in line %d", key, first.at.line)
			continue
		}
		value := r.read(v.Value, depth+1)
		if value.shape == nullShape {
			value.place = at // an absent value has no place of its own
		}
		out.entries = append(out.entries, entry{key, at, value})
	}
	for _, m := range merged {
		for _, e := range m.entries {
			if out.at(e.key) == nil {
				out.entries = append(out.entries, e)
			}
		}
	}
	return out
}

// merge reads the mappings that a "<<" key brings in.
func (r *reader) merge(v *ast.MappingValueNode, depth int) []*node {
	n := r.read(v.Value, depth+1)
	list := []*node{n}
	if n.shape == listShape {
		list = n.items
	}
	for _, m := range list {
		if m.shape != mapShape {
			r.at(m.place, "<< takes a mapping or a list of mappings, not %s", m.shape)
			return nil
		}
	}
	return list
}

// at is the entry of a key, nil if there is none.
func (n *node) at(key string) *entry {
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

func scalarText(n ast.Node) string {
	switch n := n.(type) {
	case nil:
		return ""
	case *ast.StringNode:
		return n.Value
	case *ast.MappingKeyNode:
		return scalarText(n.Value)
	case *ast.AnchorNode:
		return scalarText(n.Value)
	}
	if t := n.GetToken(); t != nil {
		return t.Value
	}
	return ""
}
