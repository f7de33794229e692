package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
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

	unread    int  // records in lost
	uncounted bool // there are more
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
}

func (x *salvage) scanTable(t *pebble.SSTableInfo) {
	name := x.fs.PathJoin(x.s.opts.Dir, t.BackingSSTNum.String()+".sst")
	l := keyRange{bytes.Clone(t.Smallest.UserKey), bytes.Clone(t.Largest.UserKey)}
	records := -1
	r, err := x.openTable(name)
	if err == nil {
		if err = r.ValidateBlockChecksums(); err == nil {
			_ = r.Close()
			return
		}
		records, l = unreadable(r, l)
		_ = r.Close()
	}
	if records == 0 {
		x.log.Warn("repair: a table is damaged, all its records can be read", "file", name, "cause", err)
		return
	}
	x.lost = append(x.lost, l)
	x.unread += max(records, 0)
	x.uncounted = x.uncounted || records < 0
	x.log.Warn("repair: records of a table are lost", "file", name, "from", fmt.Sprintf("%q", l.from), "to", fmt.Sprintf("%q", l.to), "cause", err)
}

func (x *salvage) openTable(name string) (*sstable.Reader, error) {
	f, err := x.fs.Open(name)
	if err != nil {
		return nil, err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	po := pebbleOptions(x.s)
	po.EnsureDefaults()
	return sstable.NewReader(context.Background(), readable, po.MakeReaderOptions()) // closes the file when it fails
}

// unreadable narrows the range of a table to that in which it cannot be read,
// and tells how many of its records are in there, -1 when nobody knows.
func unreadable(r *sstable.Reader, l keyRange) (records int, in keyRange) {
	ctx := context.Background()
	deletions, err := r.NewRawRangeDelIter(ctx, sstable.NoFragmentTransforms, sstable.NoReadEnv)
	if err != nil {
		return -1, l
	}
	if deletions != nil {
		deletions.Close()
	}
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.TableBlobContext{})
	if err != nil {
		return -1, l
	}
	defer func() { _ = it.Close() }() // tells what was met on the way
	read := 0
	for kv := it.First(); kv != nil; kv = it.Next() {
		read++
		l.from = append(l.from[:0], kv.K.UserKey...)
	}
	if it.Error() == nil {
		return 0, l
	}
	for kv := it.Last(); kv != nil; kv = it.Prev() {
		read++
		l.to = append(l.to[:0], kv.K.UserKey...)
	}
	p, err := r.ReadPropertiesBlock(ctx, nil)
	if err != nil {
		return -1, l
	}
	return int(p.NumEntries) - read, l
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
