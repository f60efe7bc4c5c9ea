package arch

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/peerfleet/peerfleet"

// file is one parsed Go file of the module.
type file struct {
	name    string            // from the module's root, with slashes
	pkg     string            // folder, from the module's root
	test    bool              // a _test.go file
	imports map[string]string // name in this file to import path
	syntax  *ast.File
	set     *token.FileSet
}

func (f file) at(n ast.Node) string {
	return f.name + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// root is the folder that holds go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil {
			return dir
		}
		if parent := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && parent != dir {
			dir = parent
			continue
		}
		t.Fatalf("find go.mod: %v", err)
	}
}

// sources parses every Go file of the module, tests included. Like the go command it passes over
// testdata and over folders that start with a dot or an underscore.
func sources(t *testing.T) []file {
	t.Helper()
	base, set := root(t), token.NewFileSet()
	var all []file
	err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); name != base && (n == "testdata" || strings.ContainsAny(n[:1], "._")) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		syntax, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(base, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		all = append(all, file{
			name: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			imports: importNames(syntax), syntax: syntax, set: set,
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func importNames(syntax *ast.File) map[string]string {
	names := map[string]string{}
	for _, i := range syntax.Imports {
		target, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue // the parser has accepted it
		}
		name := path.Base(target)
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "_" {
			name = "_ " + target
		}
		names[name] = target
	}
	return names
}
