package scenarios

import (
	"errors"
	"os"
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, b := range brokenFiles() {
		f.Add([]byte(strings.Replace(b.src, "§", "", 1)))
	}
	for _, name := range append(Builtins(), templateName) {
		src, err := files.ReadFile(name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	example, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("a: &a\n  <<: *a\n? - ? x\n: |2-\n  y\n"))
	f.Add([]byte(lively))
	f.Add([]byte(minimal + gateways))
	f.Add([]byte("name: x\nclock: virtual\npeers: {a: {link: l}}\nlinks: {l: {nat: none}}\nvary: {links.l.nat.kind: [symmetric], links.l.firewall: [tls-443-only]}\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("fuzz.yaml", src, Options{Env: func(string) (string, bool) { return "v", true }})
		if err != nil {
			var pe *ParseError
			if !errors.As(err, &pe) || len(pe.Faults) == 0 || err.Error() == "" {
				t.Fatalf("got %#v, want a ParseError with faults", err)
			}
			return
		}
		peers := 0
		for _, m := range s.models {
			for i := range m.groups {
				peers += m.groups[i].size()
			}
		}
		if peers*s.Repeat > 2000 {
			return // valid, and too slow to plan thousands of times
		}
		for _, c := range s.Plan(s.Seed).Cells {
			if len(c.Peers) == 0 {
				t.Error("a cell without peers")
			}
		}
	})
}

func FuzzParseTrace(f *testing.F) {
	for _, s := range []string{"1\n2\n", "0\n", "", "1\r\n2", "x", "5\n4"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		tr, err := parseTrace("f", src)
		if err != nil {
			return
		}
		for i := 1; i < len(tr.Opportunities); i++ {
			if tr.Opportunities[i] < tr.Opportunities[i-1] {
				t.Fatal("times fall")
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	src, _ := Builtin("mesh-vs-conference")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("b.yaml", src, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
