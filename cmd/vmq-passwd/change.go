package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// change gives a file another text, all at once: the broker sees the old text
// or the new one. The work copy FILE.tmp also keeps a second vmq-passwd away.
// A file that keeps its text is not touched.
func change(file string, create bool, edit func(text []byte) ([]byte, error)) (err error) {
	target, err := filepath.EvalSymlinks(file) // a link stays one
	if create && errors.Is(err, fs.ErrNotExist) {
		target, err = file, nil
	}
	if err != nil {
		return unable(file, err)
	}
	temp := target + ".tmp"
	w, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return sayf("File %s exists. Remove it if no other vmq-passwd is running", temp)
	}
	if err != nil {
		return unable(temp, err)
	}
	defer onSignal(func() { _ = os.Remove(temp) })()
	renamed := false // from then on the name may be another's
	defer func() {
		_ = w.Close()
		if renamed {
			return
		}
		if e := os.Remove(temp); e != nil && !errors.Is(e, fs.ErrNotExist) && err == nil {
			err = sayf("Unable to remove %s. %s", temp, sentence(cause(e)))
		}
	}()
	text, err := takeOver(target, w)
	if err != nil && !(create && errors.Is(err, fs.ErrNotExist)) {
		return unable(file, err)
	}
	changed, err := edit(text)
	if err != nil {
		return err
	}
	if bytes.Equal(changed, text) && !create {
		return nil
	}
	renamed, err = put(w, target, changed)
	if err != nil {
		return sayf("Unable to write password file %s. %s", file, sentence(cause(err)))
	}
	return nil
}

// onSignal has something done before a signal ends the command, until the
// function that it returns is called.
func onSignal(do func()) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case <-done:
		case s := <-signals:
			do()
			os.Exit(128 + int(s.(syscall.Signal)))
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
	}
}

// takeOver reads a file and gives its owner and mode to the work copy: the
// broker, which may be another user, must still be able to read it.
func takeOver(file string, w *os.File) ([]byte, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		if err := w.Chown(int(sys.Uid), int(sys.Gid)); err != nil {
			return nil, err
		}
	}
	if err := w.Chmod(info.Mode().Perm()); err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// put writes the work copy and puts it in the place of the file. It tells
// whether the place is taken, even if the disk may not know yet.
func put(w *os.File, target string, text []byte) (renamed bool, err error) {
	if _, err := w.Write(text); err != nil {
		return false, err
	}
	if err := w.Sync(); err != nil {
		return false, err
	}
	if err := os.Rename(w.Name(), target); err != nil {
		return false, err
	}
	dir, err := os.Open(filepath.Dir(target))
	if err != nil {
		return true, err
	}
	defer dir.Close()
	return true, dir.Sync()
}
