// Package metrics records what a run measures, merges it exactly, judges it by thresholds, and
// holds the run document. It does not know what a packet or a peer is.
package metrics

import (
	"encoding/json"
	"fmt"
	"math"
)

// Tags say what an entry is about. Empty fields are absent.
type Tags struct {
	Group     string `json:"group,omitempty"`
	Room      string `json:"room,omitempty"`
	Peer      string `json:"peer,omitempty"`
	Topology  string `json:"topology,omitempty"`
	Kind      string `json:"kind,omitempty"` // audio, video
	Path      string `json:"path,omitempty"` // direct, relay
	Direction string `json:"direction,omitempty"`
	Candidate string `json:"candidate,omitempty"`
	Cell      string `json:"cell,omitempty"`
}

// Value is a number that may be missing: NaN stands for null in JSON.
type Value float64

// Missing is the value of what was not measured.
func Missing() Value { return Value(math.NaN()) }

// Valid tells whether there is a number.
func (v Value) Valid() bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// MarshalJSON writes null for a missing value.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.Valid() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(v))
}

// UnmarshalJSON reads null as a missing value.
func (v *Value) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*v = Missing()
		return nil
	}
	if err := json.Unmarshal(b, (*float64)(v)); err != nil {
		return fmt.Errorf("%.20s where a number or null belongs", b)
	}
	return nil
}
