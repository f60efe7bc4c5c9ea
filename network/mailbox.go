package network

import (
	"net"
	"sync"
)

// mailboxLimit is how many datagrams wait for a program to read its socket, about what a kernel
// buffer of 2 MiB holds. What comes beyond is dropped, as a kernel does.
const mailboxLimit = 1024

// mailbox is where a socket's datagrams wait once they have crossed the link.
type mailbox struct {
	ready chan struct{} // holds a token while somebody may find something

	mu      sync.Mutex // guards what follows
	ring    []*datagram
	head, n int
	err     error // to be reported once
	closed  bool
}

// put adds a datagram and reports whether there was room.
func (m *mailbox) put(p *datagram) bool {
	m.mu.Lock()
	if m.closed || m.n == mailboxLimit {
		m.mu.Unlock()
		return false
	}
	if m.n == len(m.ring) {
		wider := make([]*datagram, max(16, 2*m.n))
		for i := range m.n {
			wider[i] = m.ring[(m.head+i)%m.n]
		}
		m.ring, m.head = wider, 0
	}
	m.ring[(m.head+m.n)%len(m.ring)] = p
	m.n++
	m.mu.Unlock()
	m.signal()
	return true
}

// fail has the next read return an error of the kernel.
func (m *mailbox) fail(err error) {
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
	m.signal()
}

func (m *mailbox) signal() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// poll takes the first datagram; nil without an error means that there is none.
func (m *mailbox) poll() (*datagram, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		err := m.err
		m.err = nil
		return nil, err
	}
	if m.n == 0 {
		return nil, nil
	}
	p := m.ring[m.head]
	m.ring[m.head] = nil
	m.head = (m.head + 1) % len(m.ring)
	if m.n--; m.n > 0 {
		m.signal() // another reader may be waiting
	}
	return p, nil
}

// next waits for a datagram until the deadline or closing.
func (m *mailbox) next(by *deadline, closed <-chan struct{}) (*datagram, error) {
	for {
		late := by.done()
		if isClosed(closed) {
			return nil, net.ErrClosed
		}
		if isClosed(late) {
			return nil, errTimeout()
		}
		if p, err := m.poll(); p != nil || err != nil {
			return p, err
		}
		select {
		case <-m.ready:
		case <-late:
		case <-closed:
		}
	}
}

// close empties the mailbox into the pool and refuses what comes later.
func (m *mailbox) close(pool *datagrams) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for ; m.n > 0; m.n-- {
		pool.put(m.ring[m.head])
		m.ring[m.head] = nil
		m.head = (m.head + 1) % len(m.ring)
	}
}
