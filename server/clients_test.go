package server

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"vernemq/server/session"
)

// TestClientTable compares the table with a map under random operations, with
// keys that collide.
func TestClientTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table clientTable
		want := map[string]*client{}
		for range rapid.IntRange(1, 500).Draw(t, "steps") {
			id := fmt.Sprint(rapid.IntRange(0, 150).Draw(t, "id"))
			key := uint64(len(id)*7+int(id[len(id)-1]))<<slotBits | 5
			found := table.find(key, "", id)
			if found != want[id] {
				t.Fatalf("client %s: found %p, want %p", id, found, want[id])
			}
			switch {
			case found == nil:
				c := &client{session: session.New(nil, "", id)}
				c.session.Key = key
				table.add(c)
				want[id] = c
			case rapid.Bool().Draw(t, "remove"):
				table.remove(found)
				delete(want, id)
			}
			if table.used != len(want) {
				t.Fatalf("%d clients, want %d", table.used, len(want))
			}
		}
		n := 0
		for c := range table.all {
			if want[c.session.ID] != c {
				t.Fatalf("unexpected client %s", c.session.ID)
			}
			n++
		}
		if n != len(want) {
			t.Fatalf("%d clients seen, want %d", n, len(want))
		}
	})
}

// TestSubscribers compares the set of one loop with a map.
func TestSubscribers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s subscribers
		want := map[*subscription]bool{}
		var list []*subscription
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(list) == 0 || rapid.Bool().Draw(t, "add") {
				x := new(subscription)
				s.add(x)
				list = append(list, x)
				want[x] = true
			} else {
				i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				empty := s.remove(list[i])
				delete(want, list[i])
				list = append(list[:i], list[i+1:]...)
				if empty != (len(want) == 0) {
					t.Fatalf("empty %v with %d members", empty, len(want))
				}
			}
			n := 0
			see := func(x *subscription) {
				if n++; !want[x] {
					t.Fatal("a member that was removed")
				}
			}
			if s.first != nil {
				see(s.first)
			}
			if s.rest != nil {
				for _, x := range *s.rest {
					see(x)
				}
			}
			if n != len(want) {
				t.Fatalf("%d members, want %d", n, len(want))
			}
		}
	})
}
