package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"vernemq/queue"
)

// Options says where and how a store keeps its data.
type Options struct {
	Dir  string
	Node string // name of the node that the data belongs to
	// Sync waits for the disk at every commit of a group: what is done survives
	// a power loss. Without, it is with the kernel and survives the end of the
	// process.
	Sync     bool
	Cache    int64        // bytes of table blocks in memory, 64 MiB when 0
	MemTable uint64       // bytes of a memtable (up to four exist), 32 MiB when 0
	Repair   bool         // Open makes a damaged store anew, of what can be read
	FS       vfs.FS       // the operating system's when nil
	Log      *slog.Logger // none when nil
	// Retained gives the retained message of a topic, nil when there is none,
	// for Batch.Retain. The writer calls it: the message must not be pooled.
	Retained func(mountpoint, topic string) *queue.Message

	piece     int   // entries deleted in one group, 1,024 when 0
	receivers int32 // entries of a body, 1,024 when 0
}

// Store is an open store. All functions may be called from any goroutine.
type Store struct {
	opts      Options
	db        *pebble.DB
	cache     *pebble.Cache
	isNew     bool // until it is open
	guard     *guardFS
	fail      *failure
	piece     int
	receivers int32

	last    atomic.Uint64 // number given last, for sequences and bodies
	batches atomic.Uint32 // number of the latest batch

	mu     sync.Mutex
	groups []*gathered // what was handed over, the last one still gathers
	spare  *gathered
	rests  resting // what the writer waits for
	closed bool
	bytes  atomic.Int64 // of groups and of the one being committed

	writer  writer
	wake    chan struct{} // rests is over
	running sync.WaitGroup
	ended   chan struct{} // closed when there is no writer any more
	figures figures
	pool    sync.Pool
}

// Open opens the store in a directory, and makes it if there is none. One that
// is damaged it refuses with ErrDamaged, or repairs it.
func Open(o Options) (*Store, error) {
	o = withDefaults(o)
	if err := finishRepair(o); err != nil {
		return nil, fmt.Errorf("cannot put the repaired store in its place: %w", err)
	}
	s, err := open(o)
	if !o.Repair {
		return s, err
	}
	if err == nil {
		if err = s.Check(); err == nil {
			return s, nil
		}
		_ = s.Close() // tells of the damage again
	}
	if !errors.Is(err, ErrDamaged) {
		return nil, err
	}
	if cause := repair(o, err); cause != nil {
		return nil, fmt.Errorf("cannot repair store %s: %w", o.Dir, cause)
	}
	return open(o)
}

func open(o Options) (*Store, error) {
	s := prepare(o)
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("cannot open store %s: %w", o.Dir, err)
	}
	s.guard.serving.Store(true)
	s.running.Add(1)
	go s.write()
	go s.standBy()
	if s.isNew && o.Sync {
		// Pebble began the first log before the format was raised, without notes
		// of how much of it was synced. The next one has them.
		err := s.guarded(s.db.Flush)
		if err == nil {
			err = syncParents(o.FS, o.Dir)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot make store %s: %w", o.Dir, errors.Join(err, s.Close()))
		}
	}
	return s, nil
}

// syncParents makes the directories sure in which one lies: they may have been
// made just before it.
func syncParents(of vfs.FS, dir string) error {
	for {
		parent := of.PathDir(dir)
		d, err := of.OpenDir(parent)
		if err == nil {
			err = errors.Join(d.Sync(), d.Close())
		}
		switch {
		case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EINVAL):
			return nil // nothing is made in there
		case err != nil || parent == of.PathDir(parent):
			return err
		}
		dir = parent
	}
}

func withDefaults(o Options) Options {
	o.Dir = filepath.Clean(o.Dir)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

func prepare(o Options) *Store {
	o = withDefaults(o)
	s := &Store{
		opts: o, fail: newFailure(o.Log), piece: o.piece, receivers: o.receivers,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if s.piece == 0 {
		s.piece = 1024
	}
	if s.receivers == 0 {
		s.receivers = 1024
	}
	s.guard = &guardFS{FS: o.FS, dir: o.Dir, lazy: !o.Sync, fail: s.fail}
	s.fail.note = s.guard.noteDamage
	s.writer.timer = time.NewTimer(0) // is reset before it is waited for
	s.pool.New = func() any { return &Batch{store: s, shared: map[*queue.Message]int32{}} }
	return s
}

func (s *Store) open() error {
	if err := s.guard.MkdirAll(s.opts.Dir, 0o750); err != nil {
		return err
	}
	err := checkManifest(s.guard, s.opts.Dir)
	if err == nil && s.guard.damageNoted() {
		s.opts.Log.Warn("the store is known to be damaged", "note", damageNote)
	}
	if err == nil {
		err = s.openPebble()
	}
	if err == nil {
		if err = s.prepareData(); err == nil {
			return nil
		}
		err = errors.Join(err, s.closePebble())
	}
	if s.fail.damaged() || s.fail.disk() == nil && ofDamage(err) {
		err = damaged{err}
	}
	return errors.Join(err, s.guard.Close())
}

func (s *Store) openPebble() (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.guard.hung.Store(true)
			err = panicked(p)
		}
	}()
	s.cache = cacheOf(&s.opts)
	defer s.cache.Unref() // the database holds it
	s.db, err = pebble.Open(s.opts.Dir, pebbleOptions(s))
	if tornLog(err) {
		err = fmt.Errorf("file %s: %w", s.guard.replayed, err)
	}
	if failed := s.fail.any(); failed != nil {
		if err == nil {
			err = s.closePebble()
		}
		return errors.Join(failed, err)
	}
	return err
}

func (s *Store) prepareData() error {
	if err := s.prepareMeta(); err != nil {
		return err
	}
	if err := s.findDoomed(); err != nil {
		return err
	}
	return s.fail.any()
}

// NewBatch gives an empty batch.
func (s *Store) NewBatch() *Batch {
	b := s.pool.Get().(*Batch)
	for b.number = 0; b.number == 0; { // 0 is that of a queue.Ref from the disk
		b.number = s.batches.Add(1)
	}
	return b
}

// Behind is the number of bytes that were handed over and are not committed.
// It is cheap; a loop may ask it before it reads more from its clients.
func (s *Store) Behind() int64 { return s.bytes.Load() }

// number gives a number that was never given before, higher than all of them.
func (s *Store) number() uint64 { return s.last.Add(1) }

// Last is the number that was given last: every entry enqueued from now on has
// a higher sequence.
func (s *Store) Last() uint64 { return s.last.Load() }

// Health is nil, or what has gone wrong: the disk, after which nothing is
// written any more, or a file with wrong data.
func (s *Store) Health() error { return s.fail.any() }

// Checkpoint copies the store as it is now into a directory that does not
// exist yet, outside of the store's own. Most files are linked, if the
// directory is on the same file system.
func (s *Store) Checkpoint(dir string) error {
	if err := s.fail.disk(); err != nil {
		return fmt.Errorf("cannot write checkpoint %s: %w", dir, err)
	}
	err := s.guarded(func() error { return s.db.Checkpoint(dir, pebble.WithFlushedWAL()) })
	if err != nil {
		return fmt.Errorf("cannot write checkpoint %s: %w", dir, err)
	}
	return nil
}

// Close commits what was handed over and closes the store. Nobody may be
// reading.
//
// After a failed write to the WAL Pebble cannot be closed. It then stays in
// memory without touching the disk, and the directory can be opened again. A
// store that has failed tells that again.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	s.closed = true
	s.wakeWriter()
	s.mu.Unlock()
	s.running.Wait()
	close(s.ended)
	var err error
	if s.fail.any() == nil { // tables are read faster than a log, and damage in them is found
		err = s.guarded(s.db.Flush)
	}
	s.guard.serving.Store(false)
	err = errors.Join(err, s.closePebble(), s.guard.Close())
	if failed := s.fail.disk(); failed != nil {
		err = failed // the others follow from it
	}
	if err != nil {
		return fmt.Errorf("cannot close store %s: %w", s.opts.Dir, err)
	}
	return nil
}

// guarded calls Pebble where it writes. When the disk fails, Pebble may never
// come back: it waits for a flush that does not succeed, or hangs in guardFS.
func (s *Store) guarded(write func() error) error {
	result := make(chan error, 1)
	go func() { result <- write() }()
	return s.await(result)
}

func (s *Store) await(result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-s.fail.closed:
	}
	for range 100 {
		select {
		case <-result:
			return s.fail.disk()
		case <-time.After(10 * time.Millisecond):
		}
		if s.guard.hung.Load() {
			break
		}
	}
	s.guard.hung.Store(true)
	return s.fail.disk()
}

func (s *Store) closePebble() (err error) {
	if s.guard.hung.Load() {
		return s.fail.disk()
	}
	defer func() {
		if p := recover(); p != nil {
			s.guard.hung.Store(true)
			err = panicked(p)
		}
	}()
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}
