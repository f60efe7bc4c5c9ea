package antmedia

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/peerfleet/peerfleet/signaling"
	"github.com/peerfleet/peerfleet/signaling/signalingtest"
)

func offer(id string) object {
	return object{"command": "takeConfiguration", "streamId": id, "type": "offer", "sdp": signalingtest.SDP("audio", "video", "application")}
}

func answer(id string) object {
	o := offer(id)
	o["type"] = "answer"
	return o
}

func TestTwoPeers(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		first, second := b.page(), b.page()
		first.say("join", "r")
		first.want("notification joined r")
		second.say("join", "r")
		second.want("notification joined r")
		first.want("start r")

		first.send(offer("r"))
		first.send(candidate("r", "candidate:a", "0", 0))
		second.want("takeConfiguration offer r map[0:ARDAMSar 1:ARDAMSvr]", "takeCandidate r candidate:a")
		second.send(answer("r"))
		second.send(candidate("r", "candidate:b", "0", 0))
		first.want("takeConfiguration answer r map[0:ARDAMSar 1:ARDAMSvr]", "takeCandidate r candidate:b")
		second.send(object{"command": "peerMessageCommand", "streamId": "r", "definition": "chat", "data": object{"n": 1}})
		if d := cmp.Diff(map[string]any{"n": 1.0}, first.last()["data"]); d != "" {
			t.Errorf("relayed data (-want +got):\n%s", d)
		}
		first.want("peerMessageCommand chat r")

		third := b.page()
		third.say("join", "r")
		third.want("error NoSpaceForNewPeer r")

		second.say("leave", "r")
		second.want("notification leaved r")
		first.want("stop r")
		first.send(candidate("r", "candidate:late", "0", 0)) // crossed the stop
		first.want()
		second.send(candidate("r", "candidate:late", "0", 0)) // after its own leave
		second.say("leave", "r")
		second.want()

		second.say("join", "r")
		first.want("start r")
		second.want("notification joined r")
		first.send(candidate("r", "candidate:late", "0", 0)) // of the first call
		second.want()
		first.send(offer("r"))
		second.want("takeConfiguration offer r map[0:ARDAMSar 1:ARDAMSvr]")

		_ = second.conn.Close()
		first.want("stop r")
		first.send(answer("r"))
		first.want()
		third.say("join", "r")
		third.want("notification joined r")
		first.want("start r")
	})
}

func TestNoPeer(t *testing.T) {
	for name, send := range map[string]object{
		"offer":     offer("r"),
		"candidate": candidate("r", "candidate:a", "0", 0),
		"message":   {"command": "peerMessageCommand", "streamId": "r", "definition": "chat"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(b *bench) {
				p := b.page()
				p.send(send)
				p.want("error no_peer_associated_before r")
				p.say("join", "r")
				p.want("notification joined r")
				p.send(send)
				p.want("error no_peer_associated_before r")
			})
		})
	}
}

func TestOfferAgainstOpenOffer(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		first, second := b.page(), b.page()
		first.say("join", "r")
		first.want("notification joined r")
		second.say("join", "r")
		first.want("start r")
		second.want("notification joined r")
		first.send(offer("r"))
		second.want("takeConfiguration offer r map[0:ARDAMSar 1:ARDAMSvr]")
		second.send(offer("r"))
		first.want()
		second.send(answer("r"))
		first.want("takeConfiguration answer r map[0:ARDAMSar 1:ARDAMSvr]")
		second.send(offer("r"))
		first.want("takeConfiguration offer r map[0:ARDAMSar 1:ARDAMSvr]")
		second.send(answer("r")) // to its own
		first.want()
	})
}

func TestSeatOfADeadPeer(t *testing.T) {
	inBubble(t, Config{}, func(b *bench) {
		first, dead := b.page(), b.page()
		first.say("join", "r")
		first.want("notification joined r")
		dead.say("join", "r")
		first.want("start r")
		next := b.page()
		for range 4 { // the first stays alive, the other is silent
			first.send(object{"command": "ping"})
			next.say("join", "r")
			next.want("error NoSpaceForNewPeer r")
			time.Sleep(2 * time.Second)
		}
		first.send(object{"command": "ping"})
		next.say("join", "r")
		next.want("notification joined r")
		first.want("pong", "pong", "pong", "pong", "pong", "stop r", "start r")
		if !dead.isLost() {
			t.Error("the dead peer's socket is still open")
		}
	})
}

func TestMeshOfFour(t *testing.T) {
	inBubble(t, Config{Mesh: true, MeshLimit: 4}, func(b *bench) {
		join := func(name string) *page {
			p := b.page()
			p.send(object{"command": "join", "streamId": "m", "multiPeer": false, "mode": "both", "streamName": name})
			return p
		}
		a := join("a")
		a.want("notification joined m")
		c := join("c")
		c.want("notification joined m")
		a.want("start m_c")
		anonymous := join("") // a browser
		anonymous.want("notification joined m")
		a.want("start m_1")
		c.want("start m_1")
		a2 := join("a") // a name that is taken
		a2.want("notification joined m")
		a.want("start m_2")
		c.want("start m_2")
		anonymous.want("start m_2")

		a.send(offer("m_c"))
		c.want("takeConfiguration offer m_a map[0:ARDAMSam_a 1:ARDAMSvm_a]")
		c.send(answer("m_a"))
		c.send(candidate("m_a", "candidate:c", "1", 1))
		a.want("takeConfiguration answer m_c map[0:ARDAMSam_c 1:ARDAMSvm_c]", "takeCandidate m_c candidate:c")
		c.send(object{"command": "peerMessageCommand", "streamId": "m_1", "definition": "to one"})
		anonymous.want("peerMessageCommand to one m_c")
		c.send(object{"command": "peerMessageCommand", "streamId": "m", "definition": "to all"})
		a.want("peerMessageCommand to all m_c")
		anonymous.want("peerMessageCommand to all m_c")
		a2.want("peerMessageCommand to all m_c")
		a.send(offer("m_nobody"))
		a.want()

		fifth := join("e")
		if info, _ := fifth.last()["information"].(string); info == "" {
			t.Error("a full mesh gives no advice")
		}
		fifth.want("error NoSpaceForNewPeer m")

		want := []Room{{Name: "m", Topology: signaling.TopologyMesh, Members: []string{"a", "c", "1", "2"}}}
		if d := cmp.Diff(want, b.server.Rooms()); d != "" {
			t.Errorf("rooms (-want +got):\n%s", d)
		}

		c.say("leave", "m")
		c.want("stop m_a", "stop m_1", "stop m_2", "notification leaved m")
		a.want("stop m_c")
		anonymous.want("stop m_c")
		a2.want("stop m_c")
		a.send(candidate("m_c", "candidate:late", "0", 0))
		a.want()
		_ = a.conn.Close()
		anonymous.want("stop m_a")
	})
}

func TestTopologyByRoom(t *testing.T) {
	config := Config{Topology: func(room string) (int, bool) { return 3, room == "mesh" }}
	inBubble(t, config, func(b *bench) {
		for room, refused := range map[string]int{"mesh": 4, "pair": 3} {
			for i := 1; i <= refused; i++ {
				p := b.page()
				p.say("join", room)
				if i < refused {
					p.want("notification joined " + room)
				} else {
					p.want("error NoSpaceForNewPeer " + room)
				}
			}
		}
		synctest.Wait()
	})
}

// TestAmbiguousMembers has meshes whose members would have one ID between them.
func TestAmbiguousMembers(t *testing.T) {
	inBubble(t, Config{Mesh: true}, func(b *bench) {
		join := func(p *page, room, name string) {
			p.send(object{"command": "join", "streamId": room, "streamName": name})
		}
		both, one, two := b.page(), b.page(), b.page()
		join(both, "a", "x")
		join(both, "a_b", "x")
		both.want("notification joined a", "notification joined a_b")
		join(one, "a", "b_c")
		one.want("notification joined a")
		both.want("start a_b_c")
		join(two, "a_b", "c")
		two.want("notification joined a_b")
		both.want("start a_b_1") // not a_b_c, which is in use
		both.send(offer("a_b_c"))
		one.want("takeConfiguration offer a_x map[0:ARDAMSaa_x 1:ARDAMSva_x]")
		both.send(offer("a_b_1"))
		two.want("takeConfiguration offer a_b_x map[0:ARDAMSaa_b_x 1:ARDAMSva_b_x]")
		third := b.page()
		join(third, "a", "b") // is the other room
		third.want("notification joined a")
		both.want("start a_2")
		one.want("start a_2")

		join(one, "a_x", "y")
		one.want("error streamIdInUse a_x")
		join(two, "c", "d_e")
		two.want("notification joined c")
		join(both, "c_d", "e")
		both.want("notification joined c_d")
		other := b.page()
		join(other, "c", "v")
		other.want("notification joined c")
		two.want("start c_v")
		join(other, "c_d", "u") // there is an e, and here a d_e
		other.want("error streamIdInUse c_d")
	})
}
