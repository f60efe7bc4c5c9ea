package impair

import (
	"errors"
	"fmt"
	"time"
)

// Perfect reports whether the profile never does anything to a packet.
func (p *Profile) Perfect() bool {
	return p.RateBPS == 0 && p.Trace == nil && p.Delay == 0 && p.Jitter == 0 && p.LossRatio == 0 &&
		p.DuplicateRatio == 0 && p.CorruptRatio == 0 && p.ReorderRatio == 0 && len(p.Schedule) == 0
}

// Validate reports every value that a link could not honour, its changes included.
func (p *Profile) Validate() error {
	errs := []error{p.values()}
	if p.Trace != nil {
		errs = append(errs, p.Trace.check())
	}
	var last time.Duration
	for i := range p.Schedule {
		c := &p.Schedule[i]
		if c.At < last || c.For < 0 {
			errs = append(errs, fmt.Errorf("change %d: at %v for %v is out of order or negative", i+1, c.At, c.For))
		}
		last = c.At
		var changed Profile
		changed.lay(&c.Set)
		if err := changed.values(); err != nil {
			errs = append(errs, fmt.Errorf("change %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}

func (p *Profile) values() error {
	var errs []error
	ratio := func(name string, v float64) {
		if !(v >= 0 && v <= 1) {
			errs = append(errs, fmt.Errorf("%s %v is not between 0 and 1", name, v))
		}
	}
	positive := func(name string, negative bool, v any) {
		if negative {
			errs = append(errs, fmt.Errorf("%s %v is negative", name, v))
		}
	}
	ratio("loss", p.LossRatio)
	ratio("duplicate", p.DuplicateRatio)
	ratio("corrupt", p.CorruptRatio)
	ratio("reorder", p.ReorderRatio)
	positive("rate", p.RateBPS < 0, p.RateBPS)
	positive("queue", p.QueueBytes < 0, p.QueueBytes)
	positive("queue", p.QueueTime < 0, p.QueueTime)
	positive("delay", p.Delay < 0, p.Delay)
	positive("jitter", p.Jitter < 0, p.Jitter)
	positive("reorder_by", p.ReorderBy < 0, p.ReorderBy)
	if !(p.Burst == 0 || p.Burst >= 1) {
		errs = append(errs, fmt.Errorf("burst %v is below 1", p.Burst))
	}
	switch p.AQM {
	case "", DropTail, CoDel:
	default:
		errs = append(errs, fmt.Errorf("unknown aqm %q", p.AQM))
	}
	switch p.Distribution {
	case "", Normal, Uniform, Pareto:
	default:
		errs = append(errs, fmt.Errorf("unknown distribution %q", p.Distribution))
	}
	switch p.Order {
	case "", Keep, Free:
	default:
		errs = append(errs, fmt.Errorf("unknown order %q", p.Order))
	}
	return errors.Join(errs...)
}
