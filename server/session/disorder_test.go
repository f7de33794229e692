package session

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"testing"
)

var disorders = flag.Int("disorders", 200, "how many runs TestDisorder makes")

// TestDisorder lets clients come and go while the store is slow and the process
// crashes: without limits every message that does not expire comes, those of QoS 2
// once. With limits nothing is removed twice or left behind.
func TestDisorder(t *testing.T) {
	for i := range *disorders {
		seed := uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) { disorder(t, seed) })
	}
}

// taker is a client that takes messages: what it has got, by payload.
type taker struct {
	name, how string
	online    bool
	qos       int
	got       map[string]int
	unrel     map[string]bool // packet identifiers of QoS 2 not released
	owes      []string
	drops     int
	ended     bool // its session has ended at least once
}

// disorder makes one run. With -v the trail of one that fails has what was said, too.
func disorder(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	w := newWorld()
	w.store.slow = true
	var trail []string
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, p, strings.Join(trail, "\n"), debug.Stack())
		}
	}()
	limited := r.IntN(2) == 0
	w.limits.MaxOnline, w.limits.MaxOffline = -1, -1
	if limited {
		w.limits.MaxOnline, w.limits.MaxOffline = r.IntN(300), r.IntN(300)
		w.limits.OverrideMaxOnline = r.IntN(2) == 0
	}
	w.limits.LIFO = r.IntN(2) == 0
	w.limits.MaxInflight = 1 + r.IntN(30)
	trail = append(trail, fmt.Sprintf("%+v", w.limits))
	takers := map[string]*taker{}
	names := []string{"a", "b", "c"}
	hear := func() {
		w.flush()
		for _, s := range w.said {
			if testing.Verbose() {
				trail = append(trail, "    "+s)
			}
			f := strings.Fields(s)
			if strings.HasPrefix(f[0], "@") {
				f = f[1:]
			}
			x := takers[f[0]]
			if x == nil || len(f) < 3 {
				continue
			}
			if f[1] == "dropped" {
				x.drops++
			}
			switch f[2] {
			case "PUBLISH":
				id, payload := f[6][1:], f[8]
				switch f[3] {
				case "q1":
					x.got[payload]++
					x.owes = append(x.owes, "puback "+id)
				case "q2":
					if !x.unrel[id] {
						x.unrel[id] = true
						x.got[payload]++
					}
					x.owes = append(x.owes, "pubrec "+id)
				}
			case "PUBREL":
				delete(x.unrel, f[3][1:])
				x.owes = append(x.owes, "pubcomp "+f[3][1:])
			}
		}
		w.said = nil
	}
	do := func(format string, a ...any) {
		line := fmt.Sprintf(format, a...)
		trail = append(trail, line)
		if err := w.run(strings.Fields(line)); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, strings.Join(trail, "\n"))
		}
		hear()
	}
	one := func() {
		if n := len(w.store.reads); n > 0 {
			trail = append(trail, "one")
			f := w.store.reads[0]
			w.store.reads = w.store.reads[1:]
			f()
			hear()
		}
	}
	connect := func(x *taker) {
		do("%s connect %s", x.name, x.how)
		x.online = true
	}
	for i, n := range names {
		x := &taker{name: n, how: "v4 persistent", qos: 1 + r.IntN(2), got: map[string]int{}, unrel: map[string]bool{}}
		if i == 1 {
			x.how = fmt.Sprintf("v5 persistent expiry=100000 rmax=%d", 1+r.IntN(20))
		}
		takers[n] = x
		connect(x)
		do("%s sub 1 t,%d", n, x.qos)
		if r.IntN(2) == 0 {
			do("%s sub 1 $share/g/s,%d", n, x.qos)
		}
	}
	do("p connect v5")
	next := 0
	type sent struct {
		topic   string
		qos     int
		expires bool
	}
	all := map[string]sent{}
	id := 0
	publish := func() {
		next++
		topic := "t"
		if r.IntN(4) == 0 {
			topic = "s"
		}
		m := sent{topic, 1 + r.IntN(2), r.IntN(10) == 0}
		all[fmt.Sprintf("%q", fmt.Sprint(next))] = m
		id = id%60000 + 1
		expiry := ""
		if m.expires {
			expiry = fmt.Sprintf(" expiry=%d", 1+r.IntN(4))
		}
		do("p pub %s %d q=%d id=%d%s", topic, next, m.qos, id, expiry)
		if m.qos == 2 {
			do("p pubrel %d", id)
		}
	}
	ack := func(x *taker) {
		if x.online && len(x.owes) > 0 {
			a := x.owes[0]
			x.owes = x.owes[1:]
			do("%s %s", x.name, a)
		}
	}
	crashed, ends := false, r.IntN(3) == 0
	for range 30 + r.IntN(60) {
		x := takers[names[r.IntN(len(names))]]
		switch r.IntN(13) {
		case 0, 1:
			for range r.IntN(120) {
				publish()
			}
		case 2:
			publish()
		case 3, 4:
			if x.online {
				do("%s lost", x.name)
				x.online, x.owes = false, nil
			} else {
				connect(x)
			}
		case 5:
			if x.online { // a take-over
				x.owes = nil
			}
			connect(x)
		case 6, 7:
			for range r.IntN(80) {
				ack(x)
			}
		case 8:
			do("disk")
		case 9:
			one()
		case 12:
			switch r.IntN(4) {
			case 0:
				w.limits.LIFO = !w.limits.LIFO
			case 1:
				w.limits.MaxInflight = 1 + r.IntN(30)
			case 2:
				if limited {
					w.limits.MaxOnline, w.limits.MaxOffline = r.IntN(300), r.IntN(300)
				}
			default:
				do("load")
			}
			if l := w.limits; x.online && r.IntN(2) == 0 {
				w.clients[x.name].session.Adopt(&l)
				hear()
			}
		case 10:
			do("tick %d", 1+r.IntN(5))
		case 11:
			if b := takers["b"]; ends && r.IntN(2) == 0 {
				b.ended, b.owes, b.unrel = true, nil, map[string]bool{}
				if b.online {
					do("b disconnect expiry=0")
				} else {
					do("b connect v5 expiry=1000")
				}
				b.online = false
				connect(b)
				do("b sub 1 t,%d $share/g/s,%d", b.qos, b.qos)
				continue
			}
			if x.online && r.IntN(2) == 0 {
				if w.links[x.name].full {
					do("%s writable", x.name)
				} else {
					do("%s full", x.name)
				}
			} else if r.IntN(3) == 0 && !ends {
				crashed = true
				do("restart")
				for _, n := range names {
					takers[n].online, takers[n].owes = false, nil
				}
				do("p connect v5")
			}
		}
	}
	for _, n := range names {
		x := takers[n]
		if x.online {
			do("%s lost", n)
		}
		x.owes = nil
		connect(x)
	}
	for idle := 0; idle < 3; {
		idle++
		if len(w.store.reads) > 0 {
			idle = 0
			do("disk")
		}
		for _, n := range names {
			for x := takers[n]; len(x.owes) > 0; idle = 0 {
				ack(x)
			}
		}
	}
	fail := func(format string, a ...any) {
		t.Fatalf("seed %d: %s\n%s", seed, fmt.Sprintf(format, a...), strings.Join(trail, "\n"))
	}
	for _, n := range names {
		c, missing := w.clients[n], 0
		if q := c.session.Queued(); q != 0 || c.session.backlog != nil {
			fail("%s: %d wait, backlog %+v", n, q, c.session.backlog)
		}
		if k := w.store.len(c.session.client()); k != 0 {
			fail("%s: %d entries are left", n, k)
		}
		for p, m := range all {
			qos := min(m.qos, takers[n].qos)
			k := takers[n].got[p]
			if m.topic == "t" && !m.expires && k == 0 {
				missing++
			}
			if takers[n].ended {
				continue
			}
			if m.topic == "t" && !m.expires && !limited && k == 0 || qos == 2 && k > 1 {
				fail("%s got %s of %+v %d times", n, p, m, k)
			}
		}
		if x := takers[n]; missing > x.drops && !x.ended {
			fail("%s misses %d messages, %d were dropped", n, missing, x.drops)
		}
	}
	for p, m := range all {
		if m.topic != "s" || limited || m.expires {
			continue
		}
		k, members := 0, 0
		for _, n := range names {
			k += takers[n].got[p]
			if !takers[n].ended {
				members += len(w.clients[n].subs) - 1
			}
		}
		if members > 0 && k == 0 {
			fail("nobody got %s", p)
		}
	}
	if !crashed { // else what was in flight is not counted
		w.check(t, 0)
	}
}
