package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The MANIFEST lists the tables of the store. Pebble v2.1.7 takes a damaged
// record in it for the torn end that a crash leaves, and goes on with the
// tables listed until then: it would delete the others. Where there is none it
// makes a new store, and deletes all. So Open looks first. A torn end has
// nothing whole behind it.
//
// The file is a sequence of blocks of 32 KiB, each a sequence of chunks; less
// than 7 bytes at the end of a block are not used:
//
//	| masked CRC-32C of what follows the length 4 | length 2 | type 1 | data |
//
// Numbers are little endian.
const (
	manifestBlock = 32 << 10
	manifestHead  = 7
)

func checkManifest(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	latest, name := "", ""
	for _, n := range names { // marker.manifest.000001.MANIFEST-000001
		rest, ok := strings.CutPrefix(n, "marker.manifest.")
		if iteration, file, two := strings.Cut(rest, "."); ok && two && iteration > latest {
			latest, name = iteration, file
		}
	}
	if name == "" {
		if slices.ContainsFunc(names, func(n string) bool { return isLog(n) || isTable(n) }) {
			return damaged{fmt.Errorf("directory %s has tables or logs, and no file marker.manifest.* that names its MANIFEST", dir)}
		}
		return nil
	}
	data, err := readFile(fs, fs.PathJoin(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return damaged{fmt.Errorf("file %s is missing", fs.PathJoin(dir, name))}
	}
	if err != nil {
		return err
	}
	if at := damageIn(data); at >= 0 {
		return damaged{fmt.Errorf("file %s is corrupt at byte %d", fs.PathJoin(dir, name), at)}
	}
	return nil
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return data, err
}

// damageIn is where a broken chunk has whole ones behind it, -1 when nowhere.
func damageIn(data []byte) int {
	at := 0
	for at < len(data) {
		if left := manifestBlock - at%manifestBlock; left < manifestHead {
			at += left
			continue
		}
		n := wholeChunk(data, at)
		if n == 0 {
			break
		}
		at += n
	}
	for behind := at + 1; behind < len(data); behind++ {
		if wholeChunk(data, behind) > 0 {
			return at
		}
	}
	return -1
}

// wholeChunk is the size of the chunk at a place, 0 when there is no whole one.
func wholeChunk(data []byte, at int) int {
	if at+manifestHead > len(data) {
		return 0
	}
	size := manifestHead + int(binary.LittleEndian.Uint16(data[at+4:]))
	kind := data[at+6]
	if kind < 1 || kind > 4 || at%manifestBlock+size > manifestBlock || at+size > len(data) {
		return 0
	}
	sum := crc32.Checksum(data[at+6:at+size], castagnoli)
	if sum = (sum>>15 | sum<<17) + 0xa282ead8; sum != binary.LittleEndian.Uint32(data[at:]) {
		return 0
	}
	return size
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
