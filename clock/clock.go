// Package clock runs a function on a clock: the wall clock or virtual time. It knows nothing of what
// the function does.
//
// Code under a clock uses package time as usual; there is no Clock interface. The wall clock is the
// machine's own; virtual time is that of package testing/synctest, in an ordinary program.
package clock

import "context"

// Wall runs f on the machine's clock and returns what f returns. The context f gets is ctx.
func Wall(ctx context.Context, f func(ctx context.Context) error) error { return f(ctx) }
