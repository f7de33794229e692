package e2e
import "testing"
func TestZZ(t *testing.T) {
	b := startBroker(t, 1, "max_inflight_messages=20")
	r := b.connect(t, connect{v: 5, id: "a"})
	b.connect(t, connect{v: 5, id: "a"})
	p, err := r.try(patience)
	t.Log(p, err)
	w := b.connect(t, connect{v: 4, id: "w"})
	w.subscribe(1, "w")
	r = b.connect(t, connect{v: 5, id: "a2", will: &will{topic: "w", payload: "x", qos: 1}})
	r.send(pkt(0xE0, 0x04))
	p, err = r.try(patience)
	t.Log(p, err)
	p, err = w.try(2000000000)
	t.Log(p, err)
	r = b.connect(t, connect{v: 5, id: "a3"})
	b.stop()
	p, err = r.try(patience)
	t.Log(p, err)
}
