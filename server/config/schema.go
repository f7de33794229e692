package config

import (
	"slices"
	"strings"
)

// key is one entry of the schema, from which validation, defaults and
// documentation come. A word of its name that begins with $ stands for any
// word.
type key struct {
	name  string
	typ   datatype
	def   string // default, or none
	marks marks
	doc   string
}

const none = "\x00" // a key without a default

type marks uint8

const (
	live    marks = 1 << iota // may be changed at run time
	later                     // accepted, but its feature is not available yet
	ignored                   // accepted for compatibility, without effect
)

func (k *key) has(m marks) bool { return k.marks&m != 0 }

// aliases are older names of keys.
var aliases = map[string]string{
	"message_size_limit":  "max_message_size",
	"max_queued_messages": "max_online_messages",
	"vmq_reg_view":        "default_reg_view",
	"graphite.interval":   "graphite_interval",
}

var (
	schema   = slices.Concat(generalKeys, ownKeys, clusterKeys, listenerKeys(), httpKeys(), monitoringKeys, loggingKeys, storageKeys, pluginKeys(), erlangKeys)
	exact    = map[string]*key{} // keys without a free word
	patterns = map[int][]*key{}  // the others, by their number of words
	optional = map[string]bool{} // words that are options of a listener, so that no listener may have their name
)

func init() {
	for i := range listenerOptions {
		optional[listenerOptions[i].name] = true
	}
	for i := range schema {
		k := &schema[i]
		if strings.Contains(k.name, "$") {
			n := len(splitWords(k.name))
			patterns[n] = append(patterns[n], k)
		} else {
			exact[k.name] = k
		}
	}
}

// splitWords splits a key at its dots. A dot after a backslash belongs to its
// word.
func splitWords(name string) (words []string) {
	start := 0
	for i := 0; i < len(name); i++ {
		if name[i] == '\\' {
			i++
		} else if name[i] == '.' {
			words = append(words, name[start:i])
			start = i + 1
		}
	}
	return append(words, name[start:])
}

// find gives the schema entry of a key, nil when there is none. A key without
// free words comes before one with.
func find(name string) *key {
	if to, ok := aliases[name]; ok {
		name = to
	}
	if k := exact[name]; k != nil {
		return k
	}
	words := splitWords(name)
	for _, k := range patterns[len(words)] {
		if fits(splitWords(k.name), words) {
			return k
		}
	}
	return nil
}

func fits(pattern, words []string) bool {
	for i, w := range pattern {
		if w[0] != '$' && w != words[i] {
			return false
		}
		// listener.tcp.mountpoint.x would be an option of a listener that has
		// the name of an option.
		if w == "$name" && i == 2 && words[0] == "listener" && optional[words[i]] {
			return false
		}
	}
	return true
}

// nearest gives the names of the n keys that are most like name.
func nearest(name string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	words := splitWords(name)
	var all []candidate
	for i := range schema {
		shown := fillIn(schema[i].name, words)
		all = append(all, candidate{shown, distance(name, shown)})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range all {
		if len(out) < n && !slices.Contains(out, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// fillIn puts the words of a key into the free places of a pattern.
func fillIn(pattern string, words []string) string {
	p := splitWords(pattern)
	for i, w := range p {
		if w[0] == '$' && i < len(words) && len(words) == len(p) {
			p[i] = words[i]
		}
	}
	return strings.Join(p, ".")
}

// distance is the number of insertions, deletions and changes between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}
