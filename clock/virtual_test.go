package clock

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestVirtualOnThisRelease is the tripwire for a new release of Go: that synctest works outside a
// test is not documented, nor is what stack traces look like.
func TestVirtualOnThisRelease(t *testing.T) {
	err := Virtual(t.Context(), Options{}, func(context.Context) error {
		if label := ownLabel(); label == nil || !strings.HasPrefix(*label, "synctest bubble ") {
			return errors.New("a goroutine in virtual time has another mark in its trace; see ownLabel")
		}
		waiting := make(chan struct{})
		go func() { <-waiting }()
		Settle()
		b := &bubble{}
		b.label.Store(ownLabel())
		durable := 0
		for _, g := range b.own(stacks()) {
			if strings.Contains(string(head(g)), "(durable)") {
				durable++
			}
		}
		close(waiting)
		if durable == 0 {
			return errors.New("no trace is marked durable; see culprits")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("virtual time does not work with %s: %v", runtime.Version(), err)
	}
}

func TestVirtualTimePassesAtOnce(t *testing.T) {
	epoch := time.Date(2031, 5, 6, 7, 8, 9, 10, time.UTC)
	real := time.Now()
	err := Virtual(t.Context(), Options{Epoch: epoch}, func(context.Context) error {
		if !time.Now().Equal(epoch) {
			t.Errorf("began at %v, want %v", time.Now(), epoch)
		}
		time.Sleep(10 * time.Hour)
		if got := time.Since(epoch); got != 10*time.Hour {
			t.Errorf("slept %v", got)
		}
		return nil
	})
	if err != nil || time.Since(real) > 20*time.Minute {
		t.Errorf("got %v after %v of real time", err, time.Since(real))
	}
}

func TestVirtualFailures(t *testing.T) {
	fault := errors.New("fault")
	outside := make(chan struct{})
	defer close(outside)
	for _, c := range []struct {
		name string
		o    Options
		f    func(ctx context.Context) error
		want error
		says string
	}{
		{"error", Options{}, func(context.Context) error { return fault }, fault, ""},
		{"panic", Options{}, func(context.Context) error { panic("over the edge") }, ErrPanic, "over the edge"},
		{"deadlock", Options{}, func(context.Context) error {
			never := make(chan struct{}) // and the poller's ticker keeps time passing: the limit ends it
			<-never
			return nil
		}, ErrDeadlock, ""},
		{"left behind", Options{}, func(context.Context) error {
			never := make(chan struct{})
			go func() { <-never }()
			return nil
		}, ErrDeadlock, "blocked goroutines remain"},
		{"stuck", Options{StuckAfter: 300 * time.Millisecond}, func(context.Context) error {
			waitOutside(outside)
			return nil
		}, ErrStuck, "waitOutside"},
		{"a lock held over a wait", Options{StuckAfter: 300 * time.Millisecond}, func(context.Context) error {
			var mu sync.Mutex
			mu.Lock()
			go func() {
				time.Sleep(time.Second)
				mu.Unlock()
			}()
			mu.Lock()
			return nil
		}, ErrStuck, "Lock"},
		{"stops at the limit", Options{Limit: time.Minute}, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, ErrEndless, "1m0s"},
		{"goes on after the limit", Options{Limit: time.Minute}, func(context.Context) error {
			time.Sleep(time.Hour)
			return nil
		}, ErrEndless, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "deadlock" {
				c.o.Limit = time.Hour
			}
			err := Virtual(t.Context(), c.o, c.f)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v saying %q", err, c.want, c.says)
			}
		})
	}
	if err := Virtual(t.Context(), Options{}, func(context.Context) error { return nil }); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func waitOutside(c <-chan struct{}) { <-c }

func TestVirtualHearsTheOutside(t *testing.T) {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, 7))
	var began atomic.Bool
	go func() {
		for !began.Load() {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	rounds := 0
	err := Virtual(ctx, Options{}, func(ctx context.Context) error {
		if ctx.Value(key{}) != 7 {
			t.Error("the context has not the values of the outer one")
		}
		for ; ctx.Err() == nil; rounds++ {
			began.Store(true)
			time.Sleep(time.Second)
		}
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || rounds == 0 {
		t.Errorf("got %v after %d rounds, want canceled, with what was done", err, rounds)
	}
}

func TestVirtualLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		err := Virtual(t.Context(), Options{}, func(context.Context) error {
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() { time.Sleep(time.Duration(i) * time.Second) })
			}
			wg.Wait()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for limit := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(limit); {
		time.Sleep(time.Millisecond)
	}
	if now := runtime.NumGoroutine(); now > before {
		t.Errorf("%d goroutines before, %d after", before, now)
	}
}

func TestVirtualTimesAreApart(t *testing.T) {
	var wg sync.WaitGroup
	took := make([]time.Duration, 8)
	for i := range took {
		wg.Go(func() {
			err := Virtual(t.Context(), Options{}, func(context.Context) error {
				start := time.Now()
				for range 100 {
					time.Sleep(time.Duration(i+1) * time.Second)
					Settle()
				}
				took[i] = time.Since(start)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, d := range took {
		if want := time.Duration(100*(i+1)) * time.Second; d != want {
			t.Errorf("%d: got %v, want %v", i, d, want)
		}
	}
}
