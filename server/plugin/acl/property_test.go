package acl

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// naiveMatch is MQTT 4.7: does a filter match a topic?
func naiveMatch(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	return naiveLevels(strings.Split(filter, "/"), strings.Split(topic, "/"))
}

func naiveLevels(filter, topic []string) bool {
	switch {
	case len(filter) == 0:
		return len(topic) == 0
	case filter[0] == "#":
		return true
	case len(topic) == 0 || filter[0] != "+" && filter[0] != topic[0]:
		return false
	}
	return naiveLevels(filter[1:], topic[1:])
}

// words gives all sequences of up to depth words, joined; all but the empty
// text, which is neither topic nor filter.
func words(depth int, alphabet ...string) (all []string) {
	last := []string{}
	for d := range depth {
		next := []string{}
		for _, w := range alphabet {
			if d == 0 {
				next = append(next, w)
			}
			for _, l := range last {
				next = append(next, l+"/"+w)
			}
		}
		all = append(all, next...)
		last = next
	}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// Topics go one level deeper than filters and have words that are in no filter,
// so that they stand for all the topics there are.
var (
	allFilters = slices.DeleteFunc(words(3, "a", "b", "", "$x", "+", "#"), func(s string) bool { return !wellFormed([]byte(s)) })
	allTopics  = words(4, "a", "b", "", "$x", "z", "$z")
)

// matches tells for each of allTopics whether the filter matches it.
func matches(filter string) []bool {
	m := make([]bool, len(allTopics))
	for i, topic := range allTopics {
		m[i] = naiveMatch(filter, topic)
	}
	return m
}

// TestContainmentIsExact compares every filter with every rule: it is granted
// if and only if there is no topic that it matches and the rule does not.
func TestContainmentIsExact(t *testing.T) {
	sets := make([][]bool, len(allFilters))
	for i, f := range allFilters {
		sets[i] = matches(f)
	}
	granted := 0
	for r, rule := range allFilters {
		table := mustParse(t, "topic "+rule)
		for q, request := range allFilters {
			beyond := -1
			for i := range allTopics {
				if sets[q][i] && !sets[r][i] {
					beyond = i
					break
				}
			}
			may := table.Check("u", "c", "", []byte(request), Subscribe)
			if may && beyond >= 0 {
				t.Fatalf("the rule %q grants %q, which reaches %q", rule, request, allTopics[beyond])
			}
			if !may && beyond < 0 {
				t.Fatalf("the rule %q refuses %q, which reaches nothing else", rule, request)
			}
			if may {
				granted++
			}
		}
		for i, topic := range allTopics {
			if table.Check("u", "c", "", []byte(topic), Publish) != sets[r][i] {
				t.Fatalf("the rule %q, publish to %q: %v", rule, topic, !sets[r][i])
			}
		}
	}
	t.Logf("%d filters, %d topics, %d of %d pairs granted", len(allFilters), len(allTopics), granted, len(allFilters)*len(allFilters))
}

// statement is a line of a file as the oracle keeps it.
type statement struct {
	word, user string // user: whose section a topic line is in
	access     Access
	filter     string
}

// oracle decides statement by statement, with the rule of substitution spelt out.
func oracle(rules []statement, user, client, mount, topic string, access Access) bool {
	for _, r := range rules {
		if r.access&access == 0 || r.word == "topic" && r.user != "" && r.user != user {
			continue
		}
		filter, ok := r.filter, true
		if r.word == "pattern" {
			filter, ok = substitute(filter, user, client, mount, topic)
		}
		if ok && covers(filter, topic, access) {
			return true
		}
	}
	return false
}

// substitute puts names in the place of variables. A name that is no plain level
// spoils the rule, and so does one with $ in the first place.
func substitute(filter, user, client, mount, topic string) (string, bool) {
	levels := strings.Split(filter, "/")
	for i, l := range levels {
		v := variable([]byte(l))
		if v < 0 {
			continue
		}
		value := [...]string{user, client, mount}[v]
		if strings.ContainsAny(value, "/+#") || value == "" && l != "%m" || i == 0 && strings.HasPrefix(value, "$") {
			return "", false
		}
		levels[i] = value
	}
	s := strings.Join(levels, "/")
	return s, s != ""
}

// covers compares a request with a rule by the topics of the request.
func covers(filter, request string, access Access) bool {
	if access == Subscribe && strings.HasPrefix(request, "$share/") {
		_, request, _ = strings.Cut(strings.TrimPrefix(request, "$share/"), "/")
	}
	for _, topic := range allTopics {
		if naiveMatch(request, topic) && !naiveMatch(filter, topic) {
			return false
		}
	}
	return true
}

// TestManyRules compares files of random rules with the oracle.
func TestManyRules(t *testing.T) {
	patterns := slices.DeleteFunc(words(3, "a", "$x", "+", "#", "%u", "%c", "%m"), func(s string) bool { return !wellFormed([]byte(s)) })
	names := []string{"", "a", "b", "$x", "+", "#", "a/b", "%u", "%c"}
	rapid.Check(t, func(t *rapid.T) {
		var rules []statement
		var text strings.Builder
		user := ""
		for range rapid.IntRange(0, 8).Draw(t, "rules") {
			if rapid.IntRange(0, 3).Draw(t, "section") == 0 {
				user = rapid.SampledFrom(names[1:]).Draw(t, "owner")
				fmt.Fprintln(&text, "user", user)
			}
			r := statement{word: rapid.SampledFrom([]string{"topic", "pattern"}).Draw(t, "word"), user: user}
			r.access = Access(rapid.IntRange(1, 3).Draw(t, "access"))
			r.filter = rapid.SampledFrom(allFilters).Draw(t, "filter")
			if r.word == "pattern" {
				r.filter = rapid.SampledFrom(patterns).Draw(t, "pattern")
			}
			fmt.Fprintln(&text, r.word+[...]string{"", " write", " read", ""}[r.access], r.filter)
			rules = append(rules, r)
		}
		table, err := Parse("f", []byte(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			who := [3]string{}
			for i := range who {
				who[i] = rapid.SampledFrom(names).Draw(t, "name")
			}
			access, topic := Publish, rapid.SampledFrom(allTopics).Draw(t, "topic")
			if rapid.Bool().Draw(t, "subscribe") {
				access, topic = Subscribe, rapid.SampledFrom([]string{"", "", "$share/g/"}).Draw(t, "share")+rapid.SampledFrom(allFilters).Draw(t, "request")
			}
			got, want := table.Check(who[0], who[1], who[2], []byte(topic), access), oracle(rules, who[0], who[1], who[2], topic, access)
			if got != want {
				t.Fatalf("%q, access %d to %q: %v, want %v, by\n%s", who, access, topic, got, want, text.String())
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"topic #\n", "\ufeff# c\r\nuser a b\r\ntopic read a/+\r\npattern write %u/%c/%m/#", "topic deny a", " topic a", "topic read", "user"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		table, err := Parse("f", text)
		if err != nil {
			if table != nil || !strings.HasPrefix(err.Error(), "f:") {
				t.Fatal(err)
			}
			return
		}
		twice, err := Parse("f", slices.Concat(text, []byte("\nuser x\n"), []byte(strings.TrimPrefix(string(text), "\ufeff"))))
		if err != nil || twice.Len() < table.Len() {
			t.Fatalf("the same again does not parse: %v", err)
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("a/+", "pattern", "u", "c", "", "a/#")
	f.Add("%u/%c/%m/#", "pattern", "+", "#", "a/b", "$share/g/+/+/#")
	f.Add("$share/+/%c", "pattern", "$SYS", "", "m", "$share/g/$SYS")
	f.Add("+/#", "topic", "", "", "", "#")
	f.Fuzz(func(t *testing.T, filter, word, user, client, mount, topic string) {
		table, err := Parse("f", []byte(word+" "+filter))
		if err != nil {
			return
		}
		publish := table.Check(user, client, mount, []byte(topic), Publish)
		subscribe := table.Check(user, client, mount, []byte(topic), Subscribe)
		switch {
		case publish && strings.ContainsAny(topic, "+#"):
			t.Fatal("a filter was published to")
		case subscribe && !wellFormed([]byte(topic)), (publish || subscribe) && topic == "":
			t.Fatal("nonsense is granted")
		case publish && !subscribe && !strings.HasPrefix(topic, "$share/") && !strings.HasPrefix(filter, "write"):
			t.Fatal("a topic may be published to, but not subscribed to")
		case publish && !strings.HasPrefix(filter, "write") && word == "topic" && !naiveMatch(strings.Trim(filter, blanks+"\r\n"), topic):
			t.Fatal("a topic beyond the rule")
		}
	})
}
