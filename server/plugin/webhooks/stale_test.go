package webhooks

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"vernemq/server/hooks"
)

// stale answers one request of each connection and ends the connection when a
// second one comes, as a web service that is about to close an idle connection.
func stale(t *testing.T) *service {
	var seen sync.Map
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, again := seen.LoadOrStore(r.RemoteAddr, true); again {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, `{"result":"ok"}`)
	})
}

// TestStaleConnection asks again when a connection that was kept turns out to
// be closed: it is not the client's fault.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	s := stale(t)
	_, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	for i := range 3 {
		if a := publish(r, &hooks.Message{Client: clientOf("c", "", false), Topic: []byte("t")}); a.Result != hooks.OK {
			t.Errorf("question %d: %+v", i, a.Refusal)
		}
	}
}

// TestStaleConnectionOfEvents tells nothing twice.
func TestStaleConnectionOfEvents(t *testing.T) {
	t.Parallel()
	s := stale(t)
	p, r := run(t, Options{}, Endpoint{Hook: hooks.OnClientGone, URL: s.URL})
	for range 2 {
		r.Snapshot().OnClientGone.Tell(&hooks.Client{ID: "c"})
	}
	for end := time.Now().Add(10 * time.Second); p.Figures()[0].Requests < 2 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	for end := time.Now().Add(10 * time.Second); p.Figures()[0].Errors < 1 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := len(s.requests()); n != 2 {
		t.Errorf("%d requests", n)
	}
}
