package metrics

// Verdicts of a threshold.
const (
	Pass   = "pass"
	Fail   = "fail"
	NoData = "no data"
)

// Evaluate judges every threshold that applies to the cell by the samples the cell's set has,
// merging all keys that match its selector. Quantiles are the nearest rank however few the
// samples. Without samples the verdict is NoData, which is a failure; an optional threshold
// passes then, with 0 samples and the value missing. A threshold whose selector names another
// cell has no result. The set is left unchanged.
func Evaluate(t []Threshold, cell string, repeat int, s *Set) []ThresholdResult {
	results := make([]ThresholdResult, 0, len(t))
	for i := range t {
		if t[i].AppliesTo(cell) {
			r := t[i].judge(s)
			r.Cell, r.Repeat = cell, repeat
			results = append(results, r)
		}
	}
	return results
}

// Failed tells whether the result counts as a crossed threshold.
func (r ThresholdResult) Failed() bool { return r.Verdict != Pass }

func (t *Threshold) judge(s *Set) ThresholdResult {
	def, _ := Lookup(t.Name)
	r := ThresholdResult{Metric: t.Metric, Expr: t.Expr, Limit: Value(t.Limit), Unit: def.Unit, Value: Missing()}
	if t.Stat == "count" {
		r.Unit = UnitCount
	}
	e := newEntry(t.Name, Tags{}, def.Unit, t.collect(s))
	r.Samples = int(e.Count)
	switch {
	case e.Count == 0 && t.Optional:
		r.Verdict = Pass
		return r
	case e.Count == 0:
		r.Verdict = NoData
		return r
	}
	r.Value = t.statistic(e)
	r.Verdict = Fail
	if t.holds(float64(r.Value)) {
		r.Verdict = Pass
	}
	return r
}

// collect merges the samples of all matching keys.
func (t *Threshold) collect(s *Set) *Samples {
	all := &Samples{}
	if s == nil {
		return all
	}
	for k, v := range s.m {
		if t.matches(k) {
			all.merge(v)
		}
	}
	all.settle()
	return all
}

func (t *Threshold) statistic(e Entry) Value {
	switch t.Stat {
	case "count":
		if e.Unit == UnitCount {
			return Value(e.Sum)
		}
		return Value(e.Count)
	case "min":
		return e.Min
	case "max":
		return e.Max
	case "med", "p":
		return e.Quantile(t.Quantile)
	default: // avg, rate and value
		return e.Avg
	}
}

// holds compares; a value that is not a number holds nothing.
func (t *Threshold) holds(v float64) bool {
	switch t.Op {
	case "<":
		return v < t.Limit
	case "<=":
		return v <= t.Limit
	case ">":
		return v > t.Limit
	case ">=":
		return v >= t.Limit
	case "==":
		return v == t.Limit
	case "!=":
		return v != t.Limit && v == v
	}
	return false
}
