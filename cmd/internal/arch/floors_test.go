package arch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// floors says on which floor each package stands. A package imports only floors below its own; a
// new package gets its floor here in the same change.
func floors() map[string]int {
	return map[string]int{
		"metrics":         1,
		"network/impair":  1,
		"network/nat":     1,
		"network/capture": 1,
		"identity":        1,
		"bots/media":      1,
		"clock":           1,
		"rtpstream":       1,

		"network":        2,
		"network/natlab": 2,
		"scenarios":      2,
		"signaling":      2,
		"reports":        2,

		"turnserver":              3,
		"sfu":                     3,
		"signaling/antmedia":      3,
		"signaling/signalingtest": 3,
		"doctor":                  3,

		"bots":          4,
		"fleet":         5,
		"fleet/workers": 6,

		"cmd/internal/livepage": 6,
		"cmd/internal/arch":     7,
		"cmd/internal/cli":      7,
		"cmd/peerfleet":         8,
	}
}

// edge is one import of one of the module's packages by another.
type edge struct {
	from, to, file string
	test           bool
}

// floorFaults lists the imports that do not lead down. A test may also use its neighbours on its
// floor: it puts together what in the program a higher floor does.
func floorFaults(packages []string, edges []edge, floor map[string]int) []string {
	var faults []string
	for _, p := range packages {
		if floor[p] == 0 {
			faults = append(faults, p+" has no floor")
		}
	}
	for _, e := range edges {
		from, to := floor[e.from], floor[e.to]
		if e.from == e.to || from == 0 || to == 0 || to < from || to == from && e.test {
			continue
		}
		faults = append(faults, fmt.Sprintf("%s: %s (floor %d) imports %s (floor %d)", e.file, e.from, from, e.to, to))
	}
	return faults
}

func TestImportsLeadDown(t *testing.T) {
	var packages []string
	var edges []edge
	for _, f := range sources(t) {
		packages = append(packages, f.pkg)
		for _, target := range f.imports {
			if to, ok := strings.CutPrefix(target, module+"/"); ok {
				packages = append(packages, to)
				edges = append(edges, edge{f.pkg, to, f.name, f.test})
			}
		}
	}
	slices.Sort(packages)
	for _, fault := range floorFaults(slices.Compact(packages), edges, floors()) {
		t.Error(fault)
	}
}

func TestFloorFaults(t *testing.T) {
	floor := map[string]int{"low": 1, "beside": 1, "high": 2}
	got := floorFaults([]string{"low", "high", "new"}, []edge{
		{"high", "low", "high/a.go", false},
		{"low", "low", "low/a_test.go", true},
		{"low", "beside", "low/b_test.go", true},
		{"low", "beside", "low/b.go", false},
		{"low", "high", "low/c.go", false},
		{"low", "high", "low/c_test.go", true},
	}, floor)
	want := []string{
		"new has no floor",
		"low/b.go: low (floor 1) imports beside (floor 1)",
		"low/c.go: low (floor 1) imports high (floor 2)",
		"low/c_test.go: low (floor 1) imports high (floor 2)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
