package antmedia

import (
	"errors"
	"fmt"
)

// ErrServiceStopping ends a session whose server has announced that it stops.
var ErrServiceStopping = errors.New("the service is stopping")

// ErrSessionEnded is what the methods of a session return once it has ended without a fault.
var ErrSessionEnded = errors.New("the session has ended")

// ServiceError is a refusal by the service, in the service's own words.
type ServiceError struct {
	Definition  string // the protocol's name of the fault, such as "NoSpaceForNewPeer"
	StreamID    string // what was refused; may be empty
	Information string // advice from the service; may be empty
}

// Error names the fault, what it concerns and the service's advice.
func (e *ServiceError) Error() string {
	s := "service says " + e.Definition
	if e.StreamID != "" {
		s += fmt.Sprintf(" for %q", e.StreamID)
	}
	if e.Information != "" {
		s += ": " + e.Information
	}
	return s
}

// ServiceError is the definition: callers that know no dialect look for this method.
func (e *ServiceError) ServiceError() string { return e.Definition }

// StatusError is an HTTP answer that is no WebSocket upgrade.
type StatusError struct {
	Code int // the HTTP status
}

// Error tells the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("websocket upgrade refused with HTTP status %d", e.Code)
}

// StatusCode is the HTTP status: callers that know no dialect look for this method.
func (e *StatusError) StatusCode() int { return e.Code }
