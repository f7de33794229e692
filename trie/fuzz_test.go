package trie

import (
	"slices"
	"strings"
	"testing"
)

// FuzzMatch matches one topic against filters, one per line, in both directions.
func FuzzMatch(f *testing.F) {
	f.Add("#", "$SYS/a")
	f.Fuzz(func(t *testing.T, lines, topic string) {
		if topic == "" || len(topic) > 65535 || strings.ContainsAny(topic, "+#") {
			t.Skip()
		}
		filters := strings.Split(lines, "\n")
		slices.Sort(filters)
		filters = slices.DeleteFunc(slices.Compact(filters), func(filter string) bool { return !validFilter(filter) })

		x, topics := NewIndex[int](), NewTopics[int]()
		topics.Put("", topic, 1)
		var nodes []*Node[int]
		want := []string{}
		for _, filter := range filters {
			nodes = append(nodes, x.Acquire("", filter))
			matches := naiveMatch(filter, topic)
			if matches {
				want = append(want, filter)
			}
			if got := len(topics.Match("", filter, nil)) == 1; got != matches {
				t.Errorf("%q finds topic %q: %v, want %v", filter, topic, got, matches)
			}
		}
		if got := matched(x, "", topic); !slices.Equal(got, want) {
			t.Errorf("%q matches %q, want %q", topic, got, want)
		}
		for i, n := range nodes {
			if n.Filter() != filters[i] {
				t.Errorf("%q became %q", filters[i], n.Filter())
			}
			x.Release(n)
		}
		if left, err := x.check(); left != 0 || err != nil {
			t.Errorf("%d nodes are left: %v", left, err)
		}
	})
}

func validFilter(filter string) bool {
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if strings.ContainsAny(level, "+#") && level != "+" && (level != "#" || i < len(levels)-1) {
			return false
		}
	}
	return filter != ""
}
