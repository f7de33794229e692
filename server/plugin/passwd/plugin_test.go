package passwd

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/server/hooks"
)

// TestPlugin asks the plugin as the broker does: a dear hash is left to Wait
// until it is known to be right.
func TestPlugin(t *testing.T) {
	t.Parallel()
	cheap, _ := Hash("vmq", []byte("pw"))
	dear, _ := Hash("argon2id", []byte("pw"))
	path := filepath.Join(t.TempDir(), "vmq.passwd")
	write(t, path, "cheap:"+cheap+"\ndear:"+dear+"\n")
	p := New(hooks.Env{Log: slog.New(slog.DiscardHandler)}, path, time.Hour)
	defer p.Close()
	ask := p.Hooks().AuthOnRegisterM5
	for _, tt := range []struct {
		user, password string
		now, wait      hooks.Result
	}{
		{"cheap", "pw", hooks.OK, hooks.OK}, {"cheap", "no", hooks.Failed, hooks.Failed}, {"cheap", "", hooks.Failed, hooks.Failed},
		{"dear", "no", hooks.Later, hooks.Failed}, {"dear", "pw", hooks.Later, hooks.OK}, {"dear", "pw", hooks.OK, hooks.OK},
	} {
		r := &hooks.Register{Client: hooks.Client{Username: tt.user, HasUsername: true}, Password: []byte(tt.password), HasPassword: true}
		a := ask.Now(r)
		if a.Result != tt.now {
			t.Errorf("%s %q: %v now", tt.user, tt.password, a.Result)
		}
		if a = ask.Wait(context.Background(), r); a.Result != tt.wait || a.Result == hooks.Failed && !a.Refusal.InvalidCredentials {
			t.Errorf("%s %q: %v", tt.user, tt.password, a.Result)
		}
	}
	for _, r := range []*hooks.Register{
		{}, {Client: hooks.Client{Username: "cheap", HasUsername: true}}, {Password: []byte("pw"), HasPassword: true},
	} {
		if a := ask.Now(r); a.Result != hooks.Next {
			t.Errorf("%+v: %v", r, a.Result)
		}
	}
	// The hash of somebody else is compared, so that unknown users take as long.
	r := &hooks.Register{Client: hooks.Client{Username: "nobody", HasUsername: true}, Password: []byte("pw"), HasPassword: true}
	if a := ask.Wait(context.Background(), r); a.Result != hooks.Next {
		t.Error(a)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPluginWithBadFile lets nobody in, says so, and goes on when the file is
// right.
func TestPluginWithBadFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vmq.passwd")
	write(t, path, "alice:secret\n")
	var log strings.Builder
	p := New(hooks.Env{Log: slog.New(slog.NewTextHandler(&log, nil))}, path, 0)
	defer p.Close()
	if !strings.Contains(log.String(), path+":1: a hash was expected") {
		t.Error(log.String())
	}
	r := &hooks.Register{Client: hooks.Client{Username: "alice", HasUsername: true}, Password: []byte("secret"), HasPassword: true}
	ask := p.Hooks().AuthOnRegister
	if a := ask.Now(r); a.Result != hooks.Next {
		t.Error(a)
	}
	hash, _ := Hash("vmq", []byte("secret"))
	write(t, path, "alice:"+hash+"\n")
	p.Configure(path, time.Millisecond)
	if a := ask.Now(r); a.Result != hooks.OK {
		t.Error(a)
	}
	write(t, path, "bob:"+hash+"\n")
	for deadline := time.Now().Add(10 * time.Second); ask.Now(r).Result != hooks.Next; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the file was not read again")
		}
	}
}
