package reload

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// parseText takes any text but one that begins with "bad".
func parseText(path string, text []byte) (*string, error) {
	s := string(text)
	if strings.HasPrefix(s, "bad") {
		return nil, errors.New(path + ":1: bad")
	}
	return &s, nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newFile(t *testing.T) (*File[string], string) {
	path := filepath.Join(t.TempDir(), "file")
	first := "first"
	return New(path, &first, parseText), path
}

// expect reloads and compares.
func expect(t *testing.T, f *File[string], changed bool, value, wrong string) {
	t.Helper()
	got, err := f.Reload()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if got != changed || *f.Get() != value || (wrong == "") != (text == "") || !strings.Contains(text, wrong) {
		t.Errorf("Reload is %v %q, value %q; want %v %q, value %q", got, text, *f.Get(), changed, wrong, value)
	}
}

// settle makes the file look as if its last change were long ago.
func (f *File[T]) settle(t *testing.T) {
	t.Helper()
	s, err := look(f.path)
	if err != nil {
		t.Fatal(err)
	}
	f.stamp = s
}

func TestReload(t *testing.T) {
	f, path := newFile(t)
	expect(t, f, false, "first", "no such file")
	write(t, path, "one")
	expect(t, f, true, "one", "")
	expect(t, f, false, "one", "") // too young to go by its time, so it is read again
	if f.stamp != (stamp{}) {
		t.Error("a young stamp was trusted")
	}
	f.settle(t)
	expect(t, f, false, "one", "")
	write(t, path, "bad")
	expect(t, f, false, "one", "file:1: bad")
	f.settle(t)
	expect(t, f, false, "one", "file:1: bad") // said again, not parsed again
	write(t, path, "three")
	expect(t, f, true, "three", "")
	f.settle(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect(t, f, false, "three", "no such file")
	write(t, path, "three")
	expect(t, f, false, "three", "")
	write(t, path, "")
	expect(t, f, true, "", "")
}

// TestSameSizeAndTime replaces the text and sets the time of change back.
func TestSameSizeAndTime(t *testing.T) {
	f, path := newFile(t)
	write(t, path, "one")
	expect(t, f, true, "one", "")
	f.settle(t)
	old := f.stamp.modified
	time.Sleep(20 * time.Millisecond)
	write(t, path, "two")
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	expect(t, f, true, "two", "")
	f.settle(t)
	write(t, path+".tmp", "six")
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	expect(t, f, true, "six", "")
}

func TestNotRegular(t *testing.T) {
	f, path := newFile(t)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	expect(t, f, false, "first", "not a regular file")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	expect(t, f, false, "first", "not a regular file")
}

func TestTooLarge(t *testing.T) {
	f, path := newFile(t)
	write(t, path, "")
	if err := os.Truncate(path, MaxSize+1); err != nil {
		t.Skip(err)
	}
	expect(t, f, false, "first", "larger than 1073741824 bytes")
}

// TestRun follows a file that comes, breaks and is repaired, with readers.
func TestRun(t *testing.T) {
	f, path := newFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	reports := make(chan error, 100)
	var all sync.WaitGroup
	all.Go(func() { f.Run(ctx, time.Millisecond, func(err error) { reports <- err }) })
	all.Go(func() {
		for ctx.Err() == nil {
			if s := *f.Get(); strings.HasPrefix(s, "bad") {
				t.Error("a bad value is in force")
			}
		}
	})
	next := func(wrong string) {
		t.Helper()
		for deadline := time.After(10 * time.Second); ; {
			select {
			case err := <-reports:
				if wrong == "" && err == nil || wrong != "" && err != nil && strings.Contains(err.Error(), wrong) {
					return
				}
			case <-deadline:
				t.Fatalf("no report of %q", wrong)
			}
		}
	}
	next("no such file")
	for _, step := range []struct{ text, wrong string }{{"one", ""}, {"bad", ":1: bad"}, {"two", ""}} {
		write(t, path+".tmp", step.text)
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Fatal(err)
		}
		next(step.wrong)
	}
	cancel()
	all.Wait()
	if *f.Get() != "two" {
		t.Errorf("value is %q", *f.Get())
	}
}

func TestRunNever(t *testing.T) {
	f, _ := newFile(t)
	f.Run(t.Context(), 0, func(err error) { t.Error(err) })
}

func TestLines(t *testing.T) {
	var got []string
	for l := range Lines([]byte("\ufeffa\r\n\nb\rc\n \r\nlast")) {
		got = append(got, string(l.Text))
	}
	if want := "a||b\rc| |last"; strings.Join(got, "|") != want {
		t.Errorf("lines are %q", got)
	}
	for text, wrong := range map[string]string{"12345": "", "123456": "longer", "a\xff": "UTF-8", "a\x00": "U+0000"} {
		err := Line{1, []byte(text)}.Check(5)
		if (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
