package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/passwd"
)

// TestLiveFiles changes password and ACL file while clients come, to files that
// are good and to one that is not.
func TestLiveFiles(t *testing.T) {
	t.Parallel()
	cfg := filesConfig(t, 2, "topic a\n", "alice:secret")
	b := startBroker(t, cfg)
	dir := filepath.Dir(cfg.ACLFile)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	hash, err := passwd.Hash("vmq", []byte("pw"))
	if err != nil {
		t.Fatal(err)
	}
	bob := file("bob", "bob:"+hash+"\n")
	bad := file("bad", "topic a\nno word\n")
	other := file("other", "topic b\n")
	alice := enter(t, b, asClient(codec.V5, "c", "alice", "secret"))
	code := func(topic string) codec.ReasonCode {
		alice.put(topic, 1, 1, "")
		return alice.ack(codec.PUBACK, 1)
	}
	if code("a") >= 0x80 || code("b") != codec.NotAuthorized {
		t.Fatal("the first ACL file does not hold")
	}

	c := *b.config.Load()
	c.ACLFile = bad
	if err := b.Vet(&c); err == nil || !strings.Contains(err.Error(), "bad:2: ") {
		t.Errorf("a bad file: %v", err)
	}
	if err := b.Reconfigure(t.Context(), &c); err == nil || !strings.Contains(err.Error(), "bad:2: ") {
		t.Errorf("a bad file in force: %v", err)
	}
	if code("a") >= 0x80 || code("b") != codec.NotAuthorized {
		t.Error("a bad file took the place of a good one")
	}
	good := c
	good.ACLFile, good.PasswordFile = other, bob
	if err := b.Vet(&good); err != nil {
		t.Error(err)
	}
	change(t, b, func(x *config.Config) { x.ACLFile, x.PasswordFile = other, bob })
	if code("b") >= 0x80 || code("a") != codec.NotAuthorized {
		t.Error("the other ACL file does not hold")
	}
	if _, a := try(t, b, asClient(codec.V5, "d", "alice", "secret")); a.Reason != codec.BadUsernameOrPassword {
		t.Errorf("alice is in no file: %v", a.Reason)
	}
	enter(t, b, asClient(codec.V5, "e", "bob", "pw"))

	// The same file set again is read again.
	file("other", "topic d\n")
	change(t, b, func(x *config.Config) { x.FilesAsked++ })
	if code("d") >= 0x80 || code("b") != codec.NotAuthorized {
		t.Error("the same ACL file set again is not read")
	}

	// From never to soon.
	change(t, b, func(x *config.Config) { x.ACLReload = time.Millisecond })
	file("other", "topic c\n")
	for deadline := time.Now().Add(10 * time.Second); code("c") >= 0x80; {
		if time.Now().After(deadline) {
			t.Fatal("the file is not read again")
		}
	}
}

// TestConfigChanged tells plugins of settings, and asks for them only then.
func TestConfigChanged(t *testing.T) {
	t.Parallel()
	b := startBroker(t, testConfig(1))
	b.ConfigChanged(func() map[string]string { t.Error("nobody wants to know"); return nil })
	var told map[string]string
	plug(t, b, "watch", hooks.Hooks{OnConfigChange: hooks.Told[hooks.ConfigChange]{Now: func(c *hooks.ConfigChange) { told = c.Settings }}})
	b.ConfigChanged(func() map[string]string { return map[string]string{"max_message_rate": "7"} })
	if told["max_message_rate"] != "7" {
		t.Error(told)
	}
}

// TestOwnLimitsStay changes a setting: a limit that plugins want for a client stays.
func TestOwnLimitsStay(t *testing.T) {
	b := startBroker(t, closedConfig(2))
	h := welcome()
	h.AuthOnRegisterM5.Now = func(*hooks.Register) hooks.RegisterAnswer {
		return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: &hooks.RegisterModifiers{MaxMessageRate: new(7)}}
	}
	plug(t, b, "p", h)
	enter(t, b, asClient(codec.V5, "c", "", ""))
	change(t, b, func(c *config.Config) { c.MaxOnlineMessages = 9 })
	b.everywhere(t.Context(), func(l *loop) {
		if c := l.find("", "c"); c != nil && c.session.Limits().MaxRate != 7 {
			t.Errorf("rate %d", c.session.Limits().MaxRate)
		}
	})
}
