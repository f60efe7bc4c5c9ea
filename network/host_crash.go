package network

// Crash closes everything the host has open: see the Host interface. What closing says is of no
// use to who crashes.
func (h *socketHost) Crash() {
	h.mu.Lock()
	left := make([]opened, 0, len(h.opened))
	for o := range h.opened {
		left = append(left, o)
	}
	h.mu.Unlock()
	for _, o := range left {
		_ = o.Close()
	}
}
