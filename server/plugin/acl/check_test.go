package acl

import (
	"strings"
	"testing"
)

// want is a list of checks: a letter p or s, the topic, and whether it may be.
type want struct {
	user, client, mount string
	access              Access
	topic               string
	may                 bool
}

func verify(t *testing.T, table *Table, wants []want) {
	t.Helper()
	for _, w := range wants {
		if got := table.Check(w.user, w.client, w.mount, []byte(w.topic), w.access); got != w.may {
			t.Errorf("%+v: %v", w, got)
		}
	}
}

// TestDocumented is the example of VerneMQ's documentation, with global lines
// for everybody, as was seen on 2.1.2.
func TestDocumented(t *testing.T) {
	table := mustParse(t,
		"# ACL for anonymous clients", "topic bar", "topic write foo", "topic read open_to_all",
		"# ACL for user 'john'", "user john", "topic foo", "topic read baz", "topic write open_to_all",
		"pattern write sensor/%u/data")
	const P, S = Publish, Subscribe
	verify(t, table, []want{
		{"", "c", "", P, "bar", true}, {"", "c", "", S, "bar", true},
		{"", "c", "", P, "foo", true}, {"", "c", "", S, "foo", false},
		{"", "c", "", P, "open_to_all", false}, {"", "c", "", S, "open_to_all", true},
		{"", "c", "", S, "baz", false}, {"", "c", "", P, "sensor//data", false},
		{"john", "c", "", P, "bar", true}, {"john", "c", "", S, "foo", true}, {"john", "c", "", P, "foo", true},
		{"john", "c", "", S, "baz", true}, {"john", "c", "", P, "baz", false},
		{"john", "c", "", P, "open_to_all", true}, {"john", "c", "", S, "open_to_all", true},
		{"john", "c", "", P, "sensor/john/data", true}, {"john", "c", "", S, "sensor/john/data", false},
		{"john", "c", "", P, "sensor/mary/data", false}, {"mary", "c", "", P, "sensor/mary/data", true},
		{"mary", "c", "", S, "baz", false}, {"John", "c", "", S, "baz", false},
		{"john", "c", "", P, "", false}, {"john", "c", "", P, "bar/", false}, {"john", "c", "", P, "/bar", false},
		{"john", "c", "", 0, "bar", false}, {"john", "c", "", both, "bar", false},
	})
}

func TestContainment(t *testing.T) {
	for _, tt := range []struct {
		rule, request string
		may           bool
	}{
		{"a", "a", true}, {"a", "+", false}, {"a", "#", false}, {"a", "a/#", false}, {"a", "a/+", false}, {"a", "a/", false},
		{"a/+", "a/b", true}, {"a/+", "a/+", true}, {"a/+", "a/#", false}, {"a/+", "a", false}, {"a/+", "a/+/c", false},
		{"a/+", "a/", true}, {"a/+", "+/+", false}, {"a/+", "+/b", false}, {"a/+", "#", false},
		{"a/#", "a", true}, {"a/#", "a/#", true}, {"a/#", "a/+", true}, {"a/#", "a/+/#", true}, {"a/#", "a/b/c", true},
		{"a/#", "#", false}, {"a/#", "+", false}, {"a/#", "+/#", false}, {"a/#", "b/#", false}, {"a/#", "ab", false},
		{"a/+/#", "a/#", false}, {"a/+/#", "a/+/#", true}, {"a/+/#", "a/b", true}, {"a/+/#", "a", false},
		{"+/#", "#", true}, {"#", "+/#", true}, {"+", "#", false}, {"+/+/#", "#", false}, {"+/+/#", "+/#", false},
		{"#", "#", true}, {"#", "+", true}, {"#", "a/b", true}, {"#", "$SYS/#", false}, {"#", "$SYS/a", false}, {"#", "$SYS", false},
		{"+/#", "$SYS/#", false}, {"+/a", "$SYS/a", false}, {"+", "$x", false}, {"$SYS/#", "$SYS/#", true}, {"$SYS/#", "$SYS/+/a", true},
		{"$SYS/+", "$SYS/#", false}, {"$SYS/#", "#", false}, {"$SYS/#", "+/a", false}, {"a/#", "a/$b", true}, {"a/+", "a/$b", true},
		{"/+/#", "/#", true}, {"+/+/#", "/#", true}, {"/+/#", "/", true}, {"/+/#", "//#", true}, {"//+/#", "//#", false},
		{"$share/g/+/+/#", "$share/g//#", true}, {"/+/#", "$share/g//#", true},
		// No filters, and no shared subscriptions.
		{"#", "a/#/b", false}, {"#", "a+", false}, {"#", "+a", false}, {"#", "a#", false}, {"#", "", false},
		{"$share/#", "$share/g", false}, {"$share/#", "$share/g/", false}, {"$share/#", "$share//a", false}, {"$share/#", "$share/+/a", false},
		{"$share/#", "$share/#", false},
		// Shared subscriptions.
		{"a/+", "$share/g/a/b", true}, {"a/+", "$share/g/a/#", false}, {"a/+", "$share/g/a", false}, {"#", "$share/g/#", true},
		{"#", "$share/g/$SYS/#", false}, {"+/#", "$share/g/#", true}, {"$SYS/#", "$share/g/$SYS/a", true},
		{"$share/g/a", "$share/g/a", true}, {"$share/g/a", "$share/h/a", false}, {"$share/g/a", "a", false},
		{"$share/+/a", "$share/h/a", true}, {"$share/+/+", "$share/h/a/b", false}, {"$share/g/#", "$share/g/a/#", true},
		{"$share/g/+/#", "$share/g/#", true}, {"$share/#", "$share/g/a", true}, {"$share/#", "$share/g/#", true},
		{"$share/#", "$share/g/$SYS/#", false}, {"$share/g/#", "$share/g/$SYS/#", false}, {"$share/+/+/a", "$share/g/$SYS/a", false},
		{"$share/g/$SYS/#", "$share/g/$SYS/a", true}, {"+/+/a", "$share/g/a", false}, {"$share/g/a/#", "$share/g/a", true},
	} {
		table := mustParse(t, "topic read "+tt.rule)
		if got := table.Check("u", "c", "", []byte(tt.request), Subscribe); got != tt.may {
			t.Errorf("%s with the rule %s: %v", tt.request, tt.rule, got)
		}
		if table.Check("u", "c", "", []byte(tt.request), Publish) {
			t.Errorf("the rule read %s lets publish to %s", tt.rule, tt.request)
		}
	}
}

func TestPublish(t *testing.T) {
	for _, tt := range []struct {
		rule, topic string
		may         bool
	}{
		{"a/+", "a/b", true}, {"a/+", "a/+", false}, {"#", "#", false}, {"#", "a+b", false}, {"#", "a/b#", false},
		{"#", "a", true}, {"#", "/", true}, {"#", "$SYS/a", false}, {"$SYS/#", "$SYS/a", true}, {"$share/g/a", "a", false},
		{"a/b", "$share/g/a/b", false}, {"$share/#", "$share/g/a", true}, {"$share/#", "$share", true}, {"/+", "/", true}, {"+/+", "/", true},
	} {
		table := mustParse(t, "topic write "+tt.rule)
		if got := table.Check("u", "c", "", []byte(tt.topic), Publish); got != tt.may {
			t.Errorf("%s with the rule %s: %v", tt.topic, tt.rule, got)
		}
	}
}

// TestPatterns has names that try to be more than names.
func TestPatterns(t *testing.T) {
	const P, S = Publish, Subscribe
	table := mustParse(t, "user bob", "pattern u/%u/#", "pattern c/%c/+/x", "pattern m/%m/x", "pattern in/a%u/x",
		"pattern %c/root/#", "pattern %u/%c/%m", "pattern always", "pattern sp ace/%u", "topic t/%u")
	verify(t, table, []want{
		{"al", "c1", "", P, "u/al/x", true}, {"al", "c1", "", S, "u/al/#", true}, {"al", "c1", "", S, "u/al", true},
		{"al", "c1", "", S, "u/+/#", false}, {"al", "c1", "", S, "u/#", false}, {"al", "c1", "", P, "u/bob/x", false},
		{"al", "c1", "", P, "u/%u/x", false}, {"%u", "c1", "", P, "u/%u/x", true}, {"", "c1", "", P, "u//x", false}, {"", "%u", "", P, "u/%u/x", false},
		{"+", "c1", "", S, "u/+/#", false}, {"#", "c1", "", S, "u/#", false}, {"+", "c1", "", P, "u/b/x", false}, {"+", "c1", "", S, "u/b/x", false},
		{"a/b", "c1", "", P, "u/a/b/x", false}, {"a/b", "c1", "", P, "u/a/x", false}, {"a/#", "c1", "", S, "u/a/#", false},
		{"a+b", "c1", "", P, "u/a+b/x", false}, {"a#", "c1", "", S, "u/a#/x", false},
		{"al", "c1", "", P, "c/c1/y/x", true}, {"al", "c1", "", S, "c/c1/+/x", true}, {"al", "c1", "", S, "c/+/+/x", false},
		{"al", "+", "", S, "c/+/+/x", false}, {"al", "", "", P, "c//y/x", false}, {"al", "c1/y", "", P, "c/c1/y/x", false},
		{"al", "c1", "", P, "m//x", true}, {"al", "c1", "mp", P, "m/mp/x", true}, {"al", "c1", "mp", P, "m//x", false},
		{"al", "c1", "", P, "m/mp/x", false}, {"al", "c1", "", P, "m/%m/x", false}, {"al", "c1", "a/b", P, "m/a/b/x", false},
		{"al", "c1", "", P, "in/aal/x", false}, {"al", "c1", "", P, "in/a%u/x", true},
		{"al", "c1", "", P, "c1/root/x", true}, {"al", "$SYS", "", S, "$SYS/root/#", false}, {"al", "#", "", S, "#", false},
		{"al", "$SYS", "", S, "$share/g/$SYS/root/#", false}, {"al", "c1", "", S, "$share/g/c1/root/#", true},
		{"al", "c1", "m", P, "al/c1/m", true}, {"al", "al", "al", P, "al/al/al", true}, {"al", "c1", "", P, "al/c1/", true}, {"al", "c1", "", P, "al/c1", false},
		{"al", "c1", "", P, "always", true},
		{"bob", "c1", "", P, "t/%u", true}, {"bob", "c1", "", P, "t/bob", false}, {"al", "c1", "", P, "t/%u", false},
	})
}

// TestUserNames has names that look like something else in the file.
func TestUserNames(t *testing.T) {
	table := mustParse(t, "user a/b", "topic 1", "user +", "topic 2", "user #", "topic 3", "user a b", "topic 4",
		"user %u", "topic 5", "user a/b", "topic 6", "user "+strings.Repeat("long", 100), "topic 7")
	owners := map[string]string{"1": "a/b", "2": "+", "3": "#", "4": "a b", "5": "%u", "6": "a/b", "7": strings.Repeat("long", 100)}
	for topic, owner := range owners {
		for _, user := range []string{"", "a", "b", "a/b", "+", "#", "a b", "%u", "%c", strings.Repeat("long", 100)} {
			if got := table.Check(user, "+", "", []byte(topic), Publish); got != (user == owner) {
				t.Errorf("user %q, topic %s: %v", user, topic, got)
			}
		}
	}
}

// TestNoAllocations covers both accesses, and names too long for the stack.
func TestNoAllocations(t *testing.T) {
	user := strings.Repeat("user", 100)
	table := mustParse(t, "topic a/b", "topic a/+/x", "user "+user, "topic u/+/c", "pattern p/%u/%c/%m/#")
	topics := [][]byte{[]byte("a/b"), []byte("u/x/c"), []byte("p/" + user + "/c/m/rest/of/it"), []byte("none/of/these")}
	for _, access := range []Access{Publish, Subscribe} {
		n := testing.AllocsPerRun(100, func() {
			for i, topic := range topics {
				if table.Check(user, "c", "m", topic, access) != (i < 3) {
					t.Fatal(string(topic))
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}
