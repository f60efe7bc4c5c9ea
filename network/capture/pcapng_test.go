package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// mixed are packets of all kinds that a file tells apart.
func mixed() []Packet {
	packets := upgraded().packets
	lost := sent(binding())
	lost.Fate, lost.At = Lost, began().Add(1500*time.Microsecond+7)
	six := received(rtp(111))
	six.Source, six.Destination = netip.MustParseAddrPort("[2001:db8::5]:40000"), netip.MustParseAddrPort("[2001:db8::10]:5000")
	sixth := sent([]byte("odd"))
	sixth.Protocol, sixth.Flags = TCP, PSH|ACK
	sixth.Source, sixth.Destination = six.Destination, six.Source
	blocked := sent(record(21, 0, []byte{2, 40}))
	blocked.Fate = Blocked
	return append(packets, lost, six, sixth, blocked, sent(nil))
}

func TestWritePcapng(t *testing.T) {
	var b bytes.Buffer
	if err := WritePcapng(&b, "people-0", mixed()); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/mixed.pcapng"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s: got other bytes", golden)
	}
	name, got := decode(t, b.Bytes())
	if name != "people-0" {
		t.Errorf("interface: got %q, want people-0", name)
	}
	all := mixed()
	for i := range all {
		if len(all[i].Payload) == 0 {
			all[i].Payload = nil
		}
	}
	if d := cmp.Diff(all, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("decoded (-want +got):\n%s", d)
	}
}

// decode reads back what WritePcapng writes and checks every sum on the way.
func decode(t *testing.T, b []byte) (host string, packets []Packet) {
	t.Helper()
	for len(b) > 0 {
		kind, length := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if length%4 != 0 || binary.LittleEndian.Uint32(b[length-4:]) != length {
			t.Fatalf("block %#x: bad length %d", kind, length)
		}
		body := b[8 : length-4]
		b = b[length:]
		switch kind {
		case blockInterface:
			if link := binary.LittleEndian.Uint16(body); link != linkTypeRaw {
				t.Errorf("got link type %d", link)
			}
			host = string(options(body[8:])[optName])
		case blockPacket:
			size := binary.LittleEndian.Uint32(body[12:])
			p := decodeIP(t, body[20:20+size])
			at := uint64(binary.LittleEndian.Uint32(body[4:]))<<32 | uint64(binary.LittleEndian.Uint32(body[8:]))
			p.At = time.Unix(0, int64(at)).UTC()
			found := options(body[20+(size+3)&^3:])
			if found[optFlags][0] == 1 {
				p.Direction = Received
			}
			for f := Lost; f <= Unreachable; f++ {
				if string(found[optComment]) == f.String() {
					p.Fate = f
				}
			}
			packets = append(packets, p)
		}
	}
	return host, packets
}

func options(b []byte) map[uint16][]byte {
	found := map[uint16][]byte{}
	for len(b) >= 4 {
		code, n := binary.LittleEndian.Uint16(b), int(binary.LittleEndian.Uint16(b[2:]))
		if code == optEnd {
			break
		}
		found[code] = b[4 : 4+n]
		b = b[4+(n+3)&^3:]
	}
	return found
}

func decodeIP(t *testing.T, b []byte) Packet {
	t.Helper()
	var source, destination netip.Addr
	var protocol byte
	if b[0]>>4 == 4 {
		if folded(sumOf(0, b[:20])) != 0 {
			t.Error("bad IPv4 header checksum")
		}
		source, destination, protocol = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		b = b[20:binary.BigEndian.Uint16(b[2:])]
	} else {
		source, destination, protocol = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		b = b[40 : 40+binary.BigEndian.Uint16(b[4:])]
	}
	sum := sumOf(sumOf(uint32(protocol)+uint32(len(b)), source.AsSlice()), destination.AsSlice())
	if folded(sumOf(sum, b)) != 0 {
		t.Error("bad checksum of a segment")
	}
	p := Packet{
		Source:      netip.AddrPortFrom(source, binary.BigEndian.Uint16(b)),
		Destination: netip.AddrPortFrom(destination, binary.BigEndian.Uint16(b[2:])),
	}
	payload := b[8:]
	if protocol == protocolTCP {
		p.Protocol, p.Sequence, p.Acknowledged = TCP, binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint32(b[8:])
		p.Flags = Flags(b[13])
		payload = b[b[12]>>4*4:]
	}
	if len(payload) > 0 {
		p.Payload = payload
	}
	return p
}

func TestWritePcapngLongPayloads(t *testing.T) {
	segment := sent(make([]byte, 150_000))
	segment.Protocol, segment.Sequence = TCP, 7
	var b bytes.Buffer
	if err := WritePcapng(&b, "", []Packet{segment}); err != nil {
		t.Fatal(err)
	}
	_, got := decode(t, b.Bytes())
	total := 0
	for _, p := range got {
		if want := uint32(7 + total); p.Sequence != want {
			t.Errorf("got sequence number %d, want %d", p.Sequence, want)
		}
		total += len(p.Payload)
	}
	if total != 150_000 || len(got) != 3 {
		t.Errorf("got %d bytes in %d packets, want 150000 in 3", total, len(got))
	}
	if err := WritePcapng(&b, "", []Packet{sent(make([]byte, 65_508))}); err == nil {
		t.Error("a datagram longer than IP allows was written")
	}
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestWritePcapngReportsTheWriter(t *testing.T) {
	if err := WritePcapng(broken{}, "x", mixed()); !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %v", err, errBroken)
	}
}
