package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// production are the files that go into the program.
func production(t *testing.T) []file {
	t.Helper()
	return slices.DeleteFunc(sources(t), func(f file) bool { return f.test })
}

// uses calls found with every use of a name of another package, as "import/path.Name".
func uses(f file, found func(n ast.Node, name string)) {
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok {
			if target, ok := f.imports[x.Name]; ok {
				found(n, target+"."+sel.Sel.Name)
			}
		}
		return true
	})
}

// TestOnlyNetworkOpensSockets holds the rule that lets the same program run on real sockets and on
// a simulated network: everything else is given a network.Host.
func TestOnlyNetworkOpensSockets(t *testing.T) {
	openers := []string{
		"net.Listen", "net.ListenIP", "net.ListenMulticastUDP", "net.ListenPacket", "net.ListenTCP", "net.ListenUDP",
		"net.ListenUnix", "net.ListenUnixgram", "net.ListenConfig", "net.FileConn", "net.FileListener", "net.FilePacketConn",
		"net.Dial", "net.DialIP", "net.DialTCP", "net.DialTimeout", "net.DialUDP", "net.DialUnix", "net.Dialer",
		"net.DefaultResolver", "net.LookupHost", "net.LookupIP", "net.LookupAddr",
		"net/http.DefaultClient", "net/http.DefaultTransport", "net/http.DefaultServeMux", "net/http.Get", "net/http.Head",
		"net/http.Post", "net/http.PostForm", "net/http.Handle", "net/http.HandleFunc", "net/http.ListenAndServe",
		"net/http.ListenAndServeTLS", "net/http.Serve", "net/http.ServeTLS",
		"crypto/tls.Dial", "crypto/tls.DialWithDialer", "crypto/tls.Listen", "crypto/tls.Dialer",
		"github.com/gorilla/websocket.DefaultDialer", "github.com/pion/transport/v4/stdnet.NewNet",
	}
	for _, f := range production(t) {
		if f.pkg == "network" {
			continue
		}
		uses(f, func(n ast.Node, name string) {
			if slices.Contains(openers, name) {
				t.Errorf("%s: %s outside package network", f.at(n), name)
			}
		})
	}
}

func TestOnlyCommandsPrintAndExit(t *testing.T) {
	for _, f := range production(t) {
		if strings.HasPrefix(f.pkg, "cmd/") {
			continue
		}
		uses(f, func(n ast.Node, name string) {
			switch {
			case name == "os.Exit", name == "os.Stdout", name == "os.Stderr", name == "os.Stdin", name == "os.Args",
				strings.HasPrefix(name, "fmt.Print"), strings.HasPrefix(name, "log."):
				t.Errorf("%s: %s outside cmd", f.at(n), name)
			}
		})
	}
}

func TestRandomnessIsSeeded(t *testing.T) {
	for _, f := range sources(t) {
		for _, target := range f.imports {
			if target == "math/rand" {
				t.Errorf("%s imports math/rand, want math/rand/v2", f.name)
			}
		}
		uses(f, func(n ast.Node, name string) {
			what, ok := strings.CutPrefix(name, "math/rand/v2.")
			if ok && !f.test && !strings.HasPrefix(what, "New") && slices.Contains(globalRandom(), what) {
				t.Errorf("%s: %s draws from the process's generator, want one of its owner's", f.at(n), name)
			}
		})
	}
}

// globalRandom lists the functions of math/rand/v2 that no seed reaches.
func globalRandom() []string {
	return []string{
		"ExpFloat64", "Float32", "Float64", "Int", "Int32", "Int32N", "Int64", "Int64N", "IntN", "N", "NormFloat64",
		"Perm", "Shuffle", "Uint", "Uint32", "Uint32N", "Uint64", "Uint64N", "UintN",
	}
}

func TestNothingHappensAtStartup(t *testing.T) {
	for _, f := range production(t) {
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: func init", f.at(d))
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if v, ok := s.(*ast.ValueSpec); ok && d.Tok == token.VAR && !constant(f, d, v) {
						t.Errorf("%s: package variable %s", f.at(v), v.Names[0].Name)
					}
				}
			}
		}
	}
}

// constant tells whether a package variable is one only because the language has no constant of
// its kind: an error, a compiled pattern, an embedded file, or an assertion about a type.
func constant(f file, d *ast.GenDecl, v *ast.ValueSpec) bool {
	if v.Names[0].Name == "_" {
		return true
	}
	for _, doc := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }) {
			return true
		}
	}
	if len(v.Values) == 0 {
		return false
	}
	return !slices.ContainsFunc(v.Values, func(e ast.Expr) bool { return !unchanging(f, e) })
}

// unchanging tells the calls whose results nothing can change.
func unchanging(f file, e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	name := ""
	if ok {
		name = f.imports[x.Name] + "." + sel.Sel.Name
	}
	return name == "errors.New" || name == "fmt.Errorf" || name == "regexp.MustCompile"
}
