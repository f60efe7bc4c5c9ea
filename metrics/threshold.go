package metrics

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Threshold is a parsed objective on a metric.
type Threshold struct {
	Metric   string // as written, selector included
	Expr     string // as written
	Name     string
	Selector Tags    // empty fields match everything
	Stat     string  // count, rate, value, avg, min, med, max, p
	Quantile float64 // of p(N): 0 to 1
	Op       string  // < <= > >= == !=
	Limit    float64 // in the metric's unit; for count a bare number
	Optional bool
	Abort    bool
	After    time.Duration // of measurement, before an abort
}

// ParseThreshold reads a metric with its selector, `name{tag=value,…}`, and an objective,
// `<statistic> <op> <value><unit>`. All faults of both are joined into the error. Optional, Abort
// and After are left for the caller to set.
//
// Statistics: avg, min, med, max and p(N) are of the samples; count is how many samples there
// are, and of a metric counted in events (unit count) the sum of them; rate is the mean of a
// ratio; value is the only sample, and of several the mean.
func ParseThreshold(metric, expr string) (Threshold, error) {
	t := Threshold{Metric: metric, Expr: expr}
	name, selector, nameErr := splitSelector(metric)
	def, known := Lookup(name)
	if nameErr == nil && !known {
		nameErr = fmt.Errorf("unknown metric %q%s", name, didYouMean(name, Names()))
	}
	t.Name = name
	var tagErr error
	if nameErr == nil || known {
		t.Selector, tagErr = parseSelector(selector)
	}
	exprErr := t.parseExpr(def)
	if err := errors.Join(nameErr, tagErr, exprErr); err != nil {
		return Threshold{}, err
	}
	return t, nil
}

// parseExpr fills Stat, Quantile, Op and Limit. An unknown metric's def is empty: then the unit
// is not judged.
func (t *Threshold) parseExpr(def Def) error {
	expr := strings.TrimSpace(t.Expr)
	if expr == "" {
		return errors.New("empty expression, want for example \"p(95) < 3s\"")
	}
	if strings.Contains(expr, " within ") {
		return fmt.Errorf("%q: comparison with a baseline is not available yet", expr)
	}
	at := strings.IndexAny(expr, "<>=!")
	if at < 0 {
		return fmt.Errorf("%q has no comparison: one of < <= > >= == != is needed", expr)
	}
	end := at
	for end < len(expr) && strings.IndexByte("<>=!", expr[end]) >= 0 {
		end++
	}
	t.Op = expr[at:end]
	return errors.Join(
		t.parseStat(strings.TrimSpace(expr[:at]), def),
		checkOp(t.Op),
		t.parseLimit(strings.TrimSpace(expr[end:]), def),
	)
}

func (t *Threshold) parseStat(s string, def Def) error {
	t.Stat = s
	switch s {
	case "count", "value", "avg", "min", "max":
		return nil
	case "med":
		t.Quantile = 0.5
		return nil
	case "rate":
		if def.Name != "" && def.Unit != UnitRatio {
			return fmt.Errorf("rate is for ratios, and %s is in %s: use avg", def.Name, def.Unit)
		}
		return nil
	case "":
		return fmt.Errorf("%q has no statistic: one of %s is needed", strings.TrimSpace(t.Expr), statsList)
	}
	if inner, ok := strings.CutPrefix(s, "p("); ok && strings.HasSuffix(inner, ")") {
		number, rest := scanNumber(strings.TrimSpace(inner[:len(inner)-1]))
		q, err := shifted(number, -2)
		if err != nil || rest != "" || !(q >= 0 && q <= 1) {
			return fmt.Errorf("%q: a percentile is p(0) to p(100)", s)
		}
		t.Stat, t.Quantile = "p", q
		return nil
	}
	if n, ok := strings.CutPrefix(s, "p"); ok {
		if number, rest := scanNumber(n); number != "" && rest == "" {
			return fmt.Errorf("unknown statistic %q, did you mean \"p(%s)\"?", s, n)
		}
	}
	return fmt.Errorf("unknown statistic %q%s: one of %s is needed", s, didYouMean(s, statNames()), statsList)
}

const statsList = "count rate value avg min med max p(N)"

func statNames() []string { return []string{"count", "rate", "value", "avg", "min", "med", "max"} }

func checkOp(op string) error {
	switch op {
	case "<", "<=", ">", ">=", "==", "!=":
		return nil
	case "=", "===":
		return fmt.Errorf("unknown comparison %q, did you mean \"==\"?", op)
	case "=<", "=>":
		return fmt.Errorf("unknown comparison %q, did you mean %q?", op, op[1:]+"=")
	}
	return fmt.Errorf("unknown comparison %q: one of < <= > >= == != is needed", op)
}

func (t *Threshold) parseLimit(s string, def Def) error {
	if s == "" {
		return errors.New("there is no limit after the comparison")
	}
	number, unit := scanNumber(s)
	n, err := shifted(number, 0)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("limit %q is too large", s)
	case err != nil:
		return fmt.Errorf("limit %q is not a number with a unit", s)
	case n < 0:
		return fmt.Errorf("limit %q is negative, and what is measured never is", s)
	case t.Stat == "count" && unit != "":
		return fmt.Errorf("limit %q: count is compared with a bare number", s)
	case t.Stat == "count", def.Name == "", n == 0 && unit == "":
		t.Limit = n + 0 // no negative zero
		return nil
	}
	t.Limit, err = inUnit(number, unit, s, def)
	return err
}

// inUnit takes a number with its unit to the unit of the metric.
func inUnit(number, unit, written string, def Def) (float64, error) {
	units := unitsOf(def.Unit)
	i := slices.IndexFunc(units, func(u unitScale) bool { return u.name == unit })
	switch {
	case i < 0 && unit == "":
		return 0, fmt.Errorf("limit %q has no unit: %s is in %s, write %s", written, def.Name, def.Unit, unitNames(units))
	case i < 0:
		return 0, fmt.Errorf("limit %q: unit %q does not fit %s, write %s", written, unit, def.Name, unitNames(units))
	}
	n, err := shifted(number, units[i].exponent)
	n *= units[i].times
	switch {
	case err != nil || math.IsInf(n, 0):
		return 0, fmt.Errorf("limit %q is too large", written)
	case def.Unit == UnitRatio && n > 1 && unit == "":
		return 0, fmt.Errorf("limit %q: a ratio is between 0 and 1, did you mean \"%s%%\"?", written, written)
	case def.Unit == UnitRatio && n > 1:
		return 0, fmt.Errorf("limit %q: a ratio is at most 100%%", written)
	case def.Unit == UnitScore && n > 5:
		return 0, fmt.Errorf("limit %q: %s goes from 1 to 5", written, def.Name)
	}
	return n + 0, nil
}

// scanNumber cuts a decimal number without exponent off the front of s; number is empty, or not
// one, where there is none.
func scanNumber(s string) (number, rest string) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	return s[:end], strings.TrimSpace(s[end:])
}

// shifted is a decimal number times a power of ten, rounded once: 99.9% has to be the 0.999 that
// 999 of 1000 are, and 99.9/100 is not.
func shifted(number string, exponent int) (float64, error) {
	return strconv.ParseFloat(number+"e"+strconv.Itoa(exponent), 64)
}
