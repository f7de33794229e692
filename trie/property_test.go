package trie

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	mountpoints = rapid.SampledFrom([]string{"", "m", "+"})

	// nameLevel is mostly of a few levels, that they meet, and at times of many, that nodes outgrow their lists.
	nameLevel = rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "b", "$x", "$SYS"}),
		rapid.SampledFrom([]string{"", "a", "b"}),
		rapid.StringMatching(`[c-z]`),
	)
	filterLevel = rapid.OneOf(nameLevel, nameLevel, rapid.Just("+"))

	topicNames = rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(nameLevel, 1, 5).Draw(t, "levels")
		return valid(strings.Join(levels, "/"))
	})
	topicFilters = rapid.Custom(func(t *rapid.T) string {
		levels := rapid.SliceOfN(filterLevel, 1, 5).Draw(t, "levels")
		if rapid.IntRange(0, 3).Draw(t, "multi") == 0 {
			levels[len(levels)-1] = "#"
		}
		return valid(strings.Join(levels, "/"))
	})
)

// valid makes something of the empty topic, which MQTT does not have.
func valid(topic string) string {
	if topic == "" {
		return "/"
	}
	return topic
}

func TestIndexProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := NewIndex[int]()
		memo := NewMemo(x)
		holders := make(map[place]int)
		nodes := make(map[place]*Node[int])
		t.Repeat(map[string]func(*rapid.T){
			"acquire": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "count") {
					p := place{mountpoints.Draw(t, "mountpoint"), topicFilters.Draw(t, "filter")}
					n := x.Acquire(p.mountpoint, p.topic)
					if old := nodes[p]; old != nil && n != old {
						t.Fatalf("%v was acquired as another node", p)
					}
					if placeOf(n) != p {
						t.Fatalf("%v became %v", p, placeOf(n))
					}
					holders[p]++
					nodes[p] = n
				}
			},
			"release": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "count") {
					if len(nodes) == 0 {
						return
					}
					held := slices.SortedFunc(maps.Keys(nodes), comparePlaces)
					p := rapid.SampledFrom(held).Draw(t, "filter")
					x.Release(nodes[p])
					if holders[p]--; holders[p] == 0 {
						delete(holders, p)
						delete(nodes, p)
					}
				}
			},
			"match": func(t *rapid.T) {
				mountpoint, topic := mountpoints.Draw(t, "mountpoint"), topicNames.Draw(t, "topic")
				var want []place
				for p := range nodes {
					if p.mountpoint == mountpoint && naiveMatch(p.topic, topic) {
						want = append(want, p)
					}
				}
				slices.SortFunc(want, comparePlaces)
				if got := places(x.Match(mountpoint, []byte(topic), nil)); !slices.Equal(got, want) {
					t.Fatalf("%q in %q matches %v, want %v", topic, mountpoint, got, want)
				}
				for range 2 {
					if got := places(memo.Match(mountpoint, []byte(topic))); !slices.Equal(got, want) {
						t.Fatalf("%q in %q is remembered with %v, want %v", topic, mountpoint, got, want)
					}
				}
			},
			"forget": func(*rapid.T) { memo.Forget() },
			"find": func(t *rapid.T) {
				p := place{mountpoints.Draw(t, "mountpoint"), topicFilters.Draw(t, "filter")}
				if got := x.Find(p.mountpoint, p.topic); got != nodes[p] {
					t.Fatalf("%v: found %p, want %p", p, got, nodes[p])
				}
			},
			"": func(t *rapid.T) {
				if _, err := x.check(); err != nil {
					t.Fatal(err)
				}
				if x.Len() != len(nodes) {
					t.Fatalf("Len is %d, want %d", x.Len(), len(nodes))
				}
				want := slices.SortedFunc(maps.Keys(nodes), comparePlaces)
				if got := places(slices.Collect(x.All)); !slices.Equal(got, want) {
					t.Fatalf("All visits %v, want %v", got, want)
				}
			},
		})
	})
}

func TestTopicsProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		topics := NewTopics[int]()
		want := make(map[place]int)
		serial := 0
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "count") {
					p := place{mountpoints.Draw(t, "mountpoint"), topicNames.Draw(t, "topic")}
					serial++
					old, had := topics.Put(p.mountpoint, p.topic, serial)
					if wantOld, wantHad := want[p]; old != wantOld || had != wantHad {
						t.Fatalf("Put %v returns %d, %v, want %d, %v", p, old, had, wantOld, wantHad)
					}
					want[p] = serial
				}
			},
			"delete": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "count") {
					p := place{mountpoints.Draw(t, "mountpoint"), topicNames.Draw(t, "topic")}
					if len(want) > 0 && rapid.Bool().Draw(t, "there") {
						p = rapid.SampledFrom(slices.SortedFunc(maps.Keys(want), comparePlaces)).Draw(t, "topic")
					}
					old, had := topics.Delete(p.mountpoint, p.topic)
					if wantOld, wantHad := want[p]; old != wantOld || had != wantHad {
						t.Fatalf("Delete %v returns %d, %v, want %d, %v", p, old, had, wantOld, wantHad)
					}
					delete(want, p)
				}
			},
			"get": func(t *rapid.T) {
				p := place{mountpoints.Draw(t, "mountpoint"), topicNames.Draw(t, "topic")}
				v, ok := topics.Get(p.mountpoint, p.topic)
				if wantV, wantOK := want[p]; v != wantV || ok != wantOK {
					t.Fatalf("Get %v returns %d, %v, want %d, %v", p, v, ok, wantV, wantOK)
				}
			},
			"match": func(t *rapid.T) {
				mountpoint, filter := mountpoints.Draw(t, "mountpoint"), topicFilters.Draw(t, "filter")
				wantValues := []int{}
				for p, v := range want {
					if p.mountpoint == mountpoint && naiveMatch(filter, p.topic) {
						wantValues = append(wantValues, v)
					}
				}
				slices.Sort(wantValues)
				got := topics.Match(mountpoint, filter, nil)
				slices.Sort(got)
				if !slices.Equal(got, wantValues) {
					t.Fatalf("%q in %q matches %v, want %v of %v", filter, mountpoint, got, wantValues, want)
				}
			},
			"": func(t *rapid.T) {
				if _, err := topics.check(); err != nil {
					t.Fatal(err)
				}
				got := make(map[place]int)
				topics.All(func(mountpoint, topic string, v int) bool {
					got[place{mountpoint, topic}] = v
					return true
				})
				if topics.Len() != len(want) || !maps.Equal(got, want) {
					t.Fatalf("%d topics: %v, want %v", topics.Len(), got, want)
				}
			},
		})
	})
}
