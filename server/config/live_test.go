package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLive changes settings while a node runs: all or none, shown with their
// origin, gone after a reset, still there after a reload.
func TestLive(t *testing.T) {
	t.Setenv("CONF_TEST_RATE", "7")
	dir := files(t, map[string]string{"vernemq.conf": listen + "max_inflight_messages = 5\ntopic_max_depth = 3\nmax_message_rate = $(CONF_TEST_RATE)\n" +
		"max_online_messages = $(max_message_rate)0\n"})
	file := filepath.Join(dir, "vernemq.conf")
	l, err := Load(file, []string{"retry_interval=4"}, testDirs(dir))
	if err != nil {
		t.Fatal(err)
	}
	v := NewLive(l)
	seen := 0
	v.Follow(func(l *Loaded) { seen = l.Config.MaxInflightMessages })
	origins := func(want string) {
		t.Helper()
		var got []string
		for _, k := range []string{"max_inflight_messages", "retry_interval", "queue_type", "max_message_rate", "max_online_messages"} {
			got = append(got, filepath.Base(v.Current().Origin(k)))
		}
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("origins %s\nwant    %s", s, want)
		}
	}
	origins("vernemq.conf:2; --set retry_interval; default; vernemq.conf:4; vernemq.conf:5")
	if o := v.Current().Origin("max_online_messages"); !strings.HasPrefix(o, "environment, ") {
		t.Errorf("a value that comes from the environment in a roundabout way: %s", o)
	}
	if err := v.Set(map[string]string{"max_inflight_messages": "9", "queue_type": "filo"}); err == nil || seen != 0 {
		t.Errorf("a bad value among good ones: %v, %d", err, seen)
	}
	if err := v.Set(map[string]string{"topic_max_depth": "9"}); err == nil {
		t.Error("what is read at start can be set")
	}
	if err := v.Set(map[string]string{"max_inflight_messages": "9", "max_queued_messages": "77"}); err != nil || seen != 9 {
		t.Errorf("%v, %d", err, seen)
	}
	origins("set; --set retry_interval; default; vernemq.conf:4; set")
	if got := v.Current().Config.MaxOnlineMessages; got != 77 {
		t.Errorf("by an old name: %d", got)
	}

	if err := v.Set(map[string]string{"vmq_acl.acl_reload_interval": "10", "max_online_messages": "77"}); err != nil || v.Current().Config.FilesAsked != 1 {
		t.Errorf("a key of the ACL file set to what it is: %v", err)
	}
	text := listen + "\nmax_inflight_messages = 6\ntopic_max_depth = 4\nqueue_type = lifo\n"
	if err := os.WriteFile(file, []byte(text+"nope = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Reload(); err == nil || v.Current().Config.QueueLIFO {
		t.Errorf("reload of a bad file: %v", err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	changed, restart, err := v.Reload()
	if got := strings.Join(changed, " ") + "; " + strings.Join(restart, " "); err != nil || got != "max_inflight_messages max_message_rate max_online_messages queue_type; topic_max_depth" {
		t.Errorf("reload: %s, %v", got, err)
	}
	if c := v.Current().Config; seen != 9 || !c.QueueLIFO || c.TopicMaxDepth != 3 || c.MaxMessageRate != 0 {
		t.Errorf("after reload: %d, %+v", seen, c)
	}
	if err := v.Reset("max_inflight_messages"); err != nil || seen != 6 {
		t.Errorf("reset: %d, %v", seen, err)
	}
	if err := v.Reset(""); err != nil || v.Current().Config.MaxOnlineMessages != 1000 {
		t.Errorf("reset of all: %v", err)
	}
}

// TestVet asks about a configuration before it is in force.
func TestVet(t *testing.T) {
	l, err := loadText(t, listen+"vmq_webhooks.keyfile_password = geheim\n")
	if err != nil {
		t.Fatal(err)
	}
	v := NewLive(l)
	followed := 0
	v.Vet(func(l *Loaded) error {
		if l.Config.MaxInflightMessages == 13 {
			return errors.New("not 13")
		}
		return nil
	})
	v.Follow(func(*Loaded) { followed++ })
	if err := v.Set(map[string]string{"max_inflight_messages": "13"}); err == nil || err.Error() != "not 13" || followed != 0 || v.Current() != l {
		t.Errorf("%v, followed %d times", err, followed)
	}
	if err := v.Set(map[string]string{"max_inflight_messages": "14"}); err != nil || followed != 1 {
		t.Errorf("%v, followed %d times", err, followed)
	}
	now := v.Current()
	if now.Same(l) || !now.Same(now) {
		t.Error("settings that differ are the same, or the other way round")
	}
	s := now.Settings()
	if s["max_inflight_messages"] != "14" || s["vmq_webhooks.keyfile_password"] != secretShown || s["allow_anonymous"] != "off" {
		t.Error(s)
	}
}

func TestValues(t *testing.T) {
	l, err := loadText(t, listen+"persistent_client_expiration = 1d\nmax_last_will_delay = 1h\nvmq_bridge.tcp.b = h:1\nvmq_bridge.tcp.b.password = secret\n")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"persistent_client_expiration": int64(86400), "max_last_will_delay": int64(3600), "allow_anonymous": "off", "max_online_messages": int64(1000),
		"max_queued_messages": int64(1000), "vmq_bridge.tcp.b.password": secretShown, "vmq_bridge.tcp.b": "h:1", "max_apikey_expiry_days": nil, "nope": nil,
		"listener.max_connections": int64(10000), "systree_mountpoint": "",
	} {
		if got := l.Value(key); got != want {
			t.Errorf("%s: %v, want %v", key, got, want)
		}
	}
	if l, err = loadText(t, listen); err != nil {
		t.Fatal(err)
	}
	if a, b := l.Value("persistent_client_expiration"), l.Value("max_last_will_delay"); a != int64(0) || b != int64(1)<<32 {
		t.Errorf("%v, %v", a, b)
	}
}

// TestLiveKeys holds the settings that may change while a node runs.
func TestLiveKeys(t *testing.T) {
	b, err := os.ReadFile("testdata/live.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(LiveKeys(), "\n") + "\n"; got != string(b) {
		t.Errorf("got\n%s\nwant\n%s", got, b)
	}
}
