package trie

import (
	"slices"
	"testing"
)

func TestTopicsMatch(t *testing.T) {
	t.Parallel()
	topics := NewTopics[string]()
	names := []string{
		"a", "a/", "a/b", "a/b/c", "a/$b", "/", "/a", "//", "b", "$SYS", "$SYS/a", "$SYS/a/b", "A",
	}
	for _, name := range names {
		topics.Put("", name, name)
		topics.Put("m", name, "not this")
	}
	tests := []struct {
		filter string
		want   []string
	}{
		{"a", []string{"a"}},
		{"a/b", []string{"a/b"}},
		{"a/+", []string{"a/", "a/$b", "a/b"}},
		{"a/#", []string{"a", "a/", "a/$b", "a/b", "a/b/c"}},
		{"+", []string{"A", "a", "b"}},
		{"+/+", []string{"/", "/a", "a/", "a/$b", "a/b"}},
		{"+/+/+", []string{"//", "a/b/c"}},
		{"#", []string{"/", "//", "/a", "A", "a", "a/", "a/$b", "a/b", "a/b/c", "b"}},
		{"+/b/#", []string{"a/b", "a/b/c"}},
		{"+/#", []string{"/", "//", "/a", "A", "a", "a/", "a/$b", "a/b", "a/b/c", "b"}},
		{"$SYS/#", []string{"$SYS", "$SYS/a", "$SYS/a/b"}},
		{"$SYS/+", []string{"$SYS/a"}},
		{"/#", []string{"/", "//", "/a"}},
		{"c/#", []string{}},
		{"+/c", []string{}},
	}
	for _, tt := range tests {
		got := topics.Match("", tt.filter, []string{})
		slices.Sort(got)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%q matches %q, want %q", tt.filter, got, tt.want)
		}
	}
	if got := topics.Match("n", "#", nil); len(got) > 0 {
		t.Errorf("a mountpoint without topics matches %q", got)
	}
}

func TestTopicsPutDelete(t *testing.T) {
	t.Parallel()
	topics := NewTopics[int]()
	if old, had := topics.Put("", "a/b", 1); had {
		t.Errorf("the first Put replaced %d", old)
	}
	if old, had := topics.Put("", "a/b", 2); old != 1 || !had {
		t.Errorf("the second Put replaced %d, %v, want 1", old, had)
	}
	if _, ok := topics.Get("", "a"); ok {
		t.Error("a branch has a value")
	}
	if v, ok := topics.Get("", "a/b"); v != 2 || !ok {
		t.Errorf("Get returns %d, %v, want 2", v, ok)
	}
	if _, had := topics.Delete("", "a"); had {
		t.Error("a branch could be deleted")
	}
	if old, had := topics.Delete("", "a/b"); old != 2 || !had {
		t.Errorf("Delete returns %d, %v, want 2", old, had)
	}
	if nodes, err := topics.check(); nodes != 0 || err != nil || topics.Len() != 0 {
		t.Errorf("%d nodes are left: %v", nodes, err)
	}
}

func TestTopicsAllStops(t *testing.T) {
	t.Parallel()
	topics := NewTopics[int]()
	for i, name := range []string{"a", "b/c", "b"} {
		topics.Put("", name, i)
	}
	visited := 0
	topics.All(func(string, string, int) bool { visited++; return visited < 2 })
	if visited != 2 {
		t.Errorf("visited %d topics, want 2", visited)
	}
}
