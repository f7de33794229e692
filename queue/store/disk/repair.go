package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// A repair copies what can be trusted of a damaged store into a fresh one, and
// puts that in its place. The damaged one is kept aside as it is.
const (
	repairing = ".repairing" // the fresh store while it is filled
	repaired  = ".repaired"  // while it is put in its place
)

// repair repairs a store that is damaged because of cause. It needs as much free
// space as what it copies takes.
func repair(o Options, cause error) error {
	o.Log.Warn("the store is damaged and is repaired", "dir", o.Dir, "cause", cause.Error())
	for _, left := range []string{o.Dir + repairing, o.Dir + repaired} {
		if err := o.FS.RemoveAll(left); err != nil {
			return err
		}
	}
	c, err := copyTo(o, o.Dir+repairing)
	if err != nil {
		return errors.Join(err, o.FS.RemoveAll(o.Dir+repairing))
	}
	aside := o.Dir + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	if err := o.FS.Rename(o.Dir+repairing, o.Dir+repaired); err != nil {
		return err
	}
	if err := o.FS.Rename(o.Dir, aside); err != nil {
		return errors.Join(fmt.Errorf("cannot keep the damaged store aside: %w", err), o.FS.RemoveAll(o.Dir+repaired))
	}
	if err := finishRepair(o); err != nil {
		return err
	}
	o.Log.Warn("the store is repaired", "kept", counts(c.kept), "dropped", counts(c.dropped),
		"unreadable_records", c.unreadable(), "uncertain_records", c.uncertain(), "damaged_store", aside)
	return nil
}

// copyTo makes a fresh store of what can be trusted.
func copyTo(o Options, dir string) (*copier, error) {
	fresh := o
	fresh.Dir = dir
	to, err := open(fresh)
	if err != nil {
		return nil, err
	}
	c := newCopier(to)
	c.from, err = openSalvage(o)
	switch {
	case errors.Is(err, ErrDamaged):
		o.Log.Error("repair: nothing of the store can be read, the broker begins without it", "cause", err.Error())
		err = nil
	case err == nil:
		err = errors.Join(c.run(), c.from.close())
	}
	return c, errors.Join(err, to.Close())
}

// finishRepair puts a repaired store in its place, if there is none in it.
func finishRepair(o Options) error {
	if _, err := o.FS.Stat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := o.FS.Stat(o.Dir + repaired); err != nil {
		return nil
	}
	if err := o.FS.Rename(o.Dir+repaired, o.Dir); err != nil {
		return err
	}
	parent, err := o.FS.OpenDir(o.FS.PathDir(o.Dir))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// counts says how many records of each kind.
func counts(n map[byte]int) string {
	text := ""
	for _, k := range kinds {
		if n[k.kind] > 0 {
			text += fmt.Sprintf(", %d %s", n[k.kind], k.name)
		}
	}
	if text == "" {
		return "nothing"
	}
	return text[2:]
}
