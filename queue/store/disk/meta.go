package disk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// The meta records:
//
//	'm' "format"  | version 1 | format 4 |
//	'm' "node"    | version 1 | name, to the end |
//	'm' "boot"    | version 1 | times opened 8 |
//
// Sequences and body ids are | times opened 24 bits | count 40 bits |: no
// number is given twice, and no count has to survive.
const (
	format    = 1
	bootShift = 40
)

var (
	keyFormat = []byte("mformat")
	keyNode   = []byte("mnode")
	keyBoot   = []byte("mboot")
)

// prepareMeta refuses what this program cannot read or should not, and begins
// a new range of numbers.
func (s *Store) prepareMeta() error {
	written, err := s.get(keyFormat)
	switch {
	case err != nil:
		return err
	case written == nil:
		if err := s.mustBeNew(); err != nil {
			return err
		}
	default:
		if err := s.checkMeta(written); err != nil {
			return err
		}
	}
	boot, err := s.boots()
	if err != nil {
		return err
	}
	s.last.Store(boot << bootShift)
	s.isNew = boot == 1
	return s.writeMeta(boot)
}

func (s *Store) mustBeNew() error {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	some := it.First()
	if err := it.Close(); err != nil {
		return err
	}
	if some {
		return errors.New("it has data but no format record: it is no store of this program")
	}
	return nil
}

func (s *Store) checkMeta(written []byte) error {
	if len(written) != 5 || written[0] != version {
		return fmt.Errorf("format record %x cannot be read; this program knows format %d", written, format)
	}
	if f := binary.BigEndian.Uint32(written[1:]); f != format {
		return fmt.Errorf("it has format %d, this program knows format %d", f, format)
	}
	node, err := s.get(keyNode)
	if err != nil {
		return err
	}
	if err := head("node record", node, 1, 0); err != nil {
		return err
	}
	if string(node[1:]) != s.opts.Node {
		return fmt.Errorf("it belongs to node %q, this node is %q", node[1:], s.opts.Node)
	}
	return nil
}

// boots is how often the store has been opened, with this time.
func (s *Store) boots() (uint64, error) {
	b, err := s.get(keyBoot)
	if err != nil || b == nil {
		return 1, err
	}
	if err := head("boot record", b, 1, 0); err != nil {
		return 0, err
	}
	n, err := number(b[1:])
	if err != nil {
		return 0, fmt.Errorf("boot record: %w", err)
	}
	if n++; n >= 1<<(64-bootShift) {
		return 0, errors.New("it was opened too often")
	}
	return n, nil
}

func (s *Store) writeMeta(boot uint64) error {
	w := s.db.NewBatch()
	err := errors.Join(
		w.Set(keyFormat, binary.BigEndian.AppendUint32([]byte{version}, format), nil),
		w.Set(keyNode, append([]byte{version}, s.opts.Node...), nil),
		w.Set(keyBoot, binary.BigEndian.AppendUint64([]byte{version}, boot), nil))
	if err != nil {
		return errors.Join(err, w.Close())
	}
	return s.applyOne(w) // closes it
}

// get reads a record; it is nil when there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	return getFrom(s.db, key)
}

func getFrom(r pebble.Reader, key []byte) ([]byte, error) {
	b, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)), b...)
	return out, closer.Close()
}
