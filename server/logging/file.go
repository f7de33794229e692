package logging

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"vernemq/server/config"
)

// file is a log file that is begun anew at a size or a time. Old ones are
// called PATH.0, the youngest, PATH.1, and so on. Only its sink's goroutine uses it.
type file struct {
	config.LogFile
	crash   bool // Go's runtime writes here, too, when the process crashes
	when    schedule
	timed   bool
	f       *os.File
	size    int64
	next    time.Time // of rotation by time
	looked  time.Time // when the path was last compared with f
	now     func() time.Time
	packing sync.WaitGroup // compresses PATH.0
}

func openFile(c config.LogFile, crash bool) (*file, error) {
	f := &file{LogFile: c, crash: crash, now: time.Now}
	f.when, f.timed = parseSchedule(c.Time)
	if err := os.MkdirAll(filepath.Dir(c.Path), 0o750); err != nil {
		return nil, err
	}
	return f, f.open()
}

func (f *file) open() error {
	fd, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	st, err := fd.Stat()
	if err != nil {
		fd.Close()
		return err
	}
	f.f, f.size, f.looked = fd, st.Size(), f.now()
	if f.timed {
		begun := f.looked
		if f.size > 0 {
			begun = st.ModTime() // the node may have been away at the time of rotation
		}
		f.next = f.when.next(begun)
	}
	if f.crash {
		return debug.SetCrashOutput(fd, debug.CrashOptions{})
	}
	return nil
}

func (f *file) write(lines [][]byte) error {
	f.follow()
	for len(lines) > 0 {
		if f.timed && !f.now().Before(f.next) {
			f.rotate()
		}
		n := f.fit(lines)
		if n == 0 {
			f.rotate()
			n = max(f.fit(lines), 1)
		}
		if f.f == nil {
			if err := f.open(); err != nil {
				return err
			}
		}
		written, err := f.f.Write(bytes.Join(lines[:n], nil))
		f.size += int64(written)
		if err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// fit is how many lines the file may still take. An empty file takes one of any
// size.
func (f *file) fit(lines [][]byte) int {
	size := f.size
	for i, l := range lines {
		if size += int64(len(l)); f.Size > 0 && size > f.Size && (i > 0 || f.size > 0) {
			return i
		}
	}
	return len(lines)
}

// follow opens the path again when something else has moved the file away.
func (f *file) follow() {
	if f.f == nil || f.now().Sub(f.looked) < time.Second {
		return
	}
	f.looked = f.now()
	there, err := os.Stat(f.Path)
	if err == nil {
		if mine, e := f.f.Stat(); e == nil && os.SameFile(there, mine) {
			return
		}
	}
	f.reopen()
}

func (f *file) reopen() {
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	_ = f.open() // tried again by the next write
}

// rotate begins a new file. What fails on the way is left as it is: the log
// goes on.
func (f *file) rotate() {
	f.packing.Wait()
	if f.f != nil {
		f.f.Close()
		f.f = nil
	}
	if f.Keep == 0 {
		os.Remove(f.Path)
	} else {
		f.shift()
	}
	_ = f.open() // tried again by the write
	if f.timed {
		f.next = f.when.next(f.now())
	}
}

// shift renames the old files, of which the oldest goes.
func (f *file) shift() {
	name := func(i int, suffix string) string { return fmt.Sprintf("%s.%d%s", f.Path, i, suffix) }
	for _, suffix := range []string{"", ".gz"} {
		os.Remove(name(f.Keep-1, suffix))
		for i := f.Keep - 2; i >= 0; i-- {
			_ = os.Rename(name(i, suffix), name(i+1, suffix)) // most are not there
		}
	}
	if err := os.Rename(f.Path, name(0, "")); err == nil && f.Compress {
		f.packing.Go(func() { _ = pack(name(0, "")) }) // else it stays as it is
	}
}

// pack compresses a file.
func pack(path string) error {
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(path+".gz", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(to)
	_, err = io.Copy(z, from)
	for _, end := range []func() error{z.Close, to.Close} {
		if e := end(); err == nil {
			err = e
		}
	}
	if err != nil {
		os.Remove(path + ".gz")
		return err
	}
	return os.Remove(path)
}

func (f *file) close() error {
	f.packing.Wait()
	if f.crash {
		_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
	}
	if f.f == nil {
		return nil
	}
	return f.f.Close()
}
