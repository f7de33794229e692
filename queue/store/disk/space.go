package disk

import (
	"errors"
	"fmt"
	"io/fs"
)

// Free is how many bytes the file system of the store has left for it. Not
// every vfs.FS tells; that in memory does not.
//
// A store whose directory is gone has failed: what is still written, to files
// that are open, nobody will find again.
func (s *Store) Free() (bytes uint64, err error) {
	lock := s.guard.PathJoin(s.opts.Dir, "LOCK") // there as long as the store is open
	if _, err := s.guard.Stat(lock); errors.Is(err, fs.ErrNotExist) {
		s.fail.set(lock, err)
		return 0, s.fail.disk()
	}
	u, err := s.guard.GetDiskUsage(s.opts.Dir)
	if err != nil {
		return 0, fmt.Errorf("cannot read the free space of %s: %w", s.opts.Dir, err)
	}
	return u.AvailBytes, nil
}
