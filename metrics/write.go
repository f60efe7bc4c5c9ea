package metrics

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
)

// Write writes the document as indented JSON; the same document gives the same bytes. It first
// tidies the document in place: lists and maps that are nil become empty, and a number that must
// stand there but is none (0/0) becomes 0, so that a finished run is never lost for one figure.
// An empty Schema becomes Schema.
func (r *Run) Write(w io.Writer) error {
	if r.Schema == "" {
		r.Schema = Schema
	}
	tidy(reflect.ValueOf(r).Elem())
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write run document: %w", err)
	}
	return nil
}

// tidy goes through what a document can consist of. A Value keeps its NaN, which is null in JSON.
func tidy(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				tidy(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			tidy(v.Index(i))
		}
	case reflect.Map:
		tidyMap(v)
	case reflect.Float64:
		if v.Type() != reflect.TypeFor[Value]() && !finite(v.Float()) {
			v.SetFloat(0)
		}
	}
}

func tidyMap(v reflect.Value) {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	for _, k := range v.MapKeys() {
		if e := v.MapIndex(k); e.CanFloat() && !finite(e.Float()) ||
			e.Kind() == reflect.Interface && e.Elem().CanFloat() && !finite(e.Elem().Float()) {
			v.SetMapIndex(k, reflect.ValueOf(0.0))
		}
	}
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
