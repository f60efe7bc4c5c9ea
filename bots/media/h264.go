package media

// h264ParameterSets is a sequence and a picture parameter set of the baseline profile for the
// given picture size, so that servers and parsers which look find the true resolution.
func h264ParameterSets(width, height int) (sps, pps []byte) {
	mbw, mbh := (width+15)/16, (height+15)/16
	cropX, cropY := uint32(mbw*16-width)/2, uint32(mbh*16-height)/2

	w := bitWriter{b: []byte{3<<5 | nalSPS, 66, 0xc0, 31}} // constrained baseline, level 3.1
	w.ue(0)                                                // seq_parameter_set_id
	w.ue(0)                                                // log2_max_frame_num - 4
	w.ue(2)                                                // pic_order_cnt_type: output in decoding order
	w.ue(1)                                                // max_num_ref_frames
	w.bit(0)                                               // no gaps in frame_num
	w.ue(uint32(mbw) - 1)
	w.ue(uint32(mbh) - 1)
	w.bit(1) // frames only
	w.bit(1) // direct_8x8_inference
	if cropX|cropY == 0 {
		w.bit(0)
	} else {
		w.bit(1)
		w.ue(0)
		w.ue(cropX)
		w.ue(0)
		w.ue(cropY)
	}
	w.bit(0) // no VUI
	sps = w.nal()
	pps = []byte{3<<5 | nalPPS, 0xce, 0x38, 0x80} // set 0, CAVLC, one slice group
	return sps, pps
}

// bitWriter writes the bit syntax of H.264 §7.2 and §9.1.
type bitWriter struct {
	b    []byte
	cur  byte
	used int
}

func (w *bitWriter) bit(v uint32) {
	w.cur = w.cur<<1 | byte(v&1)
	if w.used++; w.used == 8 {
		w.b, w.cur, w.used = append(w.b, w.cur), 0, 0
	}
}

// ue writes an unsigned exponential-Golomb code.
func (w *bitWriter) ue(v uint32) {
	v++
	n := 0
	for v>>n > 1 {
		n++
	}
	for range n {
		w.bit(0)
	}
	for i := n; i >= 0; i-- {
		w.bit(v >> i)
	}
}

// nal ends the unit and keeps start codes out of it (H.264 §7.4.1).
func (w *bitWriter) nal() []byte {
	w.bit(1)
	for w.used != 0 {
		w.bit(0)
	}
	out := make([]byte, 0, len(w.b)+2)
	zeros := 0
	for _, c := range w.b {
		if zeros == 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
		out = append(out, c)
	}
	return out
}
