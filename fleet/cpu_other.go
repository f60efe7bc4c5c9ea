//go:build !unix

package fleet

import (
	"runtime/metrics"
	"time"
)

// processCPU is the CPU time of Go code in this process, as the runtime estimates it.
func processCPU() time.Duration {
	s := []metrics.Sample{{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(s)
	return time.Duration((s[0].Value.Float64() - s[1].Value.Float64()) * float64(time.Second))
}
