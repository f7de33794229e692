package disk

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue"
	"vernemq/queue/store"
)

// ErrDamaged is what Open fails with when files of the store have wrong data.
var ErrDamaged = errors.New("the store is damaged")

// damaged is an error of damage, in its own words.
type damaged struct{ error }

func (d damaged) Is(target error) bool { return target == ErrDamaged }
func (d damaged) Unwrap() error        { return d.error }

// tornLog tells that a log has wrong data in the middle.
func tornLog(err error) bool {
	return errors.Is(err, record.ErrInvalidChunk) || errors.Is(err, record.ErrZeroedChunk) || errors.Is(err, record.ErrUnexpectedEOF)
}

// ofDamage tells whether Pebble could not open a store because of damage: wrong
// data, or a table that is missing or has another size.
func ofDamage(err error) bool {
	return tornLog(err) || pebble.IsCorruptionError(err) || errors.Is(err, os.ErrNotExist) ||
		strings.Contains(err.Error(), "object size mismatch") // has no type
}

// Damage that is found while the store is open, where a start does not look, is
// noted in a file, so that a later Open with Repair knows of it.
const damageNote = "DAMAGED"

func (g *guardFS) noteDamage(path string, err error) {
	name := g.PathJoin(g.dir, damageNote)
	if _, e := g.Stat(name); e == nil {
		return
	}
	f, e := g.FS.Create(name, vfs.WriteCategoryUnspecified)
	if e == nil {
		_, e = fmt.Fprintf(f, "%s: %v\n", path, err)
		e = errors.Join(e, f.Close())
	}
	if e != nil {
		g.fail.log.Warn("cannot note the damage", "file", name, "cause", e.Error())
	}
}

// damageNoted tells that an earlier process has found damage.
func (g *guardFS) damageNoted() bool {
	_, err := g.Stat(g.PathJoin(g.dir, damageNote))
	return err == nil
}

// Check reads what a start reads, and fails with ErrDamaged when something of it
// cannot be read. What is queued it does not read: damage in there is known when
// somebody has met it.
func (s *Store) Check() error {
	if s.guard.damageNoted() {
		return damaged{fmt.Errorf("its file %s says so", damageNote)}
	}
	err := s.Sessions(runtime.GOMAXPROCS(0), func(int, store.Client, *store.Session, []store.Subscription) error { return nil })
	if err == nil {
		err = s.Retained(func(string, *queue.Message) error { return nil })
	}
	if err == nil {
		err = s.Handovers(func(_ queue.Ref, h store.Handover) error { h.Msg.Release(); return nil })
	}
	if err == nil {
		err = s.Backlogs(func(store.Client, uint64) error { return nil })
	}
	if err == nil {
		err = s.Exchanging(func(store.Client) error { return nil })
	}
	if err != nil && s.fail.disk() == nil {
		return damaged{err}
	}
	return err
}

// unread notes that records cannot be read.
func (s *Store) unread(err error) error {
	if s.fail.disk() == nil {
		s.guard.noteDamage("records", err)
	}
	return err
}
