// Package logging writes the broker's log in VerneMQ's format to the places
// that a configuration names (reference: logs): console, files that rotate,
// syslog. Whoever logs never waits for any of them: lines are queued, a
// goroutine for each place writes them, and what is too much is counted.
package logging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"vernemq/server/config"
)

// The names of the places, in VerneMQ's words.
const (
	consoleName = "console"
	fileName    = "consolefile"
	errorName   = "default"
	crashName   = "crash"
	syslogName  = "syslog"
)

// Log is the log of a node. Its methods may be called by any goroutine.
type Log struct {
	sinks   []*sink
	lowest  atomic.Int64 // slog.Level below which nothing is logged at all
	repeats repeats
	end     chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex // guards modules
	modules map[string]*module
}

// module is a part of the broker whose level may be set apart.
type module struct {
	name  string
	level atomic.Int64 // slog.Level
	apart atomic.Bool  // level counts, and not those of the places
}

// Open opens the log. node is the name of the node, for syslog.
func Open(c config.Log, console io.Writer) (*Log, error) {
	l := &Log{end: make(chan struct{}), modules: map[string]*module{}}
	l.lowest.Store(int64(levelOf(c.Lowest)))
	l.repeats.lines = map[string]*repeat{}
	if err := l.open(&c, console); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	l.running.Go(l.sumUp)
	return l, nil
}

func (l *Log) open(c *config.Log, console io.Writer) error {
	if c.Console == "console" || c.Console == "both" {
		l.add(&sink{name: consoleName, format: formatOf(c.ConsoleFormat == "json", c.Simple), out: plain{console}}, c.Level)
	}
	type file struct {
		name, level string
		config.LogFile
	}
	for _, f := range []file{{fileName, c.Level, c.File}, {errorName, "error", c.Error}, {crashName, "error", c.Crash}} {
		if f.Path == "" {
			continue
		}
		out, err := openFile(f.LogFile, f.name == crashName)
		if err != nil {
			return fmt.Errorf("cannot open the log file %s: %w", f.Path, err)
		}
		s := &sink{name: f.name, file: f.Path, format: formatOf(f.JSON, c.Simple), out: out}
		if f.name == crashName {
			s.crashes, s.format = true, crashFormat(c.CrashMessage)
		}
		l.add(s, f.level)
	}
	if c.Syslog == nil {
		return nil
	}
	out, format, err := openSyslog(c.Syslog)
	if err != nil {
		return err
	}
	l.add(&sink{name: syslogName, format: format, out: out}, c.Syslog.Level)
	return nil
}

func (l *Log) add(s *sink, level string) {
	s.level.Store(int64(levelOf(level)))
	s.filled = make(chan struct{}, 1)
	l.sinks = append(l.sinks, s)
	s.done.Go(s.run)
}

// Logger is the logger of all that has no module.
func (l *Log) Logger() *slog.Logger { return slog.New(&handler{log: l}) }

// Module is the logger of a part of the broker.
func (l *Log) Module(name string) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.modules[name]
	if m == nil {
		m = &module{name: name}
		l.modules[name] = m
	}
	return slog.New(&handler{log: l, module: m})
}

// ErrUnknown is the error of SetLevel for a name that nothing has.
//
//lint:ignore ST1005 VerneMQ says it in these words
var ErrUnknown = errors.New("Unknown logger")

// SetLevel sets the lowest level of a place (console, consolefile, default,
// crash, syslog) or of a module, which then counts for all places. It says so
// in the log.
func (l *Log) SetLevel(name, level string) error {
	if !slices.Contains(levelNames, level) && level != "all" && level != "none" {
		//lint:ignore ST1005 VerneMQ says it in these words
		return fmt.Errorf("Invalid value: %q", level)
	}
	v := int64(levelOf(level))
	for _, s := range l.sinks {
		if s.name == name {
			s.level.Store(v)
			l.Logger().Info(fmt.Sprintf("Changed log level for Logger %q to %q", name, level))
			return nil
		}
	}
	l.mu.Lock()
	m := l.modules[name]
	l.mu.Unlock()
	if m == nil {
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	}
	m.level.Store(v)
	m.apart.Store(true)
	l.Logger().Info(fmt.Sprintf("Changed log level for module %q to %q", name, level))
	return nil
}

// Place is where the log goes.
type Place struct {
	Logger, Level, Type, File string // File is - where there is none
}

// Places are those in use, in VerneMQ's order.
func (l *Log) Places() (out []Place) {
	for _, name := range []string{crashName, fileName, consoleName, errorName, syslogName} {
		for _, s := range l.sinks {
			if s.name != name {
				continue
			}
			p := Place{name, nameOf(slog.Level(s.level.Load())), "standard_io", "-"}
			if s.file != "" {
				p.Type, p.File = "file", s.file
			} else if name == syslogName {
				p.Type = "syslog"
			}
			out = append(out, p)
		}
	}
	return out
}

// Reopen opens all files again, after something else has moved them. They are
// also opened again, within a second, when that is noticed.
func (l *Log) Reopen() {
	for _, s := range l.sinks {
		s.ask(func(o output) {
			if f, ok := o.(*file); ok {
				f.reopen()
			}
		})
	}
}

// closeTimeout is how long a place may take for what is queued when the log is
// closed.
const closeTimeout = 2 * time.Second

// Close writes what is queued and closes the files.
func (l *Log) Close() error {
	close(l.end)
	l.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for _, s := range l.sinks {
		errs = append(errs, s.close(ctx))
	}
	return errors.Join(errs...)
}

// sumUp tells of lines that were repeated.
func (l *Log) sumUp() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-l.end:
			l.repeats.flush(time.Time{}, l.write)
			return
		case now := <-every.C:
			l.repeats.flush(now, l.write)
		}
	}
}
