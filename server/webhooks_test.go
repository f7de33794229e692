package server

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/admin"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/webhooks"
)

// hookService is a web service that says ok to everything and remembers what it
// was asked and told.
type hookService struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newHookService(t testing.TB, answer func(hook, body string) string) *hookService {
	s := &hookService{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Get("vernemq-hook")+" "+string(body))
		s.mu.Unlock()
		reply := `{"result":"ok"}`
		if answer != nil {
			if a := answer(r.Header.Get("vernemq-hook"), string(body)); a != "" {
				reply = a
			}
		}
		fmt.Fprint(w, reply)
	}))
	t.Cleanup(s.Close)
	return s
}

// await waits until a number of requests has come.
func (s *hookService) await(t testing.TB, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		seen := slices.Clone(s.seen)
		s.mu.Unlock()
		if len(seen) >= n {
			return seen
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests, want %d:\n%s", len(seen), n, strings.Join(seen, "\n"))
		}
	}
}

// webhooksConfig registers a service for all hooks.
func webhooksConfig(loops int, url string) *config.Config {
	c := closedConfig(loops)
	c.Plugins = []config.Plugin{{Name: "vmq_webhooks"}}
	for n := range hooks.NumNames {
		if webhooks.Accepts(n) {
			c.Webhooks = append(c.Webhooks, config.Webhook{Hook: n.String(), Endpoint: url + "/hook", Base64: true, ResponseTimeout: 5 * time.Second})
		}
	}
	return c
}

// TestWebhooks does what was done to VerneMQ 2.1.2 and wants the same requests,
// each client's in the same order.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	forVersions(t, func(t *testing.T, v codec.Version) {
		t.Parallel()
		s := newHookService(t, nil)
		b := startBroker(t, webhooksConfig(2, s.URL))
		m5, start, none, options := "", "clean_session", "", ""
		if v == codec.V5 {
			m5, start, none, options = "_m5", "clean_start", `,"properties":{}`, `,"no_local":false,"rap":false,"retain_handling":"send_retain"`
		}
		c := asClient(v, "wh-sub", "alice", "secret")
		c.CleanStart = false
		registerProps := none
		if v == codec.V5 {
			c.SessionExpiry, c.ReceiveMax = 100, 20
			registerProps = `,"properties":{"p_receive_max":20,"p_session_expiry_interval":100}`
		}
		sub := enter(t, b, c)
		sub.sub("a/#", "b")
		sub.send(codec.AppendUnsubscribe(nil, v, 3, [][]byte{[]byte("c")}))
		sub.next()
		pub := enter(t, b, asClient(v, "wh-pub", "bob", "pw"))
		head := codec.AppendPublishHead(nil, v, codec.PublishFirst(1, false, true), []byte("a/1"), 1, nil, 5)
		pub.send(append(head, "hi\x01\xc3\xbc"...))
		pub.ack(codec.PUBACK, 1)
		sub.got()
		pub.send(codec.AppendDisconnect(nil, v, codec.Success, "", ""))
		pub.gone()
		s.await(t, 13)
		sub.conn.Close()
		s.await(t, 14)
		pub = enter(t, b, asClient(v, "wh-pub", "bob", "pw"))
		pub.put("a/2", 1, 2, "offline")
		pub.ack(codec.PUBACK, 2)
		s.await(t, 20)
		sub = enter(t, b, c)
		sub.got()
		lwt := asClient(v, "wh-lwt", "carol", "")
		lwt.HasWill, lwt.Will.Topic, lwt.Will.Payload, lwt.Will.QoS = true, []byte("w"), []byte("bye"), 1
		enter(t, b, lwt).conn.Close()
		const want = 30
		seen := s.await(t, want)
		port := func(line string) string { // of the peer differs
			before, after, ok := strings.Cut(line, `"peer_port":`)
			if !ok {
				return line
			}
			return before + `"peer_port":0` + after[strings.IndexByte(after, ','):]
		}
		of := func(client string) (lines []string) {
			for _, l := range seen {
				if strings.Contains(l, `"client_id":"`+client+`"`) {
					lines = append(lines, port(l))
				}
			}
			return lines
		}
		register := func(id, user, password string, clean bool, props string) []string {
			pw := `"` + password + `"`
			if password == "" {
				pw = "null"
			}
			return []string{
				fmt.Sprintf(`auth_on_register%s {"peer_addr":"127.0.0.1","peer_port":0,"mountpoint":"","client_id":"%s","username":"%s","password":%s,"%s":%v%s}`, m5, id, user, pw, start, clean, props),
				fmt.Sprintf(`on_client_wakeup {"mountpoint":"","client_id":"%s"}`, id),
				fmt.Sprintf(`on_register%s {"peer_addr":"127.0.0.1","peer_port":0,"mountpoint":"","client_id":"%s","username":"%s"%s}`, m5, id, user, none),
			}
		}
		message := func(hook, user, id, topic, payload string, retain bool, props string) string {
			return fmt.Sprintf(`%s {"username":"%s","mountpoint":"","client_id":"%s","qos":1,"topic":"%s","payload":"%s","retain":%v%s}`, hook, user, id, topic, payload, retain, props)
		}
		topics := fmt.Sprintf(`{"username":"alice","mountpoint":"","client_id":"wh-sub","topics":[{"topic":"b","qos":1%s},{"topic":"a/#","qos":1%s}]%s}`, options, options, none)
		check := func(client string, want []string) {
			t.Helper()
			if got := of(client); !slices.Equal(got, want) {
				t.Errorf("%s:\n%s\nwant\n%s", client, strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		check("wh-sub", slices.Concat(register("wh-sub", "alice", "secret", false, registerProps), []string{
			"auth_on_subscribe" + m5 + " " + topics, "on_subscribe" + m5 + " " + topics,
			"on_unsubscribe" + m5 + ` {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":["c"]` + none + `}`,
			message("on_deliver"+m5, "alice", "wh-sub", "a/1", "aGkBw7w=", false, `,"properties":{}`),
			`on_client_offline {"mountpoint":"","client_id":"wh-sub"}`,
			`on_offline_message {"mountpoint":"","client_id":"wh-sub","qos":1,"topic":"a/2","payload":"b2ZmbGluZQ==","retain":false}`,
		}, register("wh-sub", "alice", "secret", false, registerProps), []string{
			message("on_deliver"+m5, "alice", "wh-sub", "a/2", "b2ZmbGluZQ==", false, `,"properties":{}`),
		}))
		check("wh-pub", slices.Concat(register("wh-pub", "bob", "pw", true, none), []string{
			message("auth_on_publish"+m5, "bob", "wh-pub", "a/1", "aGkBw7w=", true, none), message("on_publish"+m5, "bob", "wh-pub", "a/1", "aGkBw7w=", true, none),
			`on_client_gone {"mountpoint":"","client_id":"wh-pub"}`,
		}, register("wh-pub", "bob", "pw", true, none), []string{
			message("auth_on_publish"+m5, "bob", "wh-pub", "a/2", "b2ZmbGluZQ==", false, none), message("on_publish"+m5, "bob", "wh-pub", "a/2", "b2ZmbGluZQ==", false, none),
		}))
		// The will is looked at before the client has a session: a refused one
		// disturbs nobody.
		r := register("wh-lwt", "carol", "", true, none)
		check("wh-lwt", []string{r[0], message("auth_on_publish"+m5, "carol", "wh-lwt", "w", "Ynll", false, none), r[1], r[2],
			message("on_publish"+m5, "carol", "wh-lwt", "w", "Ynll", false, none), `on_client_gone {"mountpoint":"","client_id":"wh-lwt"}`})
	})
}

// TestWebhooksAtRunTime registers and deregisters endpoints while clients come.
func TestWebhooksAtRunTime(t *testing.T) {
	t.Parallel()
	s := newHookService(t, nil)
	c := closedConfig(1)
	c.Plugins = []config.Plugin{{Name: "vmq_webhooks"}}
	b := startBroker(t, c)
	p := b.Plugin("vmq_webhooks").(*webhooks.Plugin)
	for _, want := range []codec.ReasonCode{5, 0, 5} {
		if _, a := try(t, b, asClient(codec.V311, "c", "", "")); a.Reason != want {
			t.Errorf("CONNACK %d, want %d", a.Reason, want)
		}
		e := webhooks.Endpoint{Hook: hooks.AuthOnRegister, URL: s.URL}
		if err := p.Register(e); err != nil {
			if err = p.Deregister(e.Hook, e.URL); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestWebhooksShown lists endpoints and the figures of the cache as VerneMQ does.
func TestWebhooksShown(t *testing.T) {
	t.Parallel()
	s := newHookService(t, nil)
	c := closedConfig(1)
	c.Plugins = []config.Plugin{{Name: "vmq_webhooks"}}
	b := startBroker(t, c)
	w := b.AdminWebhooks()
	type endpoint struct{ hook, path string }
	for _, e := range []endpoint{{"auth_on_register", "/y"}, {"auth_on_publish", "/x"}, {"on_client_gone", "/x"}, {"auth_on_publish", "/a"}} {
		if err := w.Register(t.Context(), admin.Webhook{Hook: e.hook, Endpoint: s.URL + e.path, Base64: true}); err != nil {
			t.Fatal(err)
		}
	}
	var list []endpoint
	for _, x := range w.List() {
		list = append(list, endpoint{x.Hook, strings.TrimPrefix(x.Endpoint, s.URL)})
	}
	if want := []endpoint{{"on_client_gone", "/x"}, {"auth_on_register", "/y"}, {"auth_on_publish", "/x"}, {"auth_on_publish", "/a"}}; !slices.Equal(list, want) {
		t.Errorf("%v, want %v", list, want)
	}
	if got := w.Cache(); len(got) != 0 {
		t.Errorf("figures before anything was asked: %+v", got)
	}
	pub := enter(t, b, asClient(codec.V311, "c", "", ""))
	pub.put("t", 1, 1, "")
	pub.ack(codec.PUBACK, 1)
	want := []admin.CacheStat{{Stat: "misses", Endpoint: s.URL + "/y", Hook: "auth_on_register", Value: 1}, {Stat: "misses", Endpoint: s.URL + "/x", Hook: "auth_on_publish", Value: 1}}
	if got := w.Cache(); !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	w.ClearCache()
	if got := w.Cache(); len(got) != 0 {
		t.Errorf("figures after cache clear: %+v", got)
	}
}

// TestDepartures tells on_session_expired and on_client_gone.
func TestDepartures(t *testing.T) {
	t.Parallel()
	s := newHookService(t, nil)
	b := startBroker(t, webhooksConfig(1, s.URL))
	c := asClient(codec.V5, "c", "", "")
	c.SessionExpiry = 1
	enter(t, b, c).conn.Close()
	lines := s.await(t, 5)
	if got := lines[3] + lines[4]; !strings.HasPrefix(got, `on_client_offline {"mountpoint":"","client_id":"c"}on_session_expired {"mountpoint":"","client_id":"c"}`) {
		t.Error(got)
	}
	c.SessionExpiry = 100
	enter(t, b, c).conn.Close()
	s.await(t, 9)
	enter(t, b, c) // wipes the session
	lines = s.await(t, 13)[9:]
	var names []string
	for _, l := range lines {
		names = append(names, strings.Fields(l)[0])
	}
	if want := []string{"auth_on_register_m5", "on_client_gone", "on_client_wakeup", "on_register_m5"}; !slices.Equal(names, want) {
		t.Error(names)
	}
}

// TestStopIsTold tells of the clients that a broker loses when it stops.
func TestStopIsTold(t *testing.T) {
	t.Parallel()
	s := newHookService(t, nil)
	b := startBroker(t, webhooksConfig(2, s.URL))
	for i := range 20 {
		enter(t, b, asClient(codec.V311, fmt.Sprint("c", i), "", ""))
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	gone := 0
	for _, l := range s.await(t, 20*4) {
		if strings.HasPrefix(l, "on_client_gone ") {
			gone++
		}
	}
	if gone != 20 {
		t.Errorf("%d clients are gone, want 20", gone)
	}
}
