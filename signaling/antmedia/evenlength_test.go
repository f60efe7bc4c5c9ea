package antmedia

import (
	"testing"
)

func TestEvenLength(t *testing.T) {
	for sdp, want := range map[string]string{
		"v=0\r\no=- 12 34 IN IP4 0.0.0.0\r\na=ssrc:7 cname:x\r\n": "v=0\r\no=- 0000000000000000012 34 IN IP4 0.0.0.0\r\na=ssrc:0000000007 cname:x\r\n",
		"o=- 9223372036854775807 1\r\na=ssrc:4294967295 y\r\n":    "o=- 9223372036854775807 1\r\na=ssrc:4294967295 y\r\n",
		"o=\r\no=- x 1\r\na=ssrc-group:FID 1 2\r\n":               "o=\r\no=- x 1\r\na=ssrc-group:FID 1 2\r\n",
		"": "",
	} {
		if got := evenLength(sdp); got != want {
			t.Errorf("%q: got %q, want %q", sdp, got, want)
		}
		if got := evenLength(evenLength(sdp)); got != want {
			t.Errorf("%q: twice gives %q", sdp, got)
		}
	}
}
