package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
)

// churner subscribes and unsubscribes until the broker ends. What was
// acknowledged must be so after the restart, the last one may.
type churner struct {
	rig     *rig
	c       connect
	rnd     *rand.Rand
	granted [churnTopics]int // QoS, -1 = not subscribed
	tried   int              // which topic was last tried without an answer, -1 = none
	to      int              // what would be granted then
}

const churnTopics = 8

func newChurner(r *rig) *churner {
	x := &churner{rig: r, c: lasting(5, "churner", 0), rnd: rand.New(rand.NewPCG(rand.Uint64(), 1)), tried: -1}
	for i := range x.granted {
		x.granted[i] = -1
	}
	c := r.b.connect(r.t, x.c)
	c.subscribe(1, "c/end")
	c.leave()
	return x
}

// begin goes to work until stop is called, after the broker has ended. A client
// with a clean session is there meanwhile, too.
func (x *churner) begin() (stop func()) {
	clean := x.rig.b.connect(x.rig.t, connect{v: 4, id: "clean"})
	clean.subscribe(1, "t/#")
	w, err := x.rig.open(x.c, true)
	if err != nil {
		x.rig.t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for n := uint16(1); ; n++ {
			i, to := x.rnd.IntN(churnTopics), x.rnd.IntN(4)-1
			x.tried, x.to = i, to
			topic := fmt.Sprint("c/", i)
			if to < 0 {
				w.send(pkt(0xA2, id(n), 0, topic))
			} else {
				w.send(pkt(0x82, id(n), 0, topic, to))
			}
			p, ok := <-w.in
			if !ok || p.head == 0xE0 {
				return
			}
			if k, m, _ := p.ack(); k != 0x90 && k != 0xB0 || m != n {
				x.rig.fault("churner: got %v", p)
			}
			x.granted[i], x.tried = to, -1
		}
	})
	return func() {
		done.Wait()
		w.close()
		clean.drop()
	}
}

// check publishes to all topics and looks which messages come.
func (x *churner) check() {
	r := x.rig
	gone := r.b.connect(r.t, connect{v: 4, id: "clean", keep: true})
	if gone.present {
		r.fault("the clean session is still there")
	}
	gone.leave()
	r.b.connect(r.t, connect{v: 4, id: "clean"}).leave() // and it is clean again
	to := r.b.connect(r.t, x.c)
	if !to.present {
		r.fault("churner: no session")
	}
	from := r.b.connect(r.t, connect{v: 5, id: "prober"})
	for i := range churnTopics {
		from.pub(publish{topic: fmt.Sprint("c/", i), payload: fmt.Sprint(r.cycle.Load()), qos: 2})
	}
	from.pub(publish{topic: "c/end", payload: "end", qos: 1})
	from.leave()
	var found [churnTopics]int
	for i := range found {
		found[i] = -1
	}
	for p := to.recv(); ; p = to.recv() {
		to.take(p)
		if p.topic == "c/end" {
			break
		}
		var i int
		_, _ = fmt.Sscanf(p.topic, "c/%d", &i)
		if found[i] != -1 || p.payload != fmt.Sprint(r.cycle.Load()) {
			r.fault("churner: got %+v", p)
		}
		found[i] = int(p.qos)
	}
	to.quiet()
	to.leave()
	for i, qos := range found {
		if qos != x.granted[i] && (i != x.tried || qos != x.to) {
			r.fault("churner: c/%d comes with QoS %d, granted was %d, tried %d as %d", i, qos, x.granted[i], x.tried, x.to)
		}
	}
	x.granted, x.tried = found, -1
}
