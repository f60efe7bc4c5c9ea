package metrics

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
)

// maxDocument bounds what ReadRun takes into memory, in bytes.
const maxDocument = 256 << 20

// ReadRun reads a run document to its end and checks it: another schema, another type of file and
// figures that cannot be are errors, all of them named. Fields it does not know are passed over,
// and fields that are missing are empty, so that documents of earlier and later versions of the
// schema can be read. Values come back sorted, histograms with their exact sum, minimum and
// maximum.
func ReadRun(r io.Reader) (*Run, error) {
	return readRun(r, maxDocument)
}

func readRun(r io.Reader, limit int64) (*Run, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read run document: %w", err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("run document: larger than %d bytes", limit)
	}
	if err := checkSchema(b); err != nil {
		return nil, fmt.Errorf("run document: %w", err)
	}
	run := &Run{}
	if err := json.Unmarshal(b, run); err != nil {
		return nil, fmt.Errorf("run document: %w", plain(err))
	}
	if err := run.validate(); err != nil {
		return nil, fmt.Errorf("run document: %w", err)
	}
	run.restore()
	tidy(reflect.ValueOf(run).Elem())
	return run, nil
}

// checkSchema comes before all else: another schema explains every other fault.
func checkSchema(b []byte) error {
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return plain(err)
	}
	switch {
	case head.Schema == nil:
		return errors.New("no schema: not a run document of peerfleet")
	case *head.Schema != Schema:
		return fmt.Errorf("schema is %q, want %q", *head.Schema, Schema)
	}
	return nil
}

// plain says a JSON error in the words of the file.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		where := wrong.Field
		if where == "" {
			where = "the document"
		}
		article := "a"
		if wrong.Value == "array" || wrong.Value == "object" {
			article = "an"
		}
		return fmt.Errorf("%s: %s %s where %s belongs", where, article, wrong.Value, kindName(wrong.Type))
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("not JSON: %w at byte %d", err, syntax.Offset)
	}
	return err
}

func kindName(t reflect.Type) string {
	if t == reflect.TypeFor[Hist]() || t == reflect.TypeFor[*Hist]() {
		return "a histogram in base64"
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// restore brings what the encoding loses back, so that a document read gives the same figures as
// the one written.
func (r *Run) restore() {
	for c := range r.Cells {
		for i := range r.Cells[c].Metrics {
			e := &r.Cells[c].Metrics[i]
			slices.Sort(e.Values)
			if e.Sum == 0 && len(e.Values) > 0 {
				e.Sum = finiteSum(e.Values)
			}
			e.restoreHist()
		}
		for i := range r.Cells[c].Series {
			if s := &r.Cells[c].Series[i]; s.StepS == 0 {
				s.StepS = 1
			}
		}
	}
}

// restoreHist takes the exact figures over where they are possible for the histogram's counts.
func (e *Entry) restoreHist() {
	if e.Hist == nil || e.Hist.Count() == 0 || !e.Min.Valid() || !e.Max.Valid() {
		return
	}
	h, lo, hi := e.Hist, microseconds(float64(e.Min)), microseconds(float64(e.Max))
	if lo < histLowest || lo > hi || histIndex(lo) != histIndex(min(h.min, histHighest)) ||
		histIndex(hi) != histIndex(min(h.max, histHighest)) {
		return
	}
	h.min, h.max = lo, hi
	sum := e.Sum * 1000
	if most := float64(h.sum); sum > 0 && sum <= most && sum >= most*(1-1.0/histHalf)-1 {
		h.sum = int64(sum + 0.5)
	}
}
