package fleet

import (
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/peerfleet/peerfleet/metrics"
)

// hostInfo describes this machine as far as it tells.
func hostInfo() metrics.HostInfo {
	return metrics.HostInfo{
		CPUs: runtime.NumCPU(), CPU: fieldOf("/proc/cpuinfo", "model name"),
		OS: runtime.GOOS, Arch: runtime.GOARCH, Kernel: firstLine("/proc/sys/kernel/osrelease"),
	}
}

// residentMemory is what the process occupies, in bytes: from the kernel where it tells, else
// what the Go runtime has asked for.
func residentMemory() int64 {
	if kb, ok := strings.CutSuffix(fieldOf("/proc/self/status", "VmRSS"), " kB"); ok {
		if n, err := strconv.ParseInt(strings.TrimSpace(kb), 10, 64); err == nil {
			return n << 10
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}

// socketDrops is how many datagrams the open sockets of this process have lost at full receive
// buffers; 0 where the kernel does not tell. Others on the machine have losses of their own, so
// the kernel's totals do not do.
func socketDrops() uint64 {
	own := ownSockets()
	var drops uint64
	for _, table := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line) // … uid timeout inode ref pointer drops
			if len(f) < 13 || !own[f[9]] {
				continue
			}
			n, _ := strconv.ParseUint(f[12], 10, 64) // no number: nothing is known
			drops += n
		}
	}
	return drops
}

// ownSockets are the inodes of this process's sockets.
func ownSockets() map[string]bool {
	own := map[string]bool{}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return own
	}
	for _, f := range files {
		target, err := os.Readlink("/proc/self/fd/" + f.Name())
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			own[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return own
}

// fieldOf is the value of the first "name : value" line of a kernel file, "" when there is none.
func fieldOf(file, name string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func firstLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}
