package passwd

import (
	"context"
	"time"

	"vernemq/server/plugin/reload"
)

// Options of a File. What is zero has a default; a negative CacheSize is none.
type Options struct {
	CacheSize int           // passwords that are remembered to be right; 65,536
	CacheAge  time.Duration // how long they are; ten minutes
	now       func() time.Time
}

func (o Options) withDefaults() Options {
	if o.CacheSize == 0 {
		o.CacheSize = 65536
	}
	if o.CacheAge <= 0 {
		o.CacheAge = 10 * time.Minute
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}

// File is a password file and the table made of it. Any goroutine may check
// while another reloads.
type File struct{ file *reload.File[loaded] }

// loaded is a table with what was found right by it. They come and go together,
// so that nothing outlives the line that it rests on.
type loaded struct {
	*Table
	cache *cache
}

// Open makes a File without users. Reload or Run fill it.
func Open(path string, o Options) *File {
	o = o.withDefaults()
	with := func(t *Table) *loaded { return &loaded{t, newCache(max(o.CacheSize, 0), o.CacheAge, o.now)} }
	empty, _ := Parse(path, nil)
	return &File{reload.New(path, with(empty), func(path string, text []byte) (*loaded, error) {
		t, err := Parse(path, text)
		if err != nil {
			return nil, err
		}
		return with(t), nil
	})}
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

// Len is the number of users.
func (f *File) Len() int { return f.file.Get().Len() }

// Check compares a password with that of a user, as Table.Check does. A right
// password is remembered for a while if its hash is dear.
func (f *File) Check(user string, password []byte) Result {
	r, _ := f.file.Get().check(user, password, true)
	return r
}

// CheckNow does so if it costs no more than a few microseconds: if the hash is
// cheap, or the password was right a while ago. Else ok is false.
func (f *File) CheckNow(user string, password []byte) (r Result, ok bool) {
	return f.file.Get().check(user, password, false)
}

// check compares a password, with a dear hash only if that may be.
func (l *loaded) check(user string, password []byte, dear bool) (r Result, ok bool) {
	if l.users == 0 {
		return Unknown, true
	}
	e, known := l.find(user)
	if e.kind == vmq { // as cheap as the key of the cache
		return result(known, verify(e.kind, e.stored, password)), true
	}
	k := l.cache.key(user, password)
	if l.cache.has(k) {
		return Right, true
	}
	if !dear {
		return Unknown, false
	}
	if r = result(known, verify(e.kind, e.stored, password)); r == Right {
		l.cache.add(k)
	}
	return r, true
}
