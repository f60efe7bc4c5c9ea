package bots

import (
	"testing"
	"time"
)

func TestDataMessage(t *testing.T) {
	m := dataMessage{kind: dataPing, from: 7, target: 9, seq: 1 << 20, sent: time.Unix(12, 345)}
	b := m.append(nil, 100)
	if len(b) != 100 {
		t.Errorf("got %d bytes, want the planned 100", len(b))
	}
	if got, ok := parseData(b); !ok || got != m {
		t.Errorf("got %+v %v, want %+v", got, ok, m)
	}
	if b := m.append(nil, 0); len(b) != dataHeader {
		t.Errorf("got %d bytes, want at least the header's %d", len(b), dataHeader)
	}
	for name, broken := range map[string][]byte{
		"empty": nil, "short": b[:dataHeader-1], "other magic": append([]byte("JSON"), b[4:]...),
		"text": []byte(`{"eventType":"MIC_MUTED","streamId":"a"}`),
	} {
		if _, ok := parseData(broken); ok {
			t.Errorf("%s: a message of someone else's was taken for a ping", name)
		}
	}
}

func FuzzParseData(f *testing.F) {
	f.Add(dataMessage{kind: dataPong, from: 1, target: 2, seq: 3, sent: time.Unix(4, 5)}.append(nil, 64))
	f.Add([]byte("PFDC"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := parseData(b)
		if !ok {
			return
		}
		if again, ok := parseData(m.append(nil, len(b))); !ok || again != m {
			t.Errorf("got %+v after a round trip, want %+v", again, m)
		}
	})
}
