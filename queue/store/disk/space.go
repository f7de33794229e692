package disk

import "fmt"

// Free is how many bytes the file system of the store has left for it. Not
// every vfs.FS tells; that in memory does not.
func (s *Store) Free() (bytes uint64, err error) {
	u, err := s.guard.GetDiskUsage(s.opts.Dir)
	if err != nil {
		return 0, fmt.Errorf("cannot read the free space of %s: %w", s.opts.Dir, err)
	}
	return u.AvailBytes, nil
}
