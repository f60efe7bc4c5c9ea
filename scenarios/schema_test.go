package scenarios

import (
	"bytes"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("scenario.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("scenario.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func document(t *testing.T, src []byte) any {
	t.Helper()
	j, err := yaml.YAMLToJSON(src)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestSchemaTakesEveryScenario(t *testing.T) {
	s := compiled(t)
	check := func(name string, src []byte) {
		if err := s.Validate(document(t, src)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range Builtins() {
		src, _ := Builtin(name)
		check(name, src)
	}
	check("template", Template("new"))
	check("minimal", []byte(minimal))
	check("short threshold", []byte(minimal+"thresholds: {connect.total: avg < 3s}\n"))
	check("one threshold", []byte(minimal+"thresholds: {connect.total: {expr: avg < 3s}}\n"))
	check("nat in a word", []byte(minimal+"links: {l: {nat: restricted}}\n"))
	check("nat as an object", []byte(minimal+gateways))
	check("defaults", []byte("name: x\npeers: {a: }\n"))
}

func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	for _, src := range []string{
		"name: x\n",
		"peers: {a: {}}\n",
		"name: x\npeers: {}\n",
		"name: 5\npeers: {a: {}}\n",
		minimal + "durration: 5s\n",
		minimal + "duration: 20\n",
		minimal + "duration: 20 sec\n",
		minimal + "allow_failed: 0.02\n",
		minimal + "repeat: 0\n",
		minimal + "clock: fast\n",
		minimal + "links: {l: {up: {rate: 5}}}\n",
		minimal + "links: {l: {up: {rat: 5Mbps}}}\n",
		minimal + "links: {l: {up: {queue: 64}}}\n",
		minimal + "links: {l: {up: {schedule: [{for: 1s}]}}}\n",
		minimal + "links: {l: {nat: cone}}\n",
		minimal + "links: {l: {nat: {}}}\n",
		minimal + "links: {l: {nat: {kind: cone}}}\n",
		minimal + "links: {l: {nat: {kind: symmetric, timeout: 30}}}\n",
		minimal + "links: {l: {nat: {kind: symmetric, ports: odd}}}\n",
		minimal + "links: {l: {nat: {kind: symmetric, nat: symmetric}}}\n",
		minimal + "links: {l: {nat: {kind: symmetric, carrier: cgn}}}\n",
		minimal + "links: {l: {nat: {kind: symmetric, carrier: {kind: symmetric, shared: true}}}}\n",
		minimal + "media: {m: {video: {codec: vp9}}}\n",
		minimal + "server: {mesh_limit: 1}\n",
		minimal + "server: {turn: {transports: [sctp]}}\n",
		minimal + "thresholds: {connect.total: [{abort: true}]}\n",
		minimal + "vary: {peers.people.count: []}\n",
		"name: x\npeers: {a: {count: two}}\n",
		"name: x\npeers: {a: {publish: camera}}\n",
		"name: x\npeers: {a: {publish: [camera, camera]}}\n",
		"name: x\npeers: {a: {actions: [{do: leave}]}}\n",
		"name: x\npeers: {a: {actions: [{at: 1s, do: dance}]}}\n",
		"name: x\npeers: {'a b': {}}\n",
	} {
		if s.Validate(document(t, []byte(src))) == nil {
			t.Errorf("the schema takes %q", src)
		}
		if _, err := Parse("f.yaml", []byte(src), Options{}); err == nil {
			t.Errorf("the parser takes %q", src)
		}
	}
}

func TestSchemaKnowsEveryKey(t *testing.T) {
	schema := string(Schema())
	var walk func(s *spec)
	walk = func(s *spec) {
		for _, k := range s.keys {
			if !strings.Contains(schema, `"`+k.name+`": {`) {
				t.Errorf("%s is missing", k.name)
			}
			if k.spec.doc == "" {
				t.Errorf("%s has no description", k.name)
			}
			walk(k.spec)
		}
		if s.item != nil {
			walk(s.item)
		}
	}
	walk(language())
}
