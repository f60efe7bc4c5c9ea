package cli

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/peerfleet/peerfleet/network/capture"
	"github.com/peerfleet/peerfleet/scenarios"
)

// traceable tells whether a plan has the peer to be traced, and a network that shows packets.
func traceable(p scenarios.Plan, peer string) error {
	if peer == "" {
		return nil
	}
	if p.Network != "simulated" {
		return errors.New("--trace needs the simulated network; add --network=simulated or --clock=virtual")
	}
	for i := range p.Cells {
		for j := range p.Cells[i].Peers {
			if p.Cells[i].Peers[j].Name == peer {
				return nil
			}
		}
	}
	return fmt.Errorf("--trace %s: no such peer; they are called <group>-<number>, from 0", peer)
}

// captures are the packets of the traced peer, by cell.
type captures struct {
	peer  string
	cells []capturedCell
}

type capturedCell struct {
	cell    int
	packets []capture.Packet
}

func (c *captures) take(cell int, packets []capture.Packet) {
	c.cells = append(c.cells, capturedCell{cell, packets})
}

// write leaves a pcapng file for each cell. They are named like the plots.
func (c *captures) write(dir string) error {
	for _, k := range c.cells {
		name := "trace-" + fileName(c.peer)
		if k.cell > 0 {
			name += fmt.Sprintf("-%d", k.cell+1)
		}
		var b bytes.Buffer
		if err := capture.WritePcapng(&b, c.peer, k.packets); err != nil {
			return fmt.Errorf("write packets of %s: %w", c.peer, err)
		}
		if err := writeWhole(filepath.Join(dir, name+".pcapng"), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
