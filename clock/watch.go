package clock

import (
	"bytes"
	"fmt"
	"runtime"
	"time"
)

// watch waits, in real time, for the end of the function, and gives it up when time stands still.
func (b *bubble) watch() error {
	t := time.NewTicker(look)
	defer t.Stop()
	end := b.outer.Done()
	last, since := b.now.Load(), time.Now()
	for {
		select {
		case err := <-b.result:
			return err
		case <-end:
			b.cancelled.Store(true)
			end = nil
		case <-t.C:
			now := b.now.Load()
			switch {
			case now == -1:
				return fmt.Errorf("%w: it did not stop within %v of %v", ErrEndless, grace, b.options.Limit)
			case now != last:
				last, since = now, time.Now()
			case time.Since(since) > b.options.StuckAfter:
				own := b.own(stacks())
				if busy(own) && time.Since(since) < patience*b.options.StuckAfter {
					continue // work is being done
				}
				return fmt.Errorf("%w for %v of real time; waiting for something outside:\n%s",
					ErrStuck, b.options.StuckAfter, culprits(own))
			}
		}
	}
}

// patience is how many times StuckAfter an instant may be worked on.
const patience = 10

// stacks are the traces of all goroutines.
func stacks() [][]byte {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return bytes.Split(buf[:n], []byte("\n\n"))
		}
		buf = make([]byte, 2*len(buf))
	}
}

// ownLabel is how the traces of the caller's virtual time are marked: "synctest bubble 3".
func ownLabel() *string {
	buf := make([]byte, 256)
	line := head(buf[:runtime.Stack(buf, false)])
	i := bytes.Index(line, []byte("synctest bubble "))
	if i < 0 {
		return nil
	}
	label, _, _ := bytes.Cut(line[i:], []byte("]"))
	s := string(label)
	return &s
}

// own picks the traces of this virtual time's goroutines.
func (b *bubble) own(traces [][]byte) [][]byte {
	label := b.label.Load()
	if label == nil {
		return nil
	}
	var out [][]byte
	for _, t := range traces {
		if bytes.Contains(head(t), []byte(*label+"]")) || bytes.Contains(head(t), []byte(*label+",")) {
			out = append(out, t)
		}
	}
	return out
}

// head is the first line of a trace: "goroutine 7 [chan receive (durable), synctest bubble 3]:".
func head(trace []byte) []byte {
	line, _, _ := bytes.Cut(trace, []byte("\n"))
	return line
}

// busy tells whether any goroutine is at work: running, or about to.
func busy(traces [][]byte) bool {
	for _, t := range traces {
		if h := head(t); bytes.Contains(h, []byte("[running")) || bytes.Contains(h, []byte("[runnable")) {
			return true
		}
	}
	return false
}

// culprits are the goroutines that wait for something outside their virtual time.
func culprits(traces [][]byte) []byte {
	var out [][]byte
	for _, t := range traces {
		if !bytes.Contains(head(t), []byte("(durable)")) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return []byte("(no goroutine to be named)")
	}
	return bytes.Join(out, []byte("\n\n"))
}
