package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
)

// inLost counts what can be read of a table in the ranges that are lost.
func (x *salvage) inLost(t *pebble.SSTableInfo) (n int) {
	apart := func(l keyRange) bool {
		return bytes.Compare(t.Largest.UserKey, l.from) < 0 || bytes.Compare(l.to, t.Smallest.UserKey) < 0
	}
	lost := slices.DeleteFunc(slices.Clone(x.lost), apart)
	if len(lost) == 0 {
		return 0
	}
	r, err := x.openTable(x.tableName(t))
	if err != nil {
		return 0
	}
	defer func() { _ = r.Close() }()
	it, err := r.NewIter(sstable.NoTransforms, nil, nil, sstable.TableBlobContext{})
	if err != nil {
		return 0
	}
	defer func() { _ = it.Close() }()
	count := func(key pebble.InternalKey, l keyRange) bool {
		if bytes.Compare(key.UserKey, l.from) < 0 || bytes.Compare(key.UserKey, l.to) > 0 {
			return false
		}
		if k := key.Kind(); k == pebble.InternalKeyKindSet || k == pebble.InternalKeyKindMerge {
			n++
		}
		return true
	}
	for _, l := range lost {
		for kv := it.SeekGE(l.from, 0); kv != nil && count(kv.K, l); kv = it.Next() {
		}
		if it.Error() == nil {
			continue
		}
		for kv := it.SeekLT(append(bytes.Clone(l.to), 0), 0); kv != nil && count(kv.K, l); kv = it.Prev() {
		}
	}
	return n
}

func (x *salvage) tableName(t *pebble.SSTableInfo) string {
	return x.fs.PathJoin(x.s.opts.Dir, t.BackingSSTNum.String()+".sst")
}

func (x *salvage) scanTable(t *pebble.SSTableInfo) {
	name := x.tableName(t)
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
		x.log.Warn("repair: a table is damaged, all its records can be read", "file", name, "cause", err.Error())
		return
	}
	x.lost = append(x.lost, l)
	x.unread += max(records, 0)
	x.uncounted = x.uncounted || records < 0
	x.log.Warn("repair: records of a table are lost", "file", name, "from", fmt.Sprintf("%q", l.from), "to", fmt.Sprintf("%q", l.to), "cause", err.Error())
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
