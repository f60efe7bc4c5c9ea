package metrics

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The HDR V2 encoding is written and read here, and not by an HDR library, because run documents
// may be hostile: only the one layout is accepted, nothing larger than it is inflated, and memory
// is taken only where there are samples. Tests hold it equal to the library's, byte for byte.
const (
	hdrCookie           = 0x1c849303 | 0x10
	hdrCompressedCookie = 0x1c849304 | 0x10
	hdrCookieMask       = ^uint32(0xf0)
	hdrHeader           = 40
	hdrMaxPayload       = histSlots * 9 // a count is at most nine bytes
	hdrMaxText          = 4 * (hdrMaxPayload + hdrHeader + 1024) / 3
)

// MarshalText writes the HDR V2 encoding, compressed and in base64, as other HDR implementations
// read it. The same counts give the same bytes.
func (h *Hist) MarshalText() ([]byte, error) {
	counts := h.appendCounts(nil)
	header := binary.BigEndian.AppendUint32(nil, hdrCookie)
	header = binary.BigEndian.AppendUint32(header, uint32(len(counts)))
	header = binary.BigEndian.AppendUint32(header, 0) // normalizing offset
	header = binary.BigEndian.AppendUint32(header, histDigits)
	header = binary.BigEndian.AppendUint64(header, histLowest)
	header = binary.BigEndian.AppendUint64(header, histHighest)
	header = binary.BigEndian.AppendUint64(header, math.Float64bits(1)) // conversion ratio

	var body bytes.Buffer
	z, err := zlib.NewWriterLevel(&body, zlib.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	_, headErr := z.Write(header)
	_, bodyErr := z.Write(counts)
	if err := errors.Join(headErr, bodyErr, z.Close()); err != nil {
		return nil, fmt.Errorf("histogram: %w", err)
	}
	out := binary.BigEndian.AppendUint32(nil, hdrCompressedCookie)
	out = binary.BigEndian.AppendUint32(out, uint32(body.Len()))
	return base64.StdEncoding.AppendEncode(nil, append(out, body.Bytes()...)), nil
}

// appendCounts writes the counts up to the last one, runs of zeros as one negative number.
func (h *Hist) appendCounts(b []byte) []byte {
	next := 0
	h.Each(func(us int64, n uint32) {
		i := histIndex(us)
		switch gap := i - next; {
		case gap == 1:
			b = appendZigZag(b, 0)
		case gap > 1:
			b = appendZigZag(b, -int64(gap))
		}
		b = appendZigZag(b, int64(n))
		next = i + 1
	})
	if next == 0 {
		b = appendZigZag(b, 0)
	}
	return b
}

// appendZigZag differs from binary.AppendVarint only beyond 56 bits, which no count here has.
func appendZigZag(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// UnmarshalText reads what MarshalText or another HDR implementation wrote with the same layout.
// Values come back as the highest of their slot, so sum, minimum and maximum are exact only to
// three digits; an Entry carries them exactly. On an error the histogram is unchanged.
func (h *Hist) UnmarshalText(text []byte) error {
	if len(text) > hdrMaxText {
		return errors.New("histogram: too large")
	}
	raw, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	if len(raw) < 8 {
		return errors.New("histogram: too short")
	}
	if binary.BigEndian.Uint32(raw)&hdrCookieMask != hdrCompressedCookie&hdrCookieMask {
		return errors.New("histogram: not in HDR V2 compressed encoding")
	}
	size := int64(binary.BigEndian.Uint32(raw[4:]))
	if size > int64(len(raw)-8) {
		return errors.New("histogram: cut short")
	}
	counts, err := inflateCounts(raw[8 : 8+size])
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	read := NewHist()
	if err := read.readCounts(counts); err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	*h = *read
	return nil
}

// inflateCounts checks the header before it inflates the rest, and that no further than the
// header said.
func inflateCounts(b []byte) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var header [hdrHeader]byte
	if _, err := io.ReadFull(z, header[:]); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	word := func(at int) uint32 { return binary.BigEndian.Uint32(header[at:]) }
	switch {
	case word(0)&hdrCookieMask != hdrCookie&hdrCookieMask:
		return nil, errors.New("not in HDR V2 encoding")
	case word(4) > hdrMaxPayload:
		return nil, fmt.Errorf("%d bytes of counts are more than the layout has", word(4))
	case word(12) != histDigits, binary.BigEndian.Uint64(header[16:]) != histLowest,
		binary.BigEndian.Uint64(header[24:]) != histHighest:
		return nil, fmt.Errorf("layout is not %d to %d with %d digits", histLowest, int64(histHighest), histDigits)
	}
	counts, err := io.ReadAll(io.LimitReader(z, int64(word(4))+1))
	if err != nil {
		return nil, err
	}
	if len(counts) != int(word(4)) {
		return nil, fmt.Errorf("header promises %d bytes of counts, there are others", word(4))
	}
	return counts, z.Close()
}

func (h *Hist) readCounts(b []byte) error {
	for i := 0; len(b) > 0; {
		n, size := readZigZag(b)
		if size == 0 {
			return errors.New("counts end within a number")
		}
		b = b[size:]
		switch {
		case n < -histSlots || n < 0 && i-int(n) > histSlots:
			return errors.New("zeros beyond the layout")
		case n < 0:
			i -= int(n)
			continue
		case i >= histSlots:
			return errors.New("count beyond the layout")
		case n > math.MaxUint32:
			return fmt.Errorf("count %d is too large", n)
		}
		h.RecordN(histValue(i), uint32(n))
		i++
	}
	if h.sum == math.MaxInt64 {
		return errors.New("counts are too large")
	}
	return nil
}

// readZigZag reads a number of at most nine bytes, the ninth of which has eight bits; size is 0
// when the bytes end before it.
func readZigZag(b []byte) (v int64, size int) {
	var u uint64
	for i, c := range b {
		if i == 8 {
			u |= uint64(c) << 56
			return int64(u>>1) ^ -int64(u&1), 9
		}
		u |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}
