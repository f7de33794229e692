package disk

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// shorten cuts the log that was read last where it is damaged.
func (x *salvage) shorten() error {
	n, err := logNumber(x.fs, x.fs.read)
	if err != nil {
		return err
	}
	f, err := x.fs.FS.Open(x.fs.read)
	if err != nil {
		return err
	}
	at := wholeRecords(record.NewReader, f, n)
	if err := f.Close(); err != nil {
		return err
	}
	if x.fs.log == n && at >= x.fs.at || x.fs.log > 0 && n > x.fs.log {
		return fmt.Errorf("log %s cannot be read", x.fs.read)
	}
	x.fs.log, x.fs.at = n, at
	x.log.Warn("repair: what this log has from here on is lost, and all later logs", "file", x.fs.read, "byte", at)
	return nil
}

func logNumber(fs vfs.FS, name string) (uint64, error) {
	return strconv.ParseUint(strings.TrimSuffix(fs.PathBase(name), ".log"), 10, 64)
}

// wholeRecords is how many bytes at the beginning of a log are whole records.
// open is record.NewReader; the type of its number has no name outside of
// Pebble.
func wholeRecords[N ~uint64](open func(io.Reader, N) *record.Reader, f io.Reader, number uint64) int64 {
	rr := open(f, N(number))
	for {
		at := rr.Offset()
		r, err := rr.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			return at
		}
	}
}

// cutFS shows a directory with one log cut and without those after it, and with
// tables that are missing. Those cannot be opened.
type cutFS struct {
	vfs.FS
	read    string // the log that was opened last
	log     uint64 // number of the cut one, 0 when none is
	at      int64
	missing []string
}

func (c *cutFS) List(dir string) ([]string, error) {
	names, err := c.FS.List(dir)
	names = slices.DeleteFunc(names, func(name string) bool {
		n, err := logNumber(c, name)
		return c.log > 0 && isLog(name) && err == nil && n > c.log
	})
	return append(names, c.missing...), err
}

// unknownTable is how Pebble says that a table is missing; the error has no type.
var unknownTable = regexp.MustCompile(`file (\d+) \(type sstable\) unknown`)

// pretend shows the table whose absence is an error, if that is what it is.
func (c *cutFS) pretend(err error) bool {
	found := unknownTable.FindStringSubmatch(err.Error())
	if found == nil || slices.Contains(c.missing, found[1]+".sst") {
		return false
	}
	c.missing = append(c.missing, found[1]+".sst")
	return true
}

func (c *cutFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(name, opts...)
	if err != nil || !isLog(name) {
		return f, err
	}
	c.read = name
	if n, err := logNumber(c, name); err == nil && n == c.log {
		return cutFile{f, io.LimitReader(f, c.at)}, nil
	}
	return f, nil
}

type cutFile struct {
	vfs.File
	head io.Reader
}

func (f cutFile) Read(p []byte) (int, error) { return f.head.Read(p) }
