package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between Pebble and the disk.
//
// The first write or fsync in the directory that goes wrong is the last one
// that is tried: from then on the disk stays as it is, whatever Pebble does
// after an error that it regards as fatal. Such a disk is like one after a
// crash, and that is what Pebble can open. An fsync is not repeated, because
// the kernel may have dropped the pages and say that all is well.
//
// With lazy set, an fsync of the WAL only starts the writing. The data is with
// the kernel, as it should be after Pebble's "sync". It is made sure when the
// file is closed, so that only the latest WAL can have a ragged end.
type guardFS struct {
	vfs.FS
	dir  string
	lazy bool
	fail *failure

	serving atomic.Bool // Open has ended and Close has not begun
	hung    atomic.Bool // Pebble does not come back and cannot be closed

	replayed string // the WAL that Open has read last

	retries atomic.Int32 // opens that were slowed down

	once   sync.Once
	locked io.Closer
}

// Pebble repeats a failed flush or compaction at once, for ever. Each attempt
// opens a file, and waits there longer than the one before.
const (
	firstPause = 20 * time.Millisecond
	mostPause  = time.Second
)

// pause slows down what opens files after the disk has failed.
func (g *guardFS) pause() {
	if g.fail.disk() != nil {
		time.Sleep(min(firstPause<<min(g.retries.Add(1)-1, 10), mostPause))
	}
}

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// Lock keeps what releases the directory, so that it can be released even when
// Pebble cannot be closed.
func (g *guardFS) Lock(name string) (io.Closer, error) {
	c, err := g.FS.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("it is in use by another process: %w", err)
	}
	g.locked = c
	return g, nil
}

// Close releases the directory.
func (g *guardFS) Close() (err error) {
	g.once.Do(func() {
		if g.locked != nil {
			err = g.locked.Close()
		}
	})
	return err
}

func (g *guardFS) mine(name string) bool {
	rest, ok := strings.CutPrefix(name, g.dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]))
}

// try runs a write to a file of the store. No error is harmless: Pebble makes
// files under new names, in a directory that is there.
func (g *guardFS) try(name string, write func() error) error {
	if !g.mine(name) {
		return write()
	}
	err := g.fail.disk()
	if err == nil {
		if err = write(); err == nil {
			return nil
		}
		g.fail.set(name, err)
	}
	if g.serving.Load() && (isLog(name) || name == g.dir) {
		g.hang()
	}
	return err
}

// hang does not return. When Pebble cannot change from one WAL file to the
// next, it panics, and on the way unlocks a lock that it does not hold; no
// recover helps against that. The writer does not wait for it, see apply.
func (g *guardFS) hang() {
	g.hung.Store(true)
	select {}
}

func isLog(name string) bool { return strings.HasSuffix(name, ".log") }

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

func (g *guardFS) open(name string, open func() (vfs.File, error)) (f vfs.File, err error) {
	err = g.try(name, func() error { f, err = open(); return err })
	if err != nil {
		g.pause()
		if g.hung.Load() {
			g.hang() // nobody ends the attempts of such a Pebble
		}
		return nil, err
	}
	if !g.mine(name) {
		return f, nil
	}
	return &guardFile{File: f, name: name, fs: g, lazy: g.lazy && isLog(name)}, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.Create(name, c) })
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.open(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *guardFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.open(to, func() (vfs.File, error) { return g.FS.ReuseForWrite(from, to, c) })
}

func (g *guardFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if !g.serving.Load() && isLog(name) {
		g.replayed = name // Pebble's error does not say which
	}
	f, err := g.FS.Open(name, opts...)
	if err != nil {
		g.pause()
	}
	return f, err
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil || !g.mine(name) {
		return f, err
	}
	return &guardFile{File: f, name: name, fs: g}, nil
}

func (g *guardFS) Link(from, to string) error {
	return g.try(to, func() error { return g.FS.Link(from, to) })
}

func (g *guardFS) Rename(from, to string) error {
	return g.try(to, func() error { return g.FS.Rename(from, to) })
}

func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	return g.try(dir, func() error { return g.FS.MkdirAll(dir, perm) })
}

// Remove that fails only leaves a file too many; but none goes after a failure.
func (g *guardFS) Remove(name string) error {
	if err := g.fail.disk(); err != nil && g.mine(name) {
		return err
	}
	return g.FS.Remove(name)
}

func (g *guardFS) RemoveAll(name string) error {
	if err := g.fail.disk(); err != nil && g.mine(name) {
		return err
	}
	return g.FS.RemoveAll(name)
}

// guardFile is a file that is written. It is used by one goroutine at a time,
// as Pebble's files for writing are.
type guardFile struct {
	vfs.File
	name    string
	fs      *guardFS
	lazy    bool
	dirty   bool
	written int64
	started int64 // up to here the kernel was asked to write
}

func (f *guardFile) Write(p []byte) (n int, err error) {
	f.dirty = true
	err = f.fs.try(f.name, func() error { n, err = f.File.Write(p); return err })
	f.written += int64(n)
	return n, err
}

func (f *guardFile) WriteAt(p []byte, at int64) (n int, err error) {
	f.dirty = true
	err = f.fs.try(f.name, func() error { n, err = f.File.WriteAt(p, at); return err })
	return n, err
}

func (f *guardFile) Sync() error {
	if f.lazy {
		return f.start()
	}
	return f.fs.try(f.name, f.File.Sync)
}

func (f *guardFile) SyncData() error {
	if f.lazy {
		return f.start()
	}
	return f.fs.try(f.name, f.File.SyncData)
}

func (f *guardFile) SyncTo(n int64) (full bool, err error) {
	err = f.fs.try(f.name, func() error { full, err = f.File.SyncTo(n); return err })
	return full, err
}

// start lets the kernel write a lazy file in pieces, so that closing it does
// not wait for all of it.
func (f *guardFile) start() error {
	const piece = 1 << 20
	if f.written-f.started < piece {
		return f.fs.fail.disk()
	}
	f.started = f.written
	_, err := f.SyncTo(f.written)
	return err
}

func (f *guardFile) Close() error {
	var err error
	if f.lazy && f.dirty {
		err = f.fs.try(f.name, f.File.SyncData)
	}
	return errors.Join(err, f.File.Close())
}
