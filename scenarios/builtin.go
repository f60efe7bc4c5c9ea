package scenarios

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

const templateName = "template"

// Builtins are the names of the built-in scenarios, sorted.
func Builtins() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the folder is part of the binary
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".yaml"); name != templateName {
			names = append(names, name)
		}
	}
	return names
}

// Builtin is the text of a built-in scenario. The caller owns it.
func Builtin(name string) ([]byte, bool) {
	if name == templateName {
		return nil, false
	}
	b, err := files.ReadFile(name + ".yaml")
	return b, err == nil
}

// Template is a commented scenario to start from, under the given name. A name that could not
// stand in a file is quoted.
func Template(name string) []byte {
	b, err := files.ReadFile(templateName + ".yaml")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return []byte(strings.Replace(string(b), "my-scenario", quoted(name), 1))
}

// quoted is a YAML scalar in double quotes, or the plain name where that is safe.
func quoted(name string) string {
	if identifierPattern.MatchString(name) && strings.Trim(name[:1], "0123456789-") != "" && !reserved(name) {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// reserved tells whether YAML reads a plain word as something other than text.
func reserved(name string) bool {
	switch strings.ToLower(name) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}
