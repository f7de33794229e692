package webhooks

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/server/hooks"
)

// TestConfigure gives the plugin other options while it runs: trust in a
// certificate, none again, and options that cannot be.
func TestConfigure(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"result":"ok"}`) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	writeFile(t, ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	p, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	for _, tt := range []struct {
		o    Options
		err  string
		want hooks.Result
	}{
		{Options{}, "", hooks.Failed},
		{Options{CAFile: ca}, "", hooks.OK},
		{Options{CAFile: ca + ".none"}, "cannot read the CA file", hooks.OK},
		{Options{CAFile: ca, CertFile: ca}, "certfile and keyfile go together", hooks.OK},
		{Options{}, "", hooks.Failed},
		{Options{SkipVerify: true}, "", hooks.OK},
	} {
		err := p.Configure(tt.o)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: %v", tt.o, err)
		}
		if vet := Vet(tt.o); (vet == nil) != (err == nil) {
			t.Errorf("%+v: vetted %v", tt.o, vet)
		}
		if a := publish(r, &hooks.Message{}); a.Result != tt.want {
			t.Errorf("%+v: %v %+v", tt.o, a.Result, a.Refusal)
		}
	}
}

// TestConfigurePool lets more requests run at once, and fewer again, while
// others wait.
func TestConfigurePool(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := 0
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		mu.Unlock()
		<-release
		fmt.Fprint(w, `{"result":"ok"}`)
	})
	await := func(n int) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			mu.Lock()
			got := now
			mu.Unlock()
			if got == n {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d requests at once, want %d", got, n)
			}
		}
	}
	p, r := run(t, Options{MaxConnections: 2}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	var all sync.WaitGroup
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			all.Go(func() {
				if a := publish(r, &hooks.Message{Client: hooks.Client{ID: fmt.Sprint(i)}}); a.Result != hooks.OK {
					t.Error(a.Refusal)
				}
			})
		}
	}
	ask(0, 20)
	await(2)
	if err := p.Configure(Options{MaxConnections: 5}); err != nil {
		t.Fatal(err)
	}
	if n := p.Bounds().Workers; n != 20 {
		t.Errorf("%d workers", n)
	}
	await(2 + 5) // on connections of their own
	close(release)
	all.Wait()
}
