package scenarios

import (
	"encoding/json"
	"strings"
)

// Schema is the JSON Schema (draft 2020-12) of scenario files, for editors. It is made from the
// description that Parse checks by; what only the whole file can show (references, sizes of
// rooms, actions that contradict each other) is left to Parse.
func Schema() []byte {
	root := schemaOf(language())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "peerfleet scenario"
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of texts and numbers always marshal
	}
	return append(b, '\n')
}

func schemaOf(s *spec) map[string]any {
	m := map[string]any{}
	if s.doc != "" {
		m["description"] = s.doc
	}
	switch s.kind {
	case object:
		return objectSchema(m, s)
	case named:
		m["type"], m["additionalProperties"], m["maxProperties"] = "object", schemaOf(s.item), s.limit()
		m["propertyNames"] = map[string]any{"pattern": s.pattern.String()}
		if s.least > 0 {
			m["minProperties"] = s.least
		} else {
			m["type"] = []string{"object", "null"}
		}
	case list:
		return listSchema(m, s)
	case text, secret:
		m["type"], m["minLength"], m["maxLength"] = "string", s.least, s.limit()
		if s.pattern != nil {
			m["pattern"] = s.pattern.String()
		}
	case word:
		m["enum"] = s.words
	case boolean:
		m["type"] = "boolean"
	case integer:
		m["type"], m["minimum"], m["maximum"] = "integer", s.low, s.high
	case seed:
		m["type"], m["minimum"] = "integer", 0
	case number:
		m["type"], m["minimum"], m["maximum"] = "number", s.low, s.high
	case duration:
		m["type"], m["pattern"] = "string", "^("+decimal+"("+unitNames(durationUnits())+"))+$"
	case rate:
		m["type"], m["pattern"] = "string", "^"+decimal+"("+unitNames(rateUnits())+")$"
	case ratio:
		m["type"], m["pattern"] = "string", "^"+decimal+"%$"
	case queue:
		m["type"], m["pattern"] = "string", "^"+decimal+"("+unitNames(append(durationUnits(), sizeUnits()...))+")$"
	}
	return m
}

const decimal = `[0-9]+(\.[0-9]+)?`

func unitNames(units []unit) string {
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.name
	}
	return strings.Join(names, "|")
}

func objectSchema(m map[string]any, s *spec) map[string]any {
	properties := map[string]any{}
	for _, k := range s.keys {
		properties[k.name] = schemaOf(k.spec)
	}
	m["type"], m["properties"], m["additionalProperties"] = "object", properties, false
	if names := required(s); len(names) > 0 {
		m["required"] = names
	} else {
		m["type"] = []string{"object", "null"}
	}
	if s.short != "" {
		return map[string]any{"oneOf": []any{schemaOf(s.find(s.short)), m}}
	}
	return m
}

func listSchema(m map[string]any, s *spec) map[string]any {
	item := schemaOf(s.item)
	m["type"], m["items"], m["minItems"], m["maxItems"] = "array", item, s.least, s.limit()
	if scalar(s.item.kind) {
		m["uniqueItems"] = true
	}
	if s.single {
		return map[string]any{"oneOf": append(item["oneOf"].([]any), m)}
	}
	return m
}
