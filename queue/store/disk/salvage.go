package disk

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// salvage is a damaged store that is read without being changed.
//
// A log is read up to the first damage, and no later log: the rest is lost, as
// after a loss of power. Of a table with unreadable blocks the range of keys
// from before the first to behind the last of them is lost, in all tables: an
// unreadable block may have had a newer value of any key in it, or its
// deletion. The keys at the ends of the range are lost too, because a key's
// values may go over the edge of a block.
type salvage struct {
	s    *Store // never written to
	fs   *cutFS
	log  *slog.Logger
	lost []keyRange // sorted, apart

	unread    int  // records in blocks that cannot be read
	uncounted bool // there are more
	uncertain int  // records in lost that can be read
}

// keyRange is a range of keys with both its ends.
type keyRange struct{ from, to []byte }

func openSalvage(o Options) (*salvage, error) {
	x := &salvage{log: o.Log, fs: &cutFS{FS: o.FS}}
	x.s = prepare(Options{Dir: o.Dir, Node: o.Node, FS: o.FS, MemTable: o.MemTable})
	if err := checkManifest(o.FS, o.Dir); err != nil { // it says which tables count
		return nil, err
	}
	tables, err := x.openTables()
	if err == nil {
		err = x.check()
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	x.scan(tables)
	return x, nil
}

// openTables opens the store and gives its tables by level. Pebble gives none
// when one is missing, unless it believes that it is there.
func (x *salvage) openTables() ([][]pebble.SSTableInfo, error) {
	for {
		if err := x.open(); err != nil {
			return nil, err
		}
		tables, err := x.s.db.SSTables()
		if err == nil || !x.fs.pretend(err) {
			return tables, err
		}
		if err := x.close(); err != nil {
			return nil, err
		}
	}
}

// open opens the store, with ever less of its logs until that succeeds.
func (x *salvage) open() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	po := pebbleOptions(x.s)
	po.FS, po.ReadOnly, po.DisableConsistencyCheck = x.fs, true, true
	po.Cache = cacheOf(&x.s.opts)
	defer po.Cache.Unref()
	for {
		x.s.db, err = pebble.Open(x.s.opts.Dir, po)
		if err == nil || !tornLog(err) {
			return err
		}
		if err := x.shorten(); err != nil {
			return err
		}
	}
}

func (x *salvage) close() error {
	if x.s.db == nil {
		return nil
	}
	return x.s.db.Close()
}

// check refuses a store that is another node's or another program's. What of it
// cannot be read is no reason.
func (x *salvage) check() error {
	written, err := x.s.get(keyFormat)
	if err != nil || written == nil {
		return nil
	}
	if _, err := x.s.get(keyNode); err != nil {
		return nil
	}
	return x.s.checkMeta(written)
}

// scan looks at all blocks of all tables.
func (x *salvage) scan(levels [][]pebble.SSTableInfo) {
	for _, tables := range levels {
		for i := range tables {
			x.scanTable(&tables[i])
		}
	}
	slices.SortFunc(x.lost, func(a, b keyRange) int { return bytes.Compare(a.from, b.from) })
	apart := x.lost[:0]
	for _, l := range x.lost {
		if n := len(apart); n > 0 && bytes.Compare(l.from, apart[n-1].to) <= 0 {
			if bytes.Compare(l.to, apart[n-1].to) > 0 {
				apart[n-1].to = l.to
			}
			continue
		}
		apart = append(apart, l)
	}
	x.lost = apart
	for _, tables := range levels {
		for i := range tables {
			x.uncertain += x.inLost(&tables[i])
		}
	}
}

// touches tells whether a key that begins with p may be lost.
func (x *salvage) touches(p []byte) bool {
	end := after(bytes.Clone(p))
	return slices.ContainsFunc(x.lost, func(l keyRange) bool {
		return bytes.Compare(l.from, end) < 0 && bytes.Compare(p, l.to) <= 0
	})
}

// covers tells whether a key is in a range that is lost.
func (x *salvage) covers(key []byte) bool {
	return slices.ContainsFunc(x.lost, func(l keyRange) bool {
		return bytes.Compare(l.from, key) <= 0 && bytes.Compare(key, l.to) <= 0
	})
}

// each shows all records of a kind that can be trusted.
func (x *salvage) each(kind byte, f func(key, value []byte) error) error {
	from := []byte{kind}
	for _, l := range x.lost {
		if bytes.Compare(l.to, from) < 0 {
			continue
		}
		if err := x.between(from, minKey(l.from, []byte{kind + 1}), f); err != nil {
			return err
		}
		from = append(bytes.Clone(l.to), 0)
	}
	return x.between(from, []byte{kind + 1}, f)
}

func minKey(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		return a
	}
	return b
}

func (x *salvage) between(from, to []byte, f func(key, value []byte) error) error {
	if bytes.Compare(from, to) >= 0 {
		return nil
	}
	it, err := x.s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	for more := it.First(); more && err == nil; more = it.Next() {
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			err = f(it.Key(), value)
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}
