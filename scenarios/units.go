package scenarios

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A unit is written out behind its number, without a space.
type unit struct {
	name  string
	scale float64
}

func durationUnits() []unit {
	return []unit{{"us", 1e3}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}}
}

func rateUnits() []unit {
	return []unit{{"bps", 1}, {"kbps", 1e3}, {"Mbps", 1e6}, {"Gbps", 1e9}}
}

func sizeUnits() []unit { return []unit{{"B", 1}, {"KB", 1e3}, {"MB", 1e6}} }

func ratioUnits() []unit { return []unit{{"%", 0.01}} }

var (
	quantity = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(\pL+|%)$`)
	compound = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs)){2,}$`)
)

// parseUnit reads one number with one of the units. what and example make the message.
func parseUnit(text string, units []unit, what, example string) (float64, error) {
	m := quantity.FindStringSubmatch(text)
	if m == nil {
		return 0, wrongUnit(text, units, what, example)
	}
	for _, u := range units {
		if u.name != m[2] {
			continue
		}
		f, err := strconv.ParseFloat(m[1], 64)
		if err != nil || f*u.scale > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is too large", text)
		}
		return f * u.scale, nil
	}
	return 0, wrongUnit(text, units, what, example)
}

func wrongUnit(text string, units []unit, what, example string) error {
	if strings.HasPrefix(text, "-") {
		return fmt.Errorf("%q is below zero; %s is written like %s", text, what, example)
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return fmt.Errorf("%q has no unit; %s is written like %s", text, what, example)
	}
	number := strings.TrimRight(text, " \tabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZµ/%")
	if f, err := strconv.ParseFloat(number, 64); err == nil && f >= 0 {
		names := make([]string, len(units))
		for i, u := range units {
			names[i] = u.name
		}
		got := strings.TrimSpace(text[len(number):])
		if number+got != text {
			return fmt.Errorf("%q: no space between number and unit; %s is written like %s", text, what, example)
		}
		return fmt.Errorf("%q: unknown unit %q; %s is written in %s, like %s", text, got, what, strings.Join(names, ", "), example)
	}
	return fmt.Errorf("%q is not %s; it is written like %s", text, what, example)
}

// parseDuration reads 20ms, 5s or 1m30s.
func parseDuration(text string) (time.Duration, error) {
	if compound.MatchString(text) {
		if d, err := time.ParseDuration(text); err == nil {
			return d, nil
		}
	}
	f, err := parseUnit(text, durationUnits(), "a duration", "20ms or 5s")
	return time.Duration(math.Round(f)), err
}

// parseRate reads bits per second: 1.5Mbps, 500kbps.
func parseRate(text string) (int64, error) {
	f, err := parseUnit(text, rateUnits(), "a rate", "1.5Mbps or 500kbps")
	return int64(math.Round(f)), err
}

// parseRatio reads a percentage as a ratio.
func parseRatio(text string) (float64, error) {
	f, err := parseUnit(text, ratioUnits(), "a share", "2% or 0.5%")
	if err != nil {
		return 0, err
	}
	if f > 1 {
		return 0, fmt.Errorf("%q is more than 100%%", text)
	}
	// A percentage has a short decimal; the nearest ratio to it is the one meant.
	f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64)
	return f, err
}

// parseQueue reads a queue as time at the link's rate, or as bytes.
func parseQueue(text string) (time.Duration, int, error) {
	if f, err := parseUnit(text, sizeUnits(), "", ""); err == nil {
		return 0, int(f), nil
	}
	if d, err := parseDuration(text); err == nil {
		return d, 0, nil
	}
	units := append(durationUnits()[2:4], sizeUnits()...)
	_, err := parseUnit(text, units, "a queue", "200ms or 64KB")
	if err == nil {
		err = fmt.Errorf("%q is not a queue; it is written like 200ms or 64KB", text)
	}
	return 0, 0, err
}

// parseInt reads a plain decimal number.
func parseInt(text string) (int64, error) {
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 1 && digits[0] == '0' {
		return 0, errors.New("write it in plain decimal digits")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("the number is too large")
	}
	return n, nil
}

// parseNumber reads a decimal number with or without a fraction.
func parseNumber(text string) (float64, error) {
	if strings.Trim(text, "-.0123456789") != "" {
		return 0, errors.New("write it in plain decimal digits")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, errors.New("write it in plain decimal digits")
	}
	return f, nil
}
