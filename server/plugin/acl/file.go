package acl

import (
	"context"
	"time"

	"vernemq/server/plugin/reload"
)

// File is an ACL file and the table made of it. Any goroutine may check while
// another reloads.
type File struct{ file *reload.File[Table] }

// Open makes a File that permits nothing. Reload or Run fill it.
func Open(path string) *File {
	empty, _ := Parse(path, nil)
	f := reload.New(path, empty, Parse)
	f.Replaced = func(old *Table) { old.epoch.End() }
	return &File{f}
}

// Reload reads the file if it has changed, and tells whether a new table is in
// force. After an error the old one stays.
func (f *File) Reload() (changed bool, err error) { return f.file.Reload() }

// Run reloads again and again until ctx ends; with an interval of 0 never. It
// reports nil when a new table is in force, and each error once for as long as
// it lasts.
func (f *File) Run(ctx context.Context, every time.Duration, report func(error)) {
	f.file.Run(ctx, every, report)
}

// Path is where the file lies.
func (f *File) Path() string { return f.file.Path() }

// Table is the table in force. A packet with several topics asks one table for
// all of them.
func (f *File) Table() *Table { return f.file.Get() }

// Check asks the table in force, as Table.Check does.
func (f *File) Check(user, clientID, mount string, topic []byte, access Access) bool {
	return f.file.Get().Check(user, clientID, mount, topic, access)
}
