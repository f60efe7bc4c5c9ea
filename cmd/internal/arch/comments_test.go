package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestPackagesSayWhatTheyAre(t *testing.T) {
	comments, packages := map[string]int{}, map[string]string{}
	for _, f := range production(t) {
		packages[f.pkg] = f.syntax.Name.Name
		if doc := f.syntax.Doc.Text(); doc != "" {
			comments[f.pkg]++
			want := "Package " + f.syntax.Name.Name + " "
			if f.syntax.Name.Name == "main" {
				want = "Command "
			}
			if !strings.HasPrefix(doc, want) {
				t.Errorf("%s: package comment starts with %.30q, want %q", f.name, doc, want)
			}
		}
	}
	for pkg := range packages {
		if n := comments[pkg]; n != 1 {
			t.Errorf("%s has %d package comments, want 1", pkg, n)
		}
	}
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, f := range production(t) {
		for _, d := range f.syntax.Decls {
			for _, n := range undocumented(d) {
				t.Errorf("%s: exported %s has no comment", f.at(n), n.Name)
			}
		}
	}
}

// undocumented lists the exported names that a declaration leaves without a comment. A group's
// comment, or one behind the name, is enough.
func undocumented(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !wellKnown(d) {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if d.Doc == nil && s.Doc == nil && s.Name.IsExported() {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, slices.DeleteFunc(slices.Clone(s.Names), func(i *ast.Ident) bool { return !i.IsExported() })...)
				}
			}
		}
	}
	return names
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// wellKnown tells methods whose meaning their interface fixes.
func wellKnown(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "String", "Unwrap"}, d.Name.Name)
}
