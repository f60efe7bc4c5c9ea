package network

import (
	"errors"
	"net"
	"time"
)

// Close ends waiting calls with net.ErrClosed. Bytes already written arrive first, if that takes
// no longer than a second.
func (s *stream) Close() error {
	s.mu.Lock()
	if isClosed(s.closed) {
		s.mu.Unlock()
		return s.fault("close", net.ErrClosed)
	}
	close(s.closed)
	out := s.out.Load()
	var err error
	if out == nil || s.carried {
		err = s.tcp.Close()
	} else {
		s.drainBy.set(time.Now().Add(linger)) // the carrier closes the connection
		err = errors.Join(s.tcp.SetWriteDeadline(time.Now().Add(linger)), s.tcp.SetReadDeadline(past()))
		out.finish(net.ErrClosed)
	}
	s.mu.Unlock()
	s.host.forget(s)
	s.readBy.stop()
	s.writeBy.stop()
	return err
}

// CloseWrite has the peer read the end of the stream after what was written.
func (s *stream) CloseWrite() error {
	s.mu.Lock()
	out := s.out.Load()
	s.writeOff = true
	s.mu.Unlock()
	if out == nil {
		return s.tcp.CloseWrite()
	}
	out.finish(net.ErrClosed)
	return nil
}

// CloseRead ends reading at the kernel.
func (s *stream) CloseRead() error { return s.tcp.CloseRead() }

// LocalAddr is the kernel's.
func (s *stream) LocalAddr() net.Addr { return s.tcp.LocalAddr() }

// RemoteAddr is the kernel's.
func (s *stream) RemoteAddr() net.Addr { return s.tcp.RemoteAddr() }

// SetDeadline sets both deadlines.
func (s *stream) SetDeadline(t time.Time) error {
	if err := s.SetReadDeadline(t); err != nil {
		return err
	}
	return s.SetWriteDeadline(t)
}

// SetReadDeadline applies to waiting reads too.
func (s *stream) SetReadDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(s.closed) {
		return s.fault("set", net.ErrClosed)
	}
	s.readAt = t
	if s.in.Load() == nil {
		return s.tcp.SetReadDeadline(t)
	}
	s.readBy.set(t)
	return nil
}

// SetWriteDeadline applies to waiting writes too.
func (s *stream) SetWriteDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(s.closed) {
		return s.fault("set", net.ErrClosed)
	}
	s.writeAt = t
	if s.out.Load() == nil {
		return s.tcp.SetWriteDeadline(t)
	}
	s.writeBy.set(t)
	return nil
}

// SetLinger is the kernel's.
func (s *stream) SetLinger(sec int) error { return s.tcp.SetLinger(sec) }

// SetKeepAlive is the kernel's.
func (s *stream) SetKeepAlive(on bool) error { return s.tcp.SetKeepAlive(on) }

// SetKeepAlivePeriod is the kernel's.
func (s *stream) SetKeepAlivePeriod(d time.Duration) error { return s.tcp.SetKeepAlivePeriod(d) }

// SetNoDelay is the kernel's.
func (s *stream) SetNoDelay(on bool) error { return s.tcp.SetNoDelay(on) }

// SetReadBuffer sizes the kernel's buffer.
func (s *stream) SetReadBuffer(bytes int) error { return s.tcp.SetReadBuffer(bytes) }

// SetWriteBuffer sizes the kernel's buffer.
func (s *stream) SetWriteBuffer(bytes int) error { return s.tcp.SetWriteBuffer(bytes) }
