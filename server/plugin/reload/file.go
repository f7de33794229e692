// Package reload keeps what was made of a file and makes it again when the
// file changes. Readers never wait: they get the whole old value or the whole
// new one.
package reload

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// MaxSize is the largest file that is read. Tables count bytes with 32 bits.
const MaxSize = 1 << 30

// settled is how old a change must be to be told from a later one. Within it
// the clock of a file system may give two changes the same time.
const settled = 2 * time.Second

// stamp is what changes when a file does.
type stamp struct {
	device, inode uint64
	size          int64
	modified      time.Time
	changed       time.Time // of the inode: no program can set it back
}

// File is a file and the value made of it.
type File[T any] struct {
	path  string
	parse func(path string, text []byte) (*T, error)
	value atomic.Pointer[T]

	// Replaced, if it is set before the first reload, is called with each old
	// value after a new one is in force.
	Replaced func(old *T)

	mu    sync.Mutex // one reload at a time
	stamp stamp      // of the last text that was read
	sum   [2]uint64  // of the last text that was parsed: its size and hash
	err   error      // what came of it
}

var seed = maphash.MakeSeed()

// New makes a File whose value is first until a reload has succeeded. It reads
// nothing.
func New[T any](path string, first *T, parse func(path string, text []byte) (*T, error)) *File[T] {
	f := &File[T]{path: path, parse: parse}
	f.value.Store(first)
	return f
}

// Path is where the file lies.
func (f *File[T]) Path() string { return f.path }

// Get returns the value in force. Any goroutine may call it.
func (f *File[T]) Get() *T { return f.value.Load() }

// Reload reads the file if it has changed, and tells whether a new value is in
// force. After an error the old value stays; the error comes again until the
// file is right.
func (f *File[T]) Reload() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now, err := look(f.path)
	if err != nil {
		f.stamp = stamp{} // whatever comes back is new
		return false, fmt.Errorf("cannot read %s: %w", f.path, cause(err))
	}
	if now == f.stamp {
		return false, f.err
	}
	text, after, err := read(f.path)
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", f.path, cause(err))
	}
	f.stamp = after
	if age := time.Since(after.changed); age >= 0 && age < settled {
		f.stamp = stamp{} // look again, the next change may bear the same time
	}
	sum := [2]uint64{uint64(len(text)) + 1, maphash.Bytes(seed, text)} // never that of nothing parsed
	if sum == f.sum {
		return false, f.err
	}
	value, err := f.parse(f.path, text)
	f.sum, f.err = sum, err
	if err != nil {
		return false, err
	}
	old := f.value.Swap(value)
	if f.Replaced != nil {
		f.Replaced(old)
	}
	return true, nil
}

// Run reloads again and again until ctx ends; with an interval of 0 never. It
// reports nil when a new value is in force, and each error once for as long as
// it lasts.
func (f *File[T]) Run(ctx context.Context, every time.Duration, report func(error)) {
	if every <= 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := f.Reload()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if changed || text != "" && text != last {
			report(err)
		}
		last = text
	}
}

// read returns the whole text of one state of the file, and its stamp.
func read(path string) ([]byte, stamp, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, err
	}
	defer file.Close()
	before, err := fileStamp(file)
	if err != nil {
		return nil, stamp{}, err
	}
	var text bytes.Buffer
	text.Grow(int(before.size) + bytes.MinRead)
	if _, err := text.ReadFrom(&limited{file, MaxSize}); err != nil {
		return nil, stamp{}, err
	}
	after, err := fileStamp(file)
	if err != nil {
		return nil, stamp{}, err
	}
	if before != after || int64(text.Len()) != after.size {
		return nil, stamp{}, fmt.Errorf("the file changed while it was read")
	}
	return text.Bytes(), after, nil
}

// limited is a reader of a file that must not grow beyond a limit meanwhile.
type limited struct {
	file *os.File
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.file.Read(p)
	if l.left -= n; l.left < 0 {
		return n, errSize
	}
	return n, err
}

var errSize = fmt.Errorf("the file is larger than %d bytes", MaxSize)

// look returns the stamp of what the path leads to. It opens nothing: opening
// a pipe would wait for a writer.
func look(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info)
}

func fileStamp(file *os.File) (stamp, error) {
	info, err := file.Stat()
	if err != nil {
		return stamp{}, err
	}
	return stampOf(info)
}

func stampOf(info os.FileInfo) (stamp, error) {
	if !info.Mode().IsRegular() {
		return stamp{}, fmt.Errorf("it is not a regular file")
	}
	if info.Size() > MaxSize {
		return stamp{}, errSize
	}
	s := stamp{size: info.Size(), modified: info.ModTime()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.device, s.inode = uint64(sys.Dev), sys.Ino
		s.changed = time.Unix(sys.Ctim.Unix())
	}
	return s, nil
}

// cause takes the operation and the path off an error that will name them.
func cause(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}
