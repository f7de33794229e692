package tuning

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadTCPMemory(t *testing.T) {
	for _, c := range []struct {
		text, fail string
		want       TCPMemory
	}{
		{"4096\t131072\t6291456\n", "", TCPMemory{4096, 131072, 6291456}},
		{"4096 131072", "2 values", TCPMemory{}},
		{"4096 x 1", "invalid syntax", TCPMemory{}},
	} {
		path := filepath.Join(t.TempDir(), "tcp_rmem")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReadTCPMemory(path)
		if got != c.want || (err != nil) != (c.fail != "") || err != nil && !strings.Contains(err.Error(), c.fail) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
	if _, err := ReadTCPMemory("/nonexistent"); err == nil {
		t.Error("a missing file gives no error")
	}
}

func TestThisHost(t *testing.T) {
	for _, path := range []string{TCPReceive, TCPSend} {
		m, err := ReadTCPMemory(path)
		if err != nil || m.Min <= 0 || m.Max < m.Min {
			t.Errorf("%s: %+v, %v", path, m, err)
		}
	}
	if n, err := OpenFiles(); err != nil || n <= 0 {
		t.Errorf("open files: %d, %v", n, err)
	}
}

func TestJudgeOpenFiles(t *testing.T) {
	if s := JudgeOpenFiles(20000, 10000); s != "" {
		t.Error(s)
	}
	if s := JudgeOpenFiles(1024, 10000); !strings.Contains(s, "raise the limit") || !strings.Contains(s, "10256") {
		t.Errorf("%q", s)
	}
}
