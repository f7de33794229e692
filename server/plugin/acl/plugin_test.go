package acl

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/hooks"
)

func TestPlugin(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "vmq.acl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("topic read news/#\nuser al\ntopic al/#\npattern write %m/%c/x\n")
	p := New(hooks.Env{Log: slog.New(slog.DiscardHandler)}, path, 0)
	defer p.Close()
	h := p.Hooks()
	al := hooks.Client{ID: "c", Mountpoint: "m", Username: "al", HasUsername: true}
	for topic, want := range map[string]hooks.Result{"al/1": hooks.OK, "m/c/x": hooks.OK, "news/1": hooks.Next, "x": hooks.Next} {
		if a := h.AuthOnPublishM5.Now(&hooks.Message{Client: al, Topic: []byte(topic)}); a.Result != want {
			t.Errorf("publish %s: %v", topic, a.Result)
		}
	}
	for list, want := range map[string]hooks.Result{"al/#": hooks.OK, "al/# news/+": hooks.OK, "al/# m/c/x": hooks.Next, "#": hooks.Next, "$share/g/news/1": hooks.OK} {
		r := &hooks.Subscribe{Client: al}
		for _, f := range strings.Fields(list) {
			r.Topics = append(r.Topics, hooks.Topic{Filter: codec.Filter{Filter: []byte(f)}})
		}
		if a := h.AuthOnSubscribe.Now(r); a.Result != want {
			t.Errorf("subscribe %s: %v", list, a.Result)
		}
	}
	write("topic #\n")
	p.Configure(path, time.Hour)
	if a := h.AuthOnPublish.Now(&hooks.Message{Client: al, Topic: []byte("x")}); a.Result != hooks.OK {
		t.Error(a)
	}
}

func TestPluginWithoutFile(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	p := New(hooks.Env{Log: slog.New(slog.NewTextHandler(&log, nil))}, filepath.Join(t.TempDir(), "none"), 0)
	defer p.Close()
	if a := p.Hooks().AuthOnPublish.Now(&hooks.Message{Topic: []byte("x")}); a.Result != hooks.Next {
		t.Error(a)
	}
	if !strings.Contains(log.String(), "can't load the ACL file") || !strings.Contains(log.String(), "no such file") {
		t.Error(log.String())
	}
}
