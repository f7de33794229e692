package logging

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// Log is where the log goes, and may be changed while it is written. Any
// goroutine.
type Log struct {
	loggers []*Logger
	file    *file // nil when there is none
}

// Logger is one place to which the log goes. VerneMQ calls the console console
// and the file consolefile.
type Logger struct {
	Name, Type string // type: standard_io or file
	File       string
	handler    *handler

	mu    sync.Mutex
	level string
}

// Level is the lowest level that the logger takes.
func (l *Logger) Level() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.level
}

// Loggers are all of them.
func (l *Log) Loggers() []*Logger { return l.loggers }

// SetLevel changes the level of a logger. It is false when there is none of
// that name.
func (l *Log) SetLevel(name, level string) bool {
	for _, x := range l.loggers {
		if x.Name == name {
			x.mu.Lock()
			x.level = level
			x.handler.level.Set(levelOf(level))
			x.mu.Unlock()
			return true
		}
	}
	return false
}

func (l *Log) add(name, kind, path, level string, h *handler) {
	l.loggers = append(l.loggers, &Logger{Name: name, Type: kind, File: path, handler: h, level: level})
}

// Reopen opens the log file anew, for who has moved it away. After an error the
// old one is still written.
func (l *Log) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// Close closes the log file.
func (l *Log) Close() error {
	if l.file == nil {
		return nil
	}
	l.file.mu.Lock()
	defer l.file.mu.Unlock()
	return l.file.f.Close()
}

// file is a log file that may be opened anew.
type file struct {
	path string
	mu   sync.Mutex
	f    *os.File // under mu
}

func openFile(path string) (*file, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the log directory: %w", err)
	}
	x := &file{path: path}
	return x, x.reopen()
}

func (x *file) reopen() error {
	f, err := os.OpenFile(x.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o640)
	if err != nil {
		return fmt.Errorf("cannot open the log file: %w", err)
	}
	x.mu.Lock()
	old := x.f
	x.f = f
	x.mu.Unlock()
	if old == nil {
		return nil
	}
	if err := old.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("cannot close the old log file: %w", err)
	}
	return nil
}

func (x *file) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.f.Write(b)
}
