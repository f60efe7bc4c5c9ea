package capture

// String is "sent" or "received".
func (d Direction) String() string {
	if d == Received {
		return "received"
	}
	return "sent"
}

// String says in words what became of the packet; "delivered" only means that nothing known
// stopped it.
func (f Fate) String() string {
	switch f {
	case Delivered:
		return "delivered"
	case Lost:
		return "lost"
	case QueueFull:
		return "queue full"
	case Blocked:
		return "blocked"
	case Unreachable:
		return "unreachable"
	}
	return "unknown"
}
