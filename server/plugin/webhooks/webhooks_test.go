package webhooks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"vernemq/codec"
	"vernemq/server/hooks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// service is a web service on a real port.
type service struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // hook and body of each request
}

// serve answers as the function says; a nil one says ok.
func serve(t testing.TB, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.seen = append(s.seen, r.Header.Get("vernemq-hook")+" "+string(body))
		s.mu.Unlock()
		if answer == nil {
			fmt.Fprint(w, `{"result":"ok"}`)
			return
		}
		answer(w, r)
	}))
	s.Start()
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *service) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

// says makes a service that always answers the same.
func says(t testing.TB, text string) *service {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

// run enables the plugin in a registry of its own.
func run(t testing.TB, o Options, list ...Endpoint) (*Plugin, *hooks.Registry) {
	t.Helper()
	r := hooks.New(slog.New(slog.DiscardHandler), 10)
	err := r.Enable(hooks.Start{Name: "vmq_webhooks", Factory: func(env hooks.Env) (hooks.Plugin, error) { return New(env, o, list) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r.Plugin("vmq_webhooks").(*Plugin), r
}

// chain asks a whole chain and waits.
func chain[R, M any](c *hooks.Chain[R, M], r *R) hooks.Answer[M] {
	a, from := c.Ask(r)
	if a.Result != hooks.Later {
		return a
	}
	done := make(chan hooks.Answer[M], 1)
	c.Wait(context.Background(), r, from, func(a hooks.Answer[M]) { done <- a })
	return <-done
}

func publish(r *hooks.Registry, m *hooks.Message) hooks.PublishAnswer {
	return chain(r.Snapshot().View(0).AuthOnPublish(m.V5), m)
}

func clientOf(id, user string, v5 bool) hooks.Client {
	return hooks.Client{ID: id, Username: user, HasUsername: user != "", V5: v5, Peer: netip.MustParseAddrPort("127.0.0.1:26656")}
}

func properties(list ...codec.Property) (ps codec.Properties) {
	for _, p := range list {
		ps = codec.AppendProperty(ps, p)
	}
	return ps
}

// TestRequests holds the bodies to those that VerneMQ 2.1.2 has sent.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	var list []Endpoint
	for n := range hooks.NumNames {
		if Accepts(n) {
			list = append(list, Endpoint{Hook: n, URL: s.URL + "/hook"})
		}
	}
	_, r := run(t, Options{}, list...)
	snap := r.Snapshot()
	view := snap.View(0)
	sub := func(v5 bool) *hooks.Subscribe {
		return &hooks.Subscribe{Client: clientOf("wh-sub", "alice", v5), Topics: []hooks.Topic{
			{Filter: codec.Filter{Filter: []byte("a/#"), QoS: 1}}, {Filter: codec.Filter{Filter: []byte("b"), QoS: 1}}}}
	}
	unsub := func(v5 bool) *hooks.Unsubscribe {
		return &hooks.Unsubscribe{Client: clientOf("wh-sub", "alice", v5), Filters: [][]byte{[]byte("c"), []byte("d")}}
	}
	message := func(v5 bool) *hooks.Message {
		m := &hooks.Message{Client: clientOf("wh-pub", "bob", v5), QoS: 1, Topic: []byte("a/1"), Payload: []byte("hi\x01\xc3\xbc"), Retain: true}
		if v5 {
			m.Properties = properties(codec.Property{ID: codec.PayloadFormatIndicator, Number: 1}, codec.Property{ID: codec.MessageExpiryInterval, Number: 60},
				codec.Property{ID: codec.ContentType, Bytes: []byte("t/p")}, codec.Property{ID: codec.ResponseTopic, Bytes: []byte("r")},
				codec.Property{ID: codec.CorrelationData, Bytes: []byte("cd")}, codec.Property{ID: codec.UserProperty, Bytes: []byte("k"), Value: []byte("v")})
		}
		return m
	}
	const props = `{"p_content_type":"t/p","p_correlation_data":"cd","p_message_expiry_interval":60,"p_payload_format_indicator":"utf8","p_response_topic":"r","p_user_property":[{"key":"aw==","val":"dg=="}]}`
	reg := func(v5 bool) *hooks.Register {
		r := &hooks.Register{Client: clientOf("wh-sub", "alice", v5), Password: []byte("secret"), HasPassword: true}
		if v5 {
			r.Properties = properties(codec.Property{ID: codec.SessionExpiryInterval, Number: 2}, codec.Property{ID: codec.ReceiveMaximum, Number: 20})
		}
		return r
	}
	refused := sub(true)
	refused.Topics[0].Code = codec.NotAuthorized
	refusedV4 := sub(false)
	refusedV4.Topics[0].Code = codec.NotAuthorized
	who := clientOf("wh-sub", "", false)
	for _, tt := range []struct {
		do   func()
		want string
	}{
		{func() { chain(view.AuthOnRegister(false), reg(false)) },
			`auth_on_register {"peer_addr":"127.0.0.1","peer_port":26656,"mountpoint":"","client_id":"wh-sub","username":"alice","password":"secret","clean_session":false}`},
		{func() {
			chain(view.AuthOnRegister(false), &hooks.Register{Client: who, CleanStart: true, Connection: &hooks.Connection{
				ClientCert: []byte{1, 2}, ListenerAddr: "0.0.0.0", ListenerPort: 8883, ListenerType: "mqtts"}})
		}, `auth_on_register {"peer_addr":"127.0.0.1","peer_port":26656,"mountpoint":"","client_id":"wh-sub","username":null,"password":null,"clean_session":true,` +
			`"client_cert":"AQI=","listener_addr":"0.0.0.0","listener_port":8883,"listener_type":"mqtts"}`},
		{func() { chain(view.AuthOnRegister(true), reg(true)) },
			`auth_on_register_m5 {"peer_addr":"127.0.0.1","peer_port":26656,"mountpoint":"","client_id":"wh-sub","username":"alice","password":"secret","clean_start":false,"properties":{"p_receive_max":20,"p_session_expiry_interval":2}}`},
		{func() { snap.OnRegister(false).Tell(reg(false)) },
			`on_register {"peer_addr":"127.0.0.1","peer_port":26656,"mountpoint":"","client_id":"wh-sub","username":"alice"}`},
		{func() { snap.OnRegister(true).Tell(reg(true)) },
			`on_register_m5 {"peer_addr":"127.0.0.1","peer_port":26656,"mountpoint":"","client_id":"wh-sub","username":"alice","properties":{}}`},
		{func() { chain(view.AuthOnSubscribe(false), sub(false)) },
			`auth_on_subscribe {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":[{"topic":"b","qos":1},{"topic":"a/#","qos":1}]}`},
		{func() { chain(view.AuthOnSubscribe(true), sub(true)) },
			`auth_on_subscribe_m5 {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":[{"topic":"b","qos":1,"no_local":false,"rap":false,"retain_handling":"send_retain"},{"topic":"a/#","qos":1,"no_local":false,"rap":false,"retain_handling":"send_retain"}],"properties":{}}`},
		{func() { snap.OnSubscribe(false).Tell(refusedV4) },
			`on_subscribe {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":[{"topic":"b","qos":1},{"topic":"a/#","qos":128}]}`},
		{func() { snap.OnSubscribe(true).Tell(refused) },
			`on_subscribe_m5 {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":[{"topic":"b","qos":1,"no_local":false,"rap":false,"retain_handling":"send_retain"},{"topic":"a/#","qos":135}],"properties":{}}`},
		{func() { chain(snap.OnUnsubscribe(false), unsub(false)) },
			`on_unsubscribe {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":["d","c"]}`},
		{func() { chain(snap.OnUnsubscribe(true), unsub(true)) },
			`on_unsubscribe_m5 {"username":"alice","mountpoint":"","client_id":"wh-sub","topics":["d","c"],"properties":{}}`},
		{func() { publish(r, message(false)) },
			`auth_on_publish {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true}`},
		{func() { publish(r, message(true)) },
			`auth_on_publish_m5 {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true,"properties":` + props + `}`},
		{func() { snap.OnPublish(false).Tell(message(false)) },
			`on_publish {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true}`},
		{func() { snap.OnPublish(true).Tell(message(true)) },
			`on_publish_m5 {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true,"properties":` + props + `}`},
		{func() { chain(snap.OnDeliver(false), message(false)) },
			`on_deliver {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true,"properties":{}}`},
		{func() { chain(snap.OnDeliver(true), message(true)) },
			`on_deliver_m5 {"username":"bob","mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true,"properties":` + props + `}`},
		{func() { snap.OnOfflineMessage.Tell(message(true)) },
			`on_offline_message {"mountpoint":"","client_id":"wh-pub","qos":1,"topic":"a/1","payload":"aGkBw7w=","retain":true}`},
		{func() { snap.OnClientWakeup.Tell(&who) }, `on_client_wakeup {"mountpoint":"","client_id":"wh-sub"}`},
		{func() { snap.OnClientOffline.Tell(&who) }, `on_client_offline {"mountpoint":"","client_id":"wh-sub"}`},
		{func() { snap.OnClientGone.Tell(&who) }, `on_client_gone {"mountpoint":"","client_id":"wh-sub"}`},
		{func() { snap.OnSessionExpired.Tell(&who) }, `on_session_expired {"mountpoint":"","client_id":"wh-sub"}`},
		{func() {
			chain(view.OnAuth(), &hooks.Auth{Client: clientOf("c", "", true), Exchange: &hooks.Exchange{Method: "m"}, Properties: properties(
				codec.Property{ID: codec.AuthenticationMethod, Bytes: []byte("m")}, codec.Property{ID: codec.AuthenticationData, Bytes: []byte{1, 2, 3}})})
		}, `on_auth_m5 {"username":null,"mountpoint":"","client_id":"c","properties":{"p_authentication_data":"AQID","p_authentication_method":"m"}}`},
	} {
		n := len(s.requests())
		tt.do()
		for deadline := time.Now().Add(10 * time.Second); len(s.requests()) == n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no request, want %s", tt.want)
			}
		}
		if got := s.requests()[n]; got != tt.want {
			t.Errorf("%s\nwant %s", got, tt.want)
		}
	}
}

// TestHeaders looks at the bytes on the wire.
func TestHeaders(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		got <- string(b[:n])
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"result\":\"ok\"}")
	}()
	_, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: "http://" + l.Addr().String() + "/x"})
	if a := publish(r, &hooks.Message{Topic: []byte("a")}); a.Result != hooks.OK {
		t.Fatal(a)
	}
	text := <-got
	for _, want := range []string{"POST /x HTTP/1.1\r\n", "\r\nvernemq-hook: auth_on_publish\r\n", "\r\nContent-Type: application/json\r\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestPayloadOptions(t *testing.T) {
	t.Parallel()
	s := says(t, `{"result":"ok","modifiers":{"payload":"plain <text>"}}`)
	_, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL, Plain: true}, Endpoint{Hook: hooks.AuthOnPublishM5, URL: s.URL, NoPayload: true})
	a := publish(r, &hooks.Message{Topic: []byte("a"), Payload: []byte("<p>")})
	if a.Result != hooks.OK || string(*a.Modifiers.Payload) != "plain <text>" {
		t.Error(a)
	}
	if a := publish(r, &hooks.Message{Client: hooks.Client{V5: true}, Topic: []byte("a"), Payload: []byte("p")}); a.Result != hooks.Failed { // not base64
		t.Error(a)
	}
	want := []string{
		`auth_on_publish {"username":null,"mountpoint":"","client_id":"","qos":0,"topic":"a","payload":"<p>","retain":false}`,
		`auth_on_publish_m5 {"username":null,"mountpoint":"","client_id":"","qos":0,"topic":"a","retain":false,"properties":{}}`,
	}
	if got := s.requests(); !slices.Equal(got, want) {
		t.Error(got)
	}
}

// TestBadAnswers has services that do all that they should not.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	text := func(s string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
	}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		cause  string
	}{
		"error":          {text(`{"result":{"error":"not today"}}`), "not today"},
		"error object":   {text(`{"result":{"error":{"a":1}}}`), `{"a":1}`},
		"status 201":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); fmt.Fprint(w, `{"result":"ok"}`) }, "status is not 200 but 201"},
		"status 500":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, "status is not 200 but 500"},
		"redirect":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) }, "status is not 200 but 302"},
		"no JSON":        {text("ok"), "answer is no JSON object"},
		"half JSON":      {text(`{"result":"ok"`), "answer is no JSON object"},
		"more than JSON": {text(`{"result":"ok"}x`), "answer is no JSON object"},
		"empty":          {text(""), "answer is no JSON object"},
		"no result":      {text("{}"), "result is neither"},
		"list":           {text("[]"), "answer is no JSON object"},
		"other result":   {text(`{"result":"foo"}`), "result is neither"},
		"result true":    {text(`{"result":true}`), "result is neither"},
		"not base64":     {text(`{"result":"ok","modifiers":{"payload":"%"}}`), "not base64"},
		"unknown":        {text(`{"result":"ok","modifiers":{"colour":"red"}}`), "unknown modifier colour"},
		"wrong type":     {text(`{"result":"ok","modifiers":{"qos":"1"}}`), "modifier qos: not a number"},
		"large qos":      {text(`{"result":"ok","modifiers":{"qos":3}}`), "3 is not from 0 to 2"},
		"wildcard":       {text(`{"result":"ok","modifiers":{"topic":"a/#"}}`), "invalid_modifier"},
		"hangs":          {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "deadline exceeded"},
		"hangs in a body": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"res`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, "deadline exceeded"},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			for range 9 << 4 {
				w.Write(make([]byte, 64<<10))
			}
		}, "larger than"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"result":"ok"}`)
		}, "unexpected EOF"},
		"closes": {func(w http.ResponseWriter, _ *http.Request) {
			c, _, _ := w.(http.Hijacker).Hijack()
			c.Close()
		}, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wait := 10 * time.Second
			if strings.Contains(name, "hangs") {
				wait = 100 * time.Millisecond
			}
			s := serve(t, tt.answer)
			p, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL, ResponseTimeout: wait}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL + "/second"})
			a := publish(r, &hooks.Message{Topic: []byte("a")})
			if a.Result != hooks.Failed || !strings.Contains(a.Refusal.Cause, tt.cause) {
				t.Errorf("%v %+v", a.Result, a.Refusal)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests: nobody else is asked after an error", n)
			}
			if f := p.Figures()[0]; f.Requests != 1 || f.Errors != 1 && name != "wildcard" || f.Timeouts != 0 && !strings.Contains(name, "hangs") {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		_, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: "http://127.0.0.1:1"})
		if a := publish(r, &hooks.Message{}); a.Result != hooks.Failed || !strings.Contains(a.Refusal.Cause, "connection refused") {
			t.Error(a)
		}
	})
}

// TestErrorsCounted counts a refusal as an error, as VerneMQ does, and not a
// question whose client has gone.
func TestErrorsCounted(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuses" {
			fmt.Fprint(w, `{"result":{"error":"no"}}`)
			return
		}
		asked <- struct{}{}
		<-r.Context().Done()
	})
	p, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL + "/refuses"}, Endpoint{Hook: hooks.AuthOnRegister, URL: s.URL + "/hangs"})
	publish(r, &hooks.Message{Topic: []byte("a")})
	if f := p.Totals()[hooks.AuthOnPublish]; f.Requests != 1 || f.Errors != 1 {
		t.Errorf("after a refusal: %+v", f)
	}
	ctx, leave := context.WithCancel(t.Context())
	r.Snapshot().View(0).AuthOnRegister(false).Wait(ctx, &hooks.Register{}, 0, func(hooks.RegisterAnswer) {})
	<-asked
	leave()
	f := p.Totals()[hooks.AuthOnRegister]
	for end := time.Now().Add(10 * time.Second); f.Canceled == 0 && time.Now().Before(end); f = p.Totals()[hooks.AuthOnRegister] {
		time.Sleep(time.Millisecond)
	}
	if f.Requests != 1 || f.Canceled != 1 || f.Errors != 0 {
		t.Errorf("after the client has gone: %+v", f)
	}
}

func TestEndpointsInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order []string
	note := func(name, answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			order = append(order, name)
			mu.Unlock()
			fmt.Fprint(w, answer)
		}
	}
	first, second := serve(t, note("1", `{"result":"next"}`)), serve(t, note("2", `{"result":"ok","modifiers":{}}`))
	third := serve(t, note("3", `{"result":"next"}`))
	p, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: first.URL}, Endpoint{Hook: hooks.AuthOnPublish, URL: second.URL}, Endpoint{Hook: hooks.AuthOnPublish, URL: third.URL})
	if a := publish(r, &hooks.Message{Topic: []byte("a")}); a.Result != hooks.OK || a.Modifiers != nil {
		t.Error(a)
	}
	if !slices.Equal(order, []string{"1", "2"}) {
		t.Error(order)
	}
	if err := p.Deregister(hooks.AuthOnPublish, second.URL); err != nil {
		t.Error(err)
	}
	if a := publish(r, &hooks.Message{Topic: []byte("a")}); a.Refusal != hooks.Exhausted {
		t.Error(a)
	}
	for _, s := range []*service{first, third} {
		if err := p.Deregister(hooks.AuthOnPublish, s.URL); err != nil {
			t.Error(err)
		}
	}
	if r.Snapshot().View(0).AuthOnPublish(false) != nil {
		t.Error("a hook without endpoints is in the chain")
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	p, r := run(t, Options{})
	e := Endpoint{Hook: hooks.OnPublish, URL: "http://127.0.0.1:1/x"}
	if err := p.Register(e); err != nil {
		t.Fatal(err)
	}
	if err := p.Register(e); err != ErrAlreadyRegistered {
		t.Error(err)
	}
	e.ResponseTimeout = defaultTimeout
	if got := p.Endpoints(); !slices.Equal(got, []Endpoint{e}) {
		t.Error(got)
	}
	if got := r.Plugins()[0].Hooks; !slices.Equal(got, []hooks.Name{hooks.OnPublish}) {
		t.Error(got)
	}
	if err := p.Deregister(hooks.OnPublish, "http://other"); err != ErrNotFound {
		t.Error(err)
	}
	for _, url := range []string{"nourl", "ftp://x", "http://", "://", "/x"} {
		if err := p.Register(Endpoint{Hook: hooks.OnPublish, URL: url}); err == nil {
			t.Errorf("%s was taken", url)
		}
	}
	for _, n := range []hooks.Name{hooks.OnTopicUnsubscribed, hooks.OnMessageDrop, hooks.OnConfigChange} {
		if err := p.Register(Endpoint{Hook: n, URL: e.URL}); err == nil {
			t.Errorf("%s was taken", n)
		}
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	age := "public, Max-Age=100"
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if age != "" {
			w.Header().Set("cache-control", age)
		}
		fmt.Fprint(w, `{"result":"ok","modifiers":{"topic":"b","payload":"eA=="}}`)
	})
	p, r := run(t, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	m := hooks.Message{Client: clientOf("c", "u", false), Topic: []byte("a"), Payload: []byte("1")}
	if a := publish(r, &m); a.Result != hooks.OK || a.Modifiers.Payload == nil {
		t.Fatal(a)
	}
	m.Payload, m.Peer = []byte("2"), netip.MustParseAddrPort("127.0.0.1:9")
	a, _ := r.Snapshot().View(0).AuthOnPublish(false).Ask(&m) // at once
	if a.Result != hooks.OK || string(*a.Modifiers.Topic) != "b" || a.Modifiers.Payload != nil {
		t.Fatal(a)
	}
	if f := p.Figures()[0]; f.Hits != 1 || f.Misses != 1 || f.Entries != 1 || f.Requests != 1 {
		t.Errorf("%+v", f)
	}
	for name, change := range map[string]func(*hooks.Message){
		"topic": func(m *hooks.Message) { m.Topic = []byte("x") }, "qos": func(m *hooks.Message) { m.QoS = 1 }, "retain": func(m *hooks.Message) { m.Retain = true },
		"user": func(m *hooks.Message) { m.Username = "v" }, "no user": func(m *hooks.Message) { m.HasUsername, m.Username = false, "" },
		"id": func(m *hooks.Message) { m.ID = "d" }, "mountpoint": func(m *hooks.Message) { m.Mountpoint = "mp" },
	} {
		other := m
		change(&other)
		if a, _ := r.Snapshot().View(0).AuthOnPublish(false).Ask(&other); a.Result != hooks.Later {
			t.Errorf("another %s is answered from the cache", name)
		}
	}
	p.ClearCache()
	if f := p.Figures()[0]; f.Hits != 0 || f.Misses != 0 || f.Entries != 0 {
		t.Errorf("%+v", f)
	}
	for i, none := range []string{"", "max-age=0"} {
		age = none
		for range 2 {
			publish(r, &m)
		}
		if n := len(s.requests()); n != 3+2*i || p.Figures()[0].Entries != 0 {
			t.Errorf("%q: %d requests, %d answers are kept", none, n, p.Figures()[0].Entries)
		}
	}
}

func TestMaxAge(t *testing.T) {
	for value, want := range map[string]time.Duration{"": 0, "no-store": 0, "max-age=7": 7 * time.Second, "private, MAX-AGE=0": 0, "max-age=-1": 0, "max-age=99999999999999999999": (1<<31 - 1) * time.Second} {
		if got := maxAge(http.Header{"Cache-Control": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTLS asks a service with a certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) == 0 {
			fmt.Fprint(w, `{"result":{"error":"no client certificate"}}`)
			return
		}
		fmt.Fprint(w, `{"result":"ok"}`)
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.TLS.ClientAuth = tls.RequestClientCert
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, b)
		return path
	}
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	ca := write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	keyFile := write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	//lint:ignore SA1019 what operators have
	locked, err := x509.EncryptPEMBlock(readerOf(0), "PRIVATE KEY", key, []byte("pw"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	lockedFile := write("locked.pem", pem.EncodeToMemory(locked))
	for name, tt := range map[string]struct {
		o     Options
		cause string
	}{
		"trusted":           {Options{CAFile: ca, CertFile: ca, KeyFile: keyFile}, ""},
		"locked key":        {Options{CAFile: ca, CertFile: ca, KeyFile: lockedFile, KeyPassword: "pw"}, ""},
		"no lock":           {Options{CAFile: ca, CertFile: ca, KeyFile: keyFile, KeyPassword: "pw"}, ""},
		"1.3":               {Options{CAFile: ca, CertFile: ca, KeyFile: keyFile, TLSVersion: "tlsv1.3"}, ""},
		"not verified":      {Options{SkipVerify: true, CertFile: ca, KeyFile: keyFile}, ""},
		"no client cert":    {Options{CAFile: ca}, "no client certificate"},
		"unknown authority": {Options{}, "unknown authority"},
	} {
		_, r := run(t, tt.o, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
		a := publish(r, &hooks.Message{})
		if tt.cause == "" && a.Result != hooks.OK || tt.cause != "" && (a.Result != hooks.Failed || !strings.Contains(a.Refusal.Cause, tt.cause)) {
			t.Errorf("%s: %v %+v", name, a.Result, a.Refusal)
		}
	}
	for name, o := range map[string]Options{
		"no CA file": {CAFile: dir + "/none"}, "CA file is a key": {CAFile: keyFile}, "version": {TLSVersion: "sslv3"},
		"no key": {CertFile: ca}, "wrong password": {CertFile: ca, KeyFile: lockedFile, KeyPassword: "x"},
	} {
		if _, err := New(hooks.Env{Log: slog.Default()}, o, nil); err == nil || !strings.Contains(err.Error(), "cannot set up TLS") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// readerOf reads one byte for ever.
type readerOf byte

func (r readerOf) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r)
	}
	return len(b), nil
}

// TestPool holds the number of connections to its limit.
func TestPool(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, most := 0, 0
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		now++
		most = max(most, now)
		mu.Unlock()
		time.Sleep(5 * time.Millisecond)
		mu.Lock()
		now--
		mu.Unlock()
		fmt.Fprint(w, `{"result":"ok"}`)
	})
	_, r := run(t, Options{MaxConnections: 4}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if a := publish(r, &hooks.Message{Client: hooks.Client{ID: fmt.Sprint(i)}}); a.Result != hooks.OK {
				t.Error(a)
			}
		})
	}
	wg.Wait()
	if most > 4 {
		t.Errorf("%d connections at once", most)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	s := serve(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("cache-control", "max-age=3600")
		fmt.Fprint(w, `{"result":"ok"}`)
	})
	_, r := run(b, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	m := &hooks.Message{Client: clientOf("client-1", "alice", false), Topic: []byte("devices/1/status"), Payload: make([]byte, 64)}
	publish(r, m)
	c := r.Snapshot().View(0).AuthOnPublish(false)
	b.ReportAllocs()
	for b.Loop() {
		if a, _ := c.Ask(m); a.Result != hooks.OK {
			b.Fatal(a)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	s := serve(b, nil)
	_, r := run(b, Options{}, Endpoint{Hook: hooks.AuthOnPublish, URL: s.URL})
	m := &hooks.Message{Client: clientOf("client-1", "alice", false), Topic: []byte("devices/1/status"), Payload: make([]byte, 64)}
	b.ReportAllocs()
	for b.Loop() {
		publish(r, m)
	}
}
