package acl

import (
	"bytes"
	"hash/maphash"
)

// query is one check under way.
type query struct {
	*Table
	access  Access
	client  [len(variables)]string // values of the variables
	pattern bool                   // the tree being walked has variables

	// inner is where the filter of a shared subscription begins, 0 for all else.
	// A topic begins there as well as at 0, and either may begin with $.
	inner  int
	dollar [2]bool // whether the topic at 0 and the one at inner do
}

// Check tells whether a client may publish to a topic or subscribe to a filter.
// An empty user is a client without a user name. access is Publish or Subscribe.
//
// Any goroutine may call it. It allocates nothing.
func (t *Table) Check(user, clientID, mount string, topic []byte, access Access) bool {
	q := query{Table: t, access: access, client: [...]string{user, clientID, mount}}
	switch {
	case len(topic) == 0:
		return false
	case access == Publish:
		return bytes.IndexByte(topic, '+') < 0 && bytes.IndexByte(topic, '#') < 0 && q.granted(topic)
	case access == Subscribe:
		return wellFormed(topic) && q.subscribe(topic)
	}
	return false
}

// subscribe looks for a filter as it is, and for a shared one without what
// stands before it.
func (q *query) subscribe(filter []byte) bool {
	const prefix = "$share/"
	if len(filter) < len(prefix) || string(filter[:len(prefix)]) != prefix {
		return q.granted(filter)
	}
	group := bytes.IndexByte(filter[len(prefix):], '/')
	inner := len(prefix) + group + 1
	if group <= 0 || inner == len(filter) || filter[len(prefix)] == '+' {
		return false // no shared subscription is like this
	}
	if q.granted(filter[inner:]) {
		return true
	}
	q.inner = inner
	return q.granted(filter)
}

// granted asks the trees one after the other.
func (q *query) granted(topic []byte) bool {
	q.dollar = [2]bool{topic[0] == '$', topic[q.inner] == '$'}
	if q.walk(everybody, topic, 0) {
		return true
	}
	if user := q.client[0]; user != "" {
		// The conversion copies nothing: find neither keeps nor changes the bytes.
		if root := q.find(users, maphash.String(seed, user), []byte(user)); root != 0 && q.walk(root, topic, 0) {
			return true
		}
	}
	q.pattern = true
	defer func() { q.pattern = false }()
	return q.walk(patterns, topic, 0)
}

// walk tells whether a rule below a node covers the rest of the topic from a
// byte on. What is asked for may be a filter: each step takes only rules that
// match whatever this level of it matches.
//
// The rest is covered
//   - by a rule that goes on with #, whatever the rest is;
//   - when nothing is left, by a rule that ends here;
//   - when # is left, by # alone; by +/#, too, if the filter is # or /#. They
//     differ in the topic before the slash, and there the empty one is none;
//   - by what covers the rest behind a +, behind the same level, or behind a
//     variable with the same value, and if the level is + only by the first.
//
// Where a topic begins, # and + and variables do not cover one that begins with $.
func (q *query) walk(at uint32, topic []byte, from int) bool {
	n := &q.nodes[at]
	if n.below&q.access != 0 && !q.hidden(from) {
		return true
	}
	if from > len(topic) {
		return n.end&q.access != 0
	}
	level := topic[from:]
	if i := bytes.IndexByte(level, '/'); i >= 0 {
		level = level[:i]
	}
	next := from + len(level) + 1
	if string(level) == "#" {
		// 1 behind the start, if nothing but a slash is before it.
		return from >= q.inner && from-q.inner <= 1 && n.plus != 0 && q.nodes[n.plus].below&q.access != 0
	}
	special := q.special(from)
	if n.plus != 0 && !special && q.walk(n.plus, topic, next) {
		return true
	}
	if string(level) == "+" {
		return false
	}
	return q.walkLevel(at, topic, level, next) || n.vars != 0 && !special && q.walkVariables(at, topic, level, next)
}

// hidden tells whether a # at a byte would cover the start of a topic that
// begins with $.
func (q *query) hidden(from int) bool {
	return from == 0 && q.dollar[0] || from <= q.inner && q.dollar[1]
}

// special tells whether a topic that begins with $ begins at a byte.
func (q *query) special(from int) bool {
	return from == 0 && q.dollar[0] || from == q.inner && q.dollar[1]
}

// walkLevel goes on at the child that is the same level.
func (q *query) walkLevel(at uint32, topic, level []byte, next int) bool {
	if q.pattern && variable(level) >= 0 {
		return false // that child stands for something else
	}
	child := q.find(at, maphash.Bytes(seed, level), level)
	return child != 0 && q.walk(child, topic, next)
}

// walkVariables goes on at the variables that have the level as their value.
// So a name with a slash in it never fits, as it is no level, and one that is a
// wildcard does not either, as walk has dealt with wildcards. Nobody's name is
// empty, but the default mountpoint is.
func (q *query) walkVariables(at uint32, topic, level []byte, next int) bool {
	for v, name := range variables {
		if q.nodes[at].vars>>v&1 == 0 || string(level) != q.client[v] || v != mountpoint && len(level) == 0 {
			continue
		}
		child := q.find(at, varHashes[v], []byte(name))
		if child != 0 && q.walk(child, topic, next) {
			return true
		}
	}
	return false
}
