package passwd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"

	"vernemq/server/plugin/reload"
)

// MaxLine is the length of the longest line, as in VerneMQ's tool.
const MaxLine = 1024

// Result is what a check comes to.
type Result byte

const (
	Unknown Result = iota // no such user: the next plugin may know it
	Wrong                 // the user is there, the password is another
	Right
)

// seed is the key of the hashes of user names.
var seed = maphash.MakeSeed()

// Table is what a password file says. It never changes.
//
// All users lie in one slice, one behind the other, found through an open hash
// table of their places. That is a fifth of what a map of strings takes, and
// nothing for the garbage collector to walk through.
type Table struct {
	entries []byte
	slots   []uint32 // places in entries, plus one; 0 is empty
	users   int
}

// An entry is the header, the user, and what parseHash keeps:
// length of the user (2 bytes), length of the hash (2), kind (1).
const header = 5

// entry is a user as it lies in the table.
type entry struct {
	user, stored []byte
	kind         kind
}

// Parse makes a table of the text of a password file. A bad line is an error
// that names the file and the line.
func Parse(name string, text []byte) (*Table, error) {
	if len(text) > reload.MaxSize {
		return nil, fmt.Errorf("%s: file is larger than %d bytes", name, reload.MaxSize)
	}
	t := &Table{slots: make([]uint32, slotsFor(text)), entries: make([]byte, 0, len(text))}
	for line := range reload.Lines(text) {
		if err := t.add(line); err != nil {
			if errors.Is(err, errTwice) {
				err = fmt.Errorf("user %q is in line %d, too", userOf(line.Text), firstLine(text, userOf(line.Text)))
			}
			return nil, fmt.Errorf("%s:%d: %w", name, line.Number, err)
		}
	}
	t.entries = append(make([]byte, 0, len(t.entries)), t.entries...) // without the room that is left
	return t, nil
}

// slotsFor gives the size of the hash table: a power of two, at most two thirds
// full.
func slotsFor(text []byte) int {
	lines := bytes.Count(text, []byte{'\n'}) + 1
	return 1 << bits.Len(uint(lines+lines/2))
}

var errTwice = errors.New("user twice")

func (t *Table) add(line reload.Line) error {
	if Comment(line.Text) {
		return nil
	}
	if err := line.Check(MaxLine); err != nil {
		return err
	}
	user, hash, ok := bytes.Cut(line.Text, []byte{':'})
	if !ok || len(user) == 0 {
		return errors.New("USER:HASH was expected")
	}
	slot, known := t.slot(maphash.Bytes(seed, user), user)
	if known {
		return errTwice
	}
	place := len(t.entries)
	entries := append(t.entries, make([]byte, header)...)
	entries = append(entries, user...)
	k, entries, err := parseHash(hash, entries)
	if err != nil {
		return err
	}
	head := entries[place:]
	binary.LittleEndian.PutUint16(head, uint16(len(user)))
	binary.LittleEndian.PutUint16(head[2:], uint16(len(head)-header-len(user)))
	head[4] = byte(k)
	t.entries = entries
	t.slots[slot] = uint32(place) + 1
	t.users++
	return nil
}

// Comment tells whether a line of a password file says nothing about users.
func Comment(line []byte) bool { return len(line) == 0 || line[0] == '#' }

// userOf is the user that a line is about; nil when it is about none.
func userOf(line []byte) []byte {
	user, _, ok := bytes.Cut(line, []byte{':'})
	if !ok || Comment(line) {
		return nil
	}
	return user
}

func firstLine(text, user []byte) int {
	for line := range reload.Lines(text) {
		if bytes.Equal(userOf(line.Text), user) {
			return line.Number
		}
	}
	return 0
}

// at is the entry in a slot that is not empty.
func (t *Table) at(slot int) entry {
	e := t.entries[t.slots[slot]-1:]
	user := header + int(binary.LittleEndian.Uint16(e))
	return entry{e[header:user], e[user : user+int(binary.LittleEndian.Uint16(e[2:]))], kind(e[4])}
}

// slot finds the slot of a user, or the empty one where it would be.
func (t *Table) slot(hash uint64, user []byte) (slot int, known bool) {
	mask := len(t.slots) - 1
	for slot = int(hash) & mask; t.slots[slot] != 0; slot = (slot + 1) & mask {
		if bytes.Equal(t.at(slot).user, user) {
			return slot, true
		}
	}
	return slot, false
}

// find gives the entry of a user. For an unknown one it gives that of somebody
// else, always the same: a caller that checks the password all the same takes
// as long as for a known user, even if the file has hashes of several costs.
// The table must not be empty.
func (t *Table) find(user string) (e entry, known bool) {
	name := []byte(user)
	slot, known := t.slot(maphash.Bytes(seed, name), name)
	for t.slots[slot] == 0 {
		slot = (slot + 1) & (len(t.slots) - 1)
	}
	return t.at(slot), known
}

// Len is the number of users.
func (t *Table) Len() int { return t.users }

// Check compares a password with that of a user. It costs the same whether the
// user is known or not, and whether the password is right or wrong.
func (t *Table) Check(user string, password []byte) Result {
	if t.users == 0 {
		return Unknown
	}
	e, known := t.find(user)
	return result(known, verify(e.kind, e.stored, password))
}

func result(known, right bool) Result {
	switch {
	case !known:
		return Unknown
	case !right:
		return Wrong
	}
	return Right
}
