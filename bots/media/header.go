package media

import "encoding/binary"

// header writes the first bytes of the packets of a frame in the payload format of its codec.
type header struct {
	codec         Codec
	width, height uint16 // 14 bits each
	pictureID     uint16 // VP8: 15 bits
	lead          []byte // H264: STAP-A of the parameter sets, up to its trailer
}

func newHeader(v Video, pictureID uint16) header {
	h := header{
		codec: v.Codec, pictureID: pictureID,
		width: uint16(v.Width & 0x3fff), height: uint16(v.Height & 0x3fff),
	}
	if v.Codec == H264 {
		h.lead = h264Lead(v.Width, v.Height)
	}
	return h
}

// h264Lead is a STAP-A of both parameter sets and of a filler unit that the trailer completes:
// a parser that walks through the aggregate finds every length right.
func h264Lead(width, height int) []byte {
	sps, pps := h264ParameterSets(width, height)
	b := []byte{3<<5 | nalSTAPA}
	for _, nal := range [][]byte{sps, pps} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(nal)))
		b = append(b, nal...)
	}
	b = binary.BigEndian.AppendUint16(b, 1+TrailerSize)
	return append(b, nalFiller)
}

// leadLen is the length of a packet of its own in front of the picture; 0 if there is none.
func (h *header) leadLen(key bool) int {
	if !key || len(h.lead) == 0 {
		return 0
	}
	return len(h.lead) + TrailerSize
}

func (h *header) writeLead(b []byte) { copy(b, h.lead) }

// maxLen is the most that write writes.
func (h *header) maxLen() int { return 14 }

// write writes the first bytes of one packet of a picture of the given size.
func (h *header) write(b []byte, key, first, last bool, size int) {
	if h.codec == H264 {
		h.writeH264(b, key, first, last)
		return
	}
	h.writeVP8(b, key, first, size)
}

// writeVP8 writes payload descriptor and, at the start of a frame, frame tag (RFC 6386 §9.1).
func (h *header) writeVP8(b []byte, key, first bool, size int) {
	b[0], b[1] = 0x80, 0x80
	binary.BigEndian.PutUint16(b[2:], h.pictureID|0x8000)
	if !first {
		return
	}
	b[0] |= 0x10
	tag := uint32(1)<<4 | uint32(min(size/4, 1<<19-1))<<5 // shown; length of the first partition
	if !key {
		tag |= 1
	}
	b[4], b[5], b[6] = byte(tag), byte(tag>>8), byte(tag>>16)
	if key {
		b[7], b[8], b[9] = 0x9d, 0x01, 0x2a
		binary.LittleEndian.PutUint16(b[10:], h.width)
		binary.LittleEndian.PutUint16(b[12:], h.height)
	}
}

// writeH264 writes the header of a whole slice or of its fragment (RFC 6184 §5.6, §5.8), and the
// start of a slice header: first macroblock 0, slice type I or P of the whole picture.
func (h *header) writeH264(b []byte, key, first, last bool) {
	nri, kind, slice := byte(2<<5), byte(nalSlice), byte(0x9a)
	if key {
		nri, kind, slice = 3<<5, nalIDR, 0x88
	}
	if first && last {
		b[0], b[1] = nri|kind, slice
		return
	}
	b[0], b[1] = nri|nalFUA, kind
	if first {
		b[1] |= 0x80
		b[2] = slice
	}
	if last {
		b[1] |= 0x40
	}
}

func (h *header) frameDone() { h.pictureID = (h.pictureID + 1) & 0x7fff }
