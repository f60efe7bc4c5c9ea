package media

import (
	"encoding/binary"
	"hash/crc32"
)

// TrailerSize is the length in bytes of a Trailer on the wire.
const TrailerSize = 40

const (
	trailerMagic   = "PFLT"
	trailerVersion = 1
	flagKey        = 1 << 0
	flagLast       = 1 << 1
)

// Trailer is what the last 40 bytes of every video payload say about the frame they belong to,
// so that a receiver can judge it without decoding. It passes through whatever forwards payloads
// unchanged. On the wire, in network byte order: magic "PFLT", version, flags (1: keyframe,
// 2: last packet), 2 zero bytes, stream, frame, index and count of the packet (16 bits each),
// capture time, reference, 4 zero bytes, CRC-32 (IEEE) of all that.
type Trailer struct {
	Key       bool
	Stream    uint32 // number of the sending stream, unique in a run
	Frame     uint32 // counts up by one with every frame of the stream
	Packet    uint16 // index in the frame, from 0
	Packets   uint16 // packets of the frame
	CaptureNS int64  // when the frame was made, nanoseconds since the Unix epoch
	Ref       uint32 // frame that must be decoded first; a keyframe names itself
}

// AppendTo appends the 40 bytes to b and returns the longer slice. It allocates only if b has no
// room.
func (t Trailer) AppendTo(b []byte) []byte {
	start := len(b)
	b = append(b, trailerMagic...)
	b = append(b, trailerVersion, t.flags(), 0, 0)
	b = binary.BigEndian.AppendUint32(b, t.Stream)
	b = binary.BigEndian.AppendUint32(b, t.Frame)
	b = binary.BigEndian.AppendUint16(b, t.Packet)
	b = binary.BigEndian.AppendUint16(b, t.Packets)
	b = binary.BigEndian.AppendUint64(b, uint64(t.CaptureNS))
	b = binary.BigEndian.AppendUint32(b, t.Ref)
	b = append(b, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[start:]))
}

func (t Trailer) flags() byte {
	var f byte
	if t.Key {
		f |= flagKey
	}
	if uint32(t.Packet)+1 == uint32(t.Packets) {
		f |= flagLast
	}
	return f
}

// ParseTrailer reads the trailer at the end of a payload. It reports false for anything that
// AppendTo does not write: a payload of another sender, of another version, or damaged.
func ParseTrailer(payload []byte) (Trailer, bool) {
	if len(payload) < TrailerSize {
		return Trailer{}, false
	}
	b := payload[len(payload)-TrailerSize:]
	if string(b[:4]) != trailerMagic || b[4] != trailerVersion {
		return Trailer{}, false
	}
	if crc32.ChecksumIEEE(b[:36]) != binary.BigEndian.Uint32(b[36:]) {
		return Trailer{}, false
	}
	t := Trailer{
		Key:       b[5]&flagKey != 0,
		Stream:    binary.BigEndian.Uint32(b[8:]),
		Frame:     binary.BigEndian.Uint32(b[12:]),
		Packet:    binary.BigEndian.Uint16(b[16:]),
		Packets:   binary.BigEndian.Uint16(b[18:]),
		CaptureNS: int64(binary.BigEndian.Uint64(b[20:])),
		Ref:       binary.BigEndian.Uint32(b[28:]),
	}
	reserved := binary.BigEndian.Uint16(b[6:]) != 0 || binary.BigEndian.Uint32(b[32:]) != 0
	if reserved || b[5] != t.flags() || t.Packet >= t.Packets {
		return Trailer{}, false
	}
	return t, true
}
