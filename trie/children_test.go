package trie

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestChildrenProperty drives one list and its table with hashes of our choice, many of them equal or in one bucket.
func TestChildrenProperty(t *testing.T) {
	t.Parallel()
	hashes := rapid.OneOf(
		rapid.Uint32Max(3),
		rapid.Uint32(),
		rapid.Map(rapid.Uint32Range(0, 15), func(u uint32) uint32 { return u << 28 }),
		rapid.Map(rapid.Uint32Range(0, 63), func(u uint32) uint32 { return ^uint32(0) - u }),
	)
	rapid.Check(t, func(t *rapid.T) {
		var c children[int]
		var live []*Node[int]
		serial := 0
		insert := func(t *rapid.T) {
			for _, hash := range rapid.SliceOfN(hashes, 1, 40).Draw(t, "hashes") {
				serial++
				n := &Node[int]{hash: hash, level: fmt.Sprint(serial)}
				c.insert(n)
				live = append(live, n)
			}
		}
		remove := func(t *rapid.T) {
			for range rapid.IntRange(1, 60).Draw(t, "count") {
				if len(live) == 0 {
					return
				}
				i := rapid.IntRange(0, len(live)-1).Draw(t, "victim")
				c.remove(live[i])
				if n := live[i]; c.find(n.hash, n.level) != nil {
					t.Fatalf("found %q after its removal", n.level)
				}
				live = slices.Delete(live, i, i+1)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": insert,
			"remove": remove,
			"": func(t *rapid.T) {
				if err := c.check(); err != nil {
					t.Fatal(err)
				}
				if c.count() != len(live) {
					t.Fatalf("%d children, want %d", c.count(), len(live))
				}
				for _, n := range live {
					if c.find(n.hash, n.level) != n {
						t.Fatalf("did not find hash %x, level %q", n.hash, n.level)
					}
				}
				if n := c.find(5, "none"); n != nil {
					t.Fatalf("found %q, want nothing", n.level)
				}
			},
		})
	})
}

// TestTableGrowsAndShrinks passes through every size up to 4,096 and back.
func TestTableGrowsAndShrinks(t *testing.T) {
	t.Parallel()
	var c children[struct{}]
	var nodes []*Node[struct{}]
	for i := range 4096 {
		n := &Node[struct{}]{hash: uint32(i) * 0x9E3779B1, level: "x"}
		nodes = append(nodes, n)
		c.insert(n)
		if i%31 == 0 || i < 100 {
			if err := c.check(); err != nil {
				t.Fatalf("%d inserted: %v", i+1, err)
			}
		}
	}
	for i, n := range nodes {
		c.remove(n)
		if i%31 == 0 || i > 4000 {
			if err := c.check(); err != nil {
				t.Fatalf("%d removed: %v", i+1, err)
			}
		}
	}
	if c.first.Load() != nil || c.table.Load() != nil {
		t.Error("the empty list keeps something")
	}
}
