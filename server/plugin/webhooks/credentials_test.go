package webhooks

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"vernemq/server/hooks"
)

// TestCredentials asks an endpoint whose URL has a user and a password in it
// with them, and tells them nobody else.
func TestCredentials(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "broker" || password != "p@ss" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"result":"ok"}`)
	})
	with := func(password string) string { return strings.Replace(s.URL, "://", "://broker:"+password+"@", 1) }
	var log bytes.Buffer
	p, err := New(hooks.Env{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, Options{},
		[]Endpoint{{Hook: hooks.AuthOnPublish, URL: with("p%40ss")}, {Hook: hooks.AuthOnPublishM5, URL: with("secret")}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	h := p.Hooks()
	if a := h.AuthOnPublish.Wait(t.Context(), &hooks.Message{}); a.Result != hooks.OK {
		t.Errorf("%+v", a.Refusal)
	}
	a := h.AuthOnPublishM5.Wait(t.Context(), &hooks.Message{})
	if a.Result != hooks.Failed {
		t.Fatal(a)
	}
	for _, said := range []string{a.Refusal.Cause, log.String()} {
		if strings.Contains(said, "secret") || !strings.Contains(said, "broker") {
			t.Error(said)
		}
	}
}
