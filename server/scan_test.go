package server

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"vernemq/queue"
	"vernemq/server/session"
)

// TestBlocks walks a table in blocks while clients come and go: whoever is
// there all the time is seen, and nobody twice unless the table has shrunk.
func TestBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table clientTable
		members := map[int]*client{}
		add := func(i int) {
			if members[i] == nil {
				c := &client{session: session.New(nil, "", fmt.Sprint(i))}
				if rapid.Bool().Draw(t, "collides") {
					c.session.Key = uint64(i%7) << slotBits
				}
				members[i] = c
				table.add(c)
			}
		}
		remove := func(i int) {
			if c := members[i]; c != nil {
				table.remove(c)
				delete(members, i)
			}
		}
		n := rapid.IntRange(0, 3000).Draw(t, "clients")
		for i := range n {
			add(i)
		}
		stays := map[*client]bool{}
		for _, c := range members {
			stays[c] = true
		}
		seen := map[*client]int{}
		shrunk := false
		for cursor, first := uint64(0), true; first || cursor != 0; first = false {
			cursor = table.block(cursor, func(c *client) { seen[c]++ })
			before := len(table.slots)
			switch rapid.IntRange(0, 9).Draw(t, "meanwhile") {
			case 0:
				for i := range rapid.IntRange(1, 2000).Draw(t, "come") {
					add(10000 + i)
				}
			case 1:
				for i := range rapid.IntRange(1, 3000).Draw(t, "go") {
					if c := members[i]; c != nil {
						delete(stays, c)
					}
					remove(i)
				}
			}
			shrunk = shrunk || len(table.slots) < before
		}
		for c := range stays {
			if seen[c] == 0 {
				t.Fatalf("client %s was missed", c.session.ID)
			}
		}
		for c, n := range seen {
			if n > 1 && !shrunk {
				t.Fatalf("client %s was seen %d times", c.session.ID, n)
			}
		}
	})
}

// BenchmarkBlock walks one block of a large table.
func BenchmarkBlock(b *testing.B) {
	var table clientTable
	for i := range 200_000 {
		id := fmt.Sprint(i)
		c := &client{session: session.New(nil, "", id)}
		c.session.Key = queue.KeyOf("", id)
		table.add(c)
	}
	b.ReportAllocs()
	b.ResetTimer()
	n, cursor := 0, uint64(0)
	for b.Loop() {
		cursor = table.block(cursor, func(*client) { n++ })
	}
	b.ReportMetric(float64(n)/float64(b.N), "clients/op")
}
