package clock

import (
	"context"
	"errors"
	"testing"
)

func TestWall(t *testing.T) {
	type key struct{}
	ctx, fault := context.WithValue(context.Background(), key{}, 7), errors.New("fault")
	err := Wall(ctx, func(got context.Context) error {
		if got.Value(key{}) != 7 {
			t.Error("the function got another context")
		}
		return fault
	})
	if !errors.Is(err, fault) {
		t.Errorf("got %v, want the function's error", err)
	}
}
