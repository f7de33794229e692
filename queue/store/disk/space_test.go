package disk

import (
	"strings"
	"testing"
)

func TestFree(t *testing.T) {
	s := must[*Store](t)(Open(Options{Dir: t.TempDir(), Node: "n"}))
	if n, err := s.Free(); err != nil || n == 0 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if n, err := memStore(t, Options{}).Free(); err == nil || n != 0 || !strings.Contains(err.Error(), "cannot read the free space of s: ") {
		t.Errorf("in memory: %d bytes, %v", n, err)
	}
}
