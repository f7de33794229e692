package acl

import (
	"bytes"
	"hash/maphash"

	"vernemq/server/hooks"
)

// Access is what a client wants to do, and in a table what it may.
type Access uint8

const (
	Publish   Access = 1 << iota // write
	Subscribe                    // read
)

// Table is what an ACL file says. It never changes.
//
// It is one forest: a tree of levels for everybody, one for each user, and one
// of the patterns. All nodes lie in one slice and name each other by number, and
// one open hash table finds the child of a node by its level: a table of a
// million rules is four slices, and nothing for the garbage collector to walk
// through.
type Table struct {
	nodes  []node
	slots  []uint32 // numbers of nodes; 0 is empty, as no child is number 0
	levels []byte   // the texts of the nodes, one behind the other
	rules  int
	epoch  *hooks.Epoch // until another table is in force
}

// The first nodes are roots. The children of users are the roots of the users,
// found by name as any other child.
const (
	everybody uint32 = iota
	patterns
	users
	roots // number of them
)

// node is the end of the levels that lead to it from its root.
type node struct {
	parent uint32
	text   uint32 // place of its level in Table.levels
	plus   uint32 // the child that is +, 0 without one
	size   uint16 // of its level
	end    Access // given by filters that end here
	below  Access // given by filters that end in # behind it
	vars   uint8  // bits of variables that are children
}

// seed is the key of the hashes of levels.
var seed = maphash.MakeSeed()

// mountpoint is the number of the variable %m.
const mountpoint = 2

// The variables of patterns, in the order of their bits.
var (
	variables = [...]string{"%u", "%c", "%m"}
	varHashes = [...]uint64{maphash.String(seed, "%u"), maphash.String(seed, "%c"), maphash.String(seed, "%m")}
)

// variable is the number of the variable that a level is, -1 if it is none.
func variable(level []byte) int {
	if len(level) == 2 && level[0] == '%' {
		switch level[1] {
		case 'u':
			return 0
		case 'c':
			return 1
		case 'm':
			return mountpoint
		}
	}
	return -1
}

// spread makes the hash of a child of the hash of its level.
func spread(parent uint32, hash uint64) uint64 {
	hash ^= uint64(parent) * 0x9E3779B97F4A7C15
	hash ^= hash >> 32
	return hash * 0xD6E8FEB86659FD93 >> 16
}

// slot finds the slot of a child, or the empty one where it would be.
func (t *Table) slot(parent uint32, hash uint64, level []byte) int {
	mask := len(t.slots) - 1
	slot := int(spread(parent, hash)) & mask
	for ; t.slots[slot] != 0; slot = (slot + 1) & mask {
		n := &t.nodes[t.slots[slot]]
		if n.parent == parent && int(n.size) == len(level) && string(t.text(n)) == string(level) {
			break
		}
	}
	return slot
}

func (t *Table) text(n *node) []byte { return t.levels[n.text : n.text+uint32(n.size)] }

// find is the child of a node by its level, 0 without one.
func (t *Table) find(parent uint32, hash uint64, level []byte) uint32 {
	return t.slots[t.slot(parent, hash, level)]
}

// Len is the number of different rules.
func (t *Table) Len() int { return t.rules }

// builder makes a table.
type builder struct{ t Table }

func newBuilder() *builder {
	return &builder{Table{nodes: make([]node, roots, 64), slots: make([]uint32, 64), epoch: new(hooks.Epoch)}}
}

// child finds or makes the child of a node that has that level as its text.
func (b *builder) child(parent uint32, level []byte) uint32 {
	t := &b.t
	slot := t.slot(parent, maphash.Bytes(seed, level), level)
	if n := t.slots[slot]; n != 0 {
		return n
	}
	n := b.node(parent, level)
	t.slots[slot] = n
	if len(t.nodes) > len(t.slots)/3*2 {
		b.grow()
	}
	return n
}

func (b *builder) node(parent uint32, level []byte) uint32 {
	t := &b.t
	t.nodes = append(t.nodes, node{parent: parent, text: uint32(len(t.levels)), size: uint16(len(level))})
	t.levels = append(t.levels, level...)
	return uint32(len(t.nodes) - 1)
}

// grow doubles the hash table. Children that are + are in none.
func (b *builder) grow() {
	t := &b.t
	old := t.slots
	t.slots = make([]uint32, 2*len(old))
	for _, i := range old {
		if i != 0 {
			n := &t.nodes[i]
			t.slots[t.slot(n.parent, maphash.Bytes(seed, t.text(n)), t.text(n))] = i
		}
	}
}

// add adds a rule to the tree of a root.
func (b *builder) add(root uint32, filter []byte, access Access) {
	at := root
	for more := true; more; {
		var level []byte
		level, filter, more = bytes.Cut(filter, []byte{'/'})
		switch string(level) {
		case "#":
			b.grant(&b.t.nodes[at].below, access)
			return
		case "+":
			at = b.plus(at)
			continue
		}
		if v := variable(level); v >= 0 && root == patterns {
			b.t.nodes[at].vars |= 1 << v
		}
		at = b.child(at, level)
	}
	b.grant(&b.t.nodes[at].end, access)
}

func (b *builder) plus(at uint32) uint32 {
	if b.t.nodes[at].plus == 0 {
		n := b.node(at, nil)
		b.t.nodes[at].plus = n
	}
	return b.t.nodes[at].plus
}

func (b *builder) grant(to *Access, access Access) {
	if access&^*to != 0 {
		b.t.rules++
	}
	*to |= access
}

// table gives the table, without the room that was kept for more.
func (b *builder) table() *Table {
	t := b.t
	t.nodes = append(make([]node, 0, len(t.nodes)), t.nodes...)
	t.levels = append(make([]byte, 0, len(t.levels)), t.levels...)
	return &t
}
