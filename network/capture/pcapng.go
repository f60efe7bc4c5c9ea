package capture

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The blocks and options of a pcapng file that are written here
// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6
	byteOrderMagic = 0x1a2b3c4d
	linkTypeRaw    = 101 // a packet begins with its IP header

	optEnd        = 0
	optComment    = 1
	optName       = 2
	optResolution = 9
	optFlags      = 2

	nanoseconds = 9 // 10^-9 s
)

// WritePcapng writes the packets as one interface that bears the host's name, in the order given,
// for Wireshark to open. The IP, UDP and TCP headers are made up from the addresses, with valid
// checksums; a packet that was not delivered says why in its comment, as the file has no field for
// it. A datagram too long for IP is an error, a longer segment is written as several packets.
func WritePcapng(w io.Writer, host string, packets []Packet) error {
	b := bufio.NewWriter(w)
	writeBlock(b, blockSection, sectionBody())
	writeBlock(b, blockInterface, interfaceBody(host))
	for i := range packets {
		parts, err := rawPackets(&packets[i])
		if err != nil {
			return fmt.Errorf("packet %d: %w", i+1, err)
		}
		for _, raw := range parts {
			writeBlock(b, blockPacket, packetBody(&packets[i], raw))
		}
	}
	return b.Flush() // it remembers the first error of all writes
}

// writeBlock leaves errors to the writer's Flush.
func writeBlock(w *bufio.Writer, kind uint32, body []byte) {
	length := uint32(12 + len(body))
	var head [8]byte
	binary.LittleEndian.PutUint32(head[:], kind)
	binary.LittleEndian.PutUint32(head[4:], length)
	for _, part := range [][]byte{head[:], body, head[4:]} {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func sectionBody() []byte {
	b := binary.LittleEndian.AppendUint32(nil, byteOrderMagic)
	b = binary.LittleEndian.AppendUint16(b, 1) // version 1.0
	b = binary.LittleEndian.AppendUint16(b, 0)
	return binary.LittleEndian.AppendUint64(b, ^uint64(0)) // length of the section not given
}

func interfaceBody(host string) []byte {
	b := binary.LittleEndian.AppendUint16(nil, linkTypeRaw)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, 0) // packets are whole
	b = appendOption(b, optName, []byte(host))
	b = appendOption(b, optResolution, []byte{nanoseconds})
	return appendOption(b, optEnd, nil)
}

func packetBody(p *Packet, raw []byte) []byte {
	at := uint64(p.At.UnixNano())
	b := binary.LittleEndian.AppendUint32(nil, 0) // the first interface
	b = binary.LittleEndian.AppendUint32(b, uint32(at>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(at))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(raw)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(raw)))
	b = padded(append(b, raw...))
	flags := uint32(2) // outbound
	if p.Direction == Received {
		flags = 1
	}
	if p.Fate != Delivered {
		b = appendOption(b, optComment, []byte(p.Fate.String()))
	}
	b = appendOption(b, optFlags, binary.LittleEndian.AppendUint32(nil, flags))
	return appendOption(b, optEnd, nil)
}

func appendOption(b []byte, code uint16, value []byte) []byte {
	value = value[:min(len(value), 1<<16-1)]
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return padded(append(b, value...))
}

// padded fills up to 32 bits; all that precedes a value is whole words.
func padded(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
