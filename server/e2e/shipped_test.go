package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shipped starts our broker with a configuration as it is delivered, except for
// the ports. prepare may change the files beside it.
func shipped(t *testing.T, name string, prepare func(etc string)) *broker {
	t.Helper()
	oursOnly(t, "delivered configurations")
	b := &broker{loops: 2, port: freePort()}
	b.base = t.TempDir()
	etc := filepath.Join(b.base, "etc")
	if err := os.CopyFS(etc, os.DirFS("../../etc")); err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(etc)
	}
	b.conf = filepath.Join(etc, name)
	b.settings = []string{fmt.Sprintf("listener.tcp.default=127.0.0.1:%d", b.port), fmt.Sprintf("listener.http.default=127.0.0.1:%d", freePort()), "log.console=console"}
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// TestQuickStart lets clients of this machine in without a password. The ACL
// file permits them everything but topics that begin with $.
func TestQuickStart(t *testing.T) {
	t.Parallel()
	b := shipped(t, "quickstart.conf", nil)
	r := b.connect(t, connect{v: 4, id: "c"})
	r.subscribe(1, "hello/#")
	if codes := r.trySubscribe(1, "$SYS/#"); codes[0] != 0x80 {
		t.Errorf("% x", codes)
	}
	r.pub(publish{topic: "hello/world", payload: "first"})
	r.wantPub(publish{topic: "hello/world", payload: "first"})
}

// TestDelivered asks for passwords that vmq-passwd has made, and lets nobody in
// without one.
func TestDelivered(t *testing.T) {
	t.Parallel()
	b := shipped(t, "vernemq.conf", func(etc string) {
		cmd := exec.Command("go", "run", "../../cmd/vmq-passwd", filepath.Join(etc, "vmq.passwd"), "alice")
		cmd.Stdin = strings.NewReader("secret\nsecret\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("vmq-passwd: %v\n%s", err, out)
		}
	})
	for v, codes := range map[int][3]byte{3: {5, 4, 5}, 4: {5, 4, 5}, 5: {0x86, 0x86, 0x86}} {
		refused(t, b, connect{v: v, id: "c"}.bytes(), connack(v, codes[0]))
		refused(t, b, connect{v: v, id: "c", flags: 0xC0, rest: join("alice", "wrong")}.bytes(), connack(v, codes[1]))
		refused(t, b, connect{v: v, id: "c", flags: 0xC0, rest: join("mallory", "secret")}.bytes(), connack(v, codes[2]))
	}
	r := b.connect(t, connect{v: 4, id: "c", flags: 0xC0, rest: join("alice", "secret")})
	r.pub(publish{topic: "hello/world", payload: "first", qos: 1})
}
