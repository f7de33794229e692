package hooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"vernemq/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a plugin made of functions.
type fake struct {
	hooks  Hooks
	bounds Bounds
	closed bool
}

func (f *fake) Hooks() Hooks   { return f.hooks }
func (f *fake) Bounds() Bounds { return f.bounds }
func (f *fake) Close() error   { f.closed = true; return nil }

// log collects lines.
type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func registry(t testing.TB) (*Registry, *log) {
	l := &log{}
	r := New(slog.New(slog.NewTextHandler(l, nil)), 10)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r, l
}

func enable(t testing.TB, r *Registry, name string, f *fake) {
	t.Helper()
	if err := r.Enable(Start{Name: name, Factory: func(Env) (Plugin, error) { return f, nil }}); err != nil {
		t.Fatal(err)
	}
}

// publisher is a plugin with auth_on_publish of both forms.
func publisher(now func(*Message) PublishAnswer, wait func(context.Context, *Message) PublishAnswer) *fake {
	a := Asked[Message, PublishModifiers]{Now: now, Wait: wait}
	return &fake{hooks: Hooks{AuthOnPublish: a, AuthOnPublishM5: a}}
}

// ask gives the answer of the whole chain.
func ask(r *Registry, m *Message) PublishAnswer {
	return askContext(context.Background(), r, m)
}

func askContext(ctx context.Context, r *Registry, m *Message) PublishAnswer {
	c := r.Snapshot().View(0).AuthOnPublish(m.V5)
	a, from := c.Ask(m)
	if a.Result != Later {
		return a
	}
	done := make(chan PublishAnswer, 2)
	c.Wait(ctx, m, from, func(a PublishAnswer) { done <- a })
	return <-done
}

func TestOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Start {
			s := Start{Name: rapid.StringMatching(`[a-d]{1,3}`).Draw(t, "name"), HasPriority: rapid.Bool().Draw(t, "has")}
			if s.HasPriority {
				s.Priority = rapid.IntRange(-2, 2).Draw(t, "priority")
			}
			return s
		}), 0, 8, func(s Start) string { return s.Name }).Draw(t, "list")
		Sort(list)
		for i := range list {
			for _, after := range list[i+1:] {
				before := list[i]
				switch {
				case before.HasPriority && !after.HasPriority:
				case before.HasPriority != after.HasPriority:
					t.Fatalf("%v comes before %v", before, after)
				case before.HasPriority && before.Priority != after.Priority && before.Priority > after.Priority,
					before.Priority == after.Priority && before.Name > after.Name:
					t.Fatalf("%v comes before %v", before, after)
				}
			}
		}
	})
}

// TestChain compares chains of random plugins, fast and slow, with the sentence
// that describes them: the first that does not say Next decides.
func TestChain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := New(slog.New(slog.DiscardHandler), 0)
		defer r.Close(context.Background())
		var mu sync.Mutex
		var asked []int
		n := rapid.IntRange(0, 6).Draw(t, "plugins")
		var wantAsked []int
		want := refuse[PublishModifiers](Exhausted)
		if n == 0 {
			want = refuse[PublishModifiers](Nobody)
		}
		decided := false
		for i := range n {
			says := rapid.SampledFrom([]Result{Next, Next, OK, Failed}).Draw(t, "says")
			kind := rapid.IntRange(0, 2).Draw(t, "kind") // 0 now, 1 wait, 2 both
			a := PublishAnswer{Result: says}
			if says == Failed {
				a.Refusal = &Refusal{Cause: fmt.Sprint(i)}
			}
			note := func() {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, i)
			}
			now := func(*Message) PublishAnswer { note(); return a }
			wait := func(context.Context, *Message) PublishAnswer { note(); return a }
			switch kind {
			case 0:
				wait = nil
			case 1:
				now = nil
			case 2:
				now = func(*Message) PublishAnswer { return PublishAnswer{Result: Later} }
			}
			f := publisher(now, wait)
			if err := r.Enable(Start{Name: fmt.Sprint(i), Factory: func(Env) (Plugin, error) { return f, nil }}); err != nil {
				t.Fatal(err)
			}
			if !decided {
				wantAsked = append(wantAsked, i)
				if says != Next {
					want, decided = a, true
				}
			}
		}
		got := ask(r, &Message{Topic: []byte("a")})
		mu.Lock()
		defer mu.Unlock()
		if got != want || !slices.Equal(asked, wantAsked) {
			t.Fatalf("%v by %v, want %v by %v", got, asked, want, wantAsked)
		}
	})
}

// TestRequestOutlivesTheCall changes what a request pointed to while a plugin
// thinks about it.
func TestRequestOutlivesTheCall(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	change := make(chan struct{})
	got := make(chan string, 1)
	enable(t, r, "slow", publisher(nil, func(_ context.Context, m *Message) PublishAnswer {
		<-change
		got <- fmt.Sprintf("%s %s", m.Topic, m.Payload)
		return PublishAnswer{Result: OK}
	}))
	topic, payload := []byte("topic"), []byte("payload")
	c := r.Snapshot().View(0).AuthOnPublish(false)
	m := &Message{Topic: topic, Payload: payload}
	_, from := c.Ask(m)
	done := make(chan PublishAnswer, 1)
	c.Wait(context.Background(), m, from, func(a PublishAnswer) { done <- a })
	copy(topic, "xxxxx")
	copy(payload, "xxxxxxx")
	*m = Message{}
	close(change)
	if s := <-got; s != "topic payload" {
		t.Error(s)
	}
	if a := <-done; a.Result != OK {
		t.Error(a)
	}
}

func TestPanicsAreContained(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]*fake{
		"now":  publisher(func(*Message) PublishAnswer { panic("oops") }, nil),
		"wait": publisher(nil, func(context.Context, *Message) PublishAnswer { panic("oops") }),
	} {
		t.Run(name, func(t *testing.T) {
			r, l := registry(t)
			f.hooks.OnPublish = Told[Message]{Now: func(*Message) { panic("event") }}
			enable(t, r, "bad", f)
			if a := ask(r, &Message{}); a.Result != Failed || a.Refusal != panicked {
				t.Error(a)
			}
			r.Snapshot().OnPublish(false).Tell(&Message{})
			if n := r.Plugins()[0].Panics; n != 2 {
				t.Errorf("%d panics counted", n)
			}
			if !strings.Contains(l.String(), "panic=oops") || !strings.Contains(l.String(), "plugin=bad") {
				t.Error(l)
			}
		})
	}
}

// TestHangingPlugin has a plugin that never answers: those who ask are refused
// in time, and so are those who wait for a free worker.
func TestHangingPlugin(t *testing.T) {
	t.Parallel()
	r, l := registry(t)
	release := make(chan struct{})
	f := publisher(nil, func(context.Context, *Message) PublishAnswer { <-release; return PublishAnswer{Result: OK} })
	f.bounds = Bounds{Workers: 1, Timeout: 20 * time.Millisecond}
	enable(t, r, "hung", f)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if a := ask(r, &Message{Client: Client{ID: fmt.Sprint(i)}}); a.Result != Failed || a.Refusal != overdue {
				t.Error(a)
			}
		})
	}
	wg.Wait()
	if i := r.Plugins()[0]; i.Timeouts != 4 || i.Running != 1 {
		t.Errorf("%+v", i)
	}
	if !strings.Contains(l.String(), "does not answer in time") {
		t.Error(l)
	}
	close(release)
}

func TestOverload(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	release := make(chan struct{})
	f := publisher(nil, func(context.Context, *Message) PublishAnswer { <-release; return PublishAnswer{Result: OK} })
	f.bounds = Bounds{Workers: 1, Waiting: 2}
	enable(t, r, "slow", f)
	answers := make(chan PublishAnswer, 10)
	for i := range 10 {
		c := r.Snapshot().View(0).AuthOnPublish(false)
		m := &Message{Client: Client{ID: fmt.Sprint(i)}}
		_, from := c.Ask(m)
		c.Wait(context.Background(), m, from, func(a PublishAnswer) { answers <- a })
	}
	for range 7 { // one or none works, two wait
		if a := <-answers; a.Refusal != overloaded {
			t.Error(a)
		}
	}
	close(release)
	for range 3 {
		if a := <-answers; a.Result != OK && a.Refusal != overloaded {
			t.Error(a)
		}
	}
}

// TestClientLeaves ends the context of a request.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	ended := make(chan error, 1)
	began := make(chan struct{})
	enable(t, r, "slow", publisher(nil, func(ctx context.Context, _ *Message) PublishAnswer {
		close(began)
		<-ctx.Done()
		ended <- ctx.Err()
		return PublishAnswer{Result: OK}
	}))
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-began; cancel() }()
	if a := askContext(ctx, r, &Message{}); a.Result != Failed {
		t.Error(a)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if n := r.Plugins()[0].Timeouts; n != 0 {
		t.Errorf("%d timeouts counted", n)
	}
}

// TestDisableWhileWaiting refuses who waits for a plugin that goes.
func TestDisableWhileWaiting(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	began := make(chan struct{})
	f := publisher(nil, func(ctx context.Context, _ *Message) PublishAnswer {
		close(began)
		<-ctx.Done()
		return PublishAnswer{Result: OK}
	})
	enable(t, r, "slow", f)
	go func() { <-began; _ = r.Disable("slow") }()
	if a := ask(r, &Message{}); a.Result != Failed {
		t.Error(a)
	}
}

func TestEnableAndDisable(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	if a := ask(r, &Message{}); a.Refusal != Nobody {
		t.Error(a)
	}
	yes := publisher(func(*Message) PublishAnswer { return PublishAnswer{Result: OK} }, nil)
	enable(t, r, "b", publisher(func(*Message) PublishAnswer { return PublishAnswer{} }, nil))
	if a := ask(r, &Message{}); a.Refusal != Exhausted {
		t.Error(a)
	}
	enable(t, r, "a", yes) // at the end, whatever its name
	if a := ask(r, &Message{}); a.Result != OK {
		t.Error(a)
	}
	if err := r.Enable(Start{Name: "a", Factory: func(Env) (Plugin, error) { return yes, nil }}); err != ErrAlreadyEnabled {
		t.Error(err)
	}
	if err := r.Enable(Start{Name: "c"}); err != ErrNotFound {
		t.Error(err)
	}
	var names []string
	for _, p := range r.Plugins() {
		names = append(names, p.Name)
		if !slices.Equal(p.Hooks, []Name{AuthOnPublish, AuthOnPublishM5}) {
			t.Error(p.Hooks)
		}
	}
	if !slices.Equal(names, []string{"b", "a"}) {
		t.Error(names)
	}
	if err := r.Disable("a"); err != nil || !yes.closed {
		t.Error(err, yes.closed)
	}
	if err := r.Disable("a"); err != ErrNotFound {
		t.Error(err)
	}
	if a := ask(r, &Message{}); a.Refusal != Exhausted {
		t.Error(a)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	says := func(cause string) *fake {
		return publisher(func(*Message) PublishAnswer { return Refuse[PublishModifiers](cause) }, nil)
	}
	enable(t, r, "a", says("a"))
	enable(t, r, "b", says("b"))
	b, err := r.AddView(nil, []string{"b", "a"})
	if err != nil {
		t.Fatal(err)
	}
	cause := func(view int) string {
		a, _ := r.Snapshot().View(view).AuthOnPublish(true).Ask(&Message{})
		return a.Refusal.Cause
	}
	if cause(0) != "a" || cause(b) != "b" {
		t.Error(cause(0), cause(b))
	}
	if err := r.Disable("b"); err != nil {
		t.Fatal(err)
	}
	if cause(b) != "a" {
		t.Error(cause(b))
	}
	for want, lists := range map[string][2][]string{
		"duplicate plugin in auth_plugins chain: a":             {{"a", "a"}, nil},
		"unknown or disabled plugin b in authz_plugins chain":   {nil, {"a", "b"}},
		"unknown or disabled plugin xyz in auth_plugins chain":  {{"xyz"}, nil},
		"duplicate plugin in authz_plugins chain: a":            {nil, {"a", "a"}},
		"unknown or disabled plugin zyx in authz_plugins chain": {nil, {"zyx"}},
	} {
		if _, err := r.AddView(lists[0], lists[1]); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestViewsAreShared has listeners that come and go with the same plugins.
func TestViewsAreShared(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	enable(t, r, "a", &fake{})
	seen := map[int]int{}
	for range 10 {
		for _, l := range []lists{{[]string{"a"}, nil}, {nil, []string{"a"}}, {[]string{}, nil}, {[]string{"a"}, []string{"a"}}} {
			n, err := r.AddView(l.auth, l.authz)
			if err != nil {
				t.Fatal(err)
			}
			seen[n]++
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d views", len(seen))
	}
}

func TestModifiersAreChecked(t *testing.T) {
	t.Parallel()
	raw := func(ps ...codec.Property) *codec.Properties {
		var b codec.Properties
		for _, p := range ps {
			b = codec.AppendProperty(b, p)
		}
		return &b
	}
	bytes := func(s string) *[]byte { return new([]byte(s)) }
	for name, tt := range map[string]struct {
		m  PublishModifiers
		v5 bool
		ok bool
	}{
		"none":              {PublishModifiers{}, false, true},
		"topic":             {PublishModifiers{Topic: bytes("a/b")}, false, true},
		"empty topic":       {PublishModifiers{Topic: bytes("")}, false, false},
		"wildcard":          {PublishModifiers{Topic: bytes("a/#")}, false, false},
		"deep":              {PublishModifiers{Topic: bytes("1/2/3/4/5/6/7/8/9/10/11")}, false, false},
		"qos":               {PublishModifiers{QoS: new(byte(2))}, false, true},
		"qos 3":             {PublishModifiers{QoS: new(byte(3))}, false, false},
		"negative throttle": {PublishModifiers{Throttle: -1}, false, false},
		"mountpoint":        {PublishModifiers{Mountpoint: new("\x00")}, false, false},
		"properties":        {PublishModifiers{Properties: raw(codec.Property{ID: codec.ContentType, Bytes: []byte("x")})}, true, true},
		"v3 properties":     {PublishModifiers{Properties: raw()}, false, false},
		"alien property":    {PublishModifiers{Properties: raw(codec.Property{ID: codec.ReceiveMaximum, Number: 1})}, true, false},
		"twice":             {PublishModifiers{Properties: raw(codec.Property{ID: codec.ContentType}, codec.Property{ID: codec.ContentType})}, true, false},
		"broken property":   {PublishModifiers{Properties: &codec.Properties{3, 0, 9}}, true, false},
		"wrong format":      {PublishModifiers{Properties: raw(codec.Property{ID: codec.PayloadFormatIndicator, Number: 2})}, true, false},
		"response wildcard": {PublishModifiers{Properties: raw(codec.Property{ID: codec.ResponseTopic, Bytes: []byte("#")})}, true, false},
	} {
		r, _ := registry(t)
		enable(t, r, "p", publisher(func(*Message) PublishAnswer { return PublishAnswer{Result: OK, Modifiers: &tt.m} }, nil))
		if a := ask(r, &Message{Client: Client{V5: tt.v5}}); (a.Result == OK) != tt.ok {
			t.Errorf("%s: %v %+v", name, a.Result, a.Refusal)
		}
	}
	for name, tt := range map[string]struct {
		m  RegisterModifiers
		ok bool
	}{
		"id":          {RegisterModifiers{ClientID: new("a"), Mountpoint: new("")}, true},
		"id alone":    {RegisterModifiers{ClientID: new("a")}, false},
		"empty id":    {RegisterModifiers{ClientID: new(""), Mountpoint: new("")}, false},
		"mp alone":    {RegisterModifiers{Mountpoint: new("a")}, false},
		"negative":    {RegisterModifiers{MaxOnlineMessages: new(-1)}, false},
		"policy":      {RegisterModifiers{SharedSubscriptionPolicy: new("local_only")}, true},
		"bad policy":  {RegisterModifiers{SharedSubscriptionPolicy: new("best")}, false},
		"queue":       {RegisterModifiers{QueueType: new("lifo")}, true},
		"bad queue":   {RegisterModifiers{QueueType: new("heap")}, false},
		"lifetime":    {RegisterModifiers{MaxConnectionLifetime: new(-time.Second)}, false},
		"v5 expiry":   {RegisterModifiers{SessionExpiry: new(uint32(7))}, false}, // the client speaks MQTT 3
		"user":        {RegisterModifiers{Username: new("\xff")}, false},
		"bad deliver": {RegisterModifiers{QueueDeliverMode: new("twice")}, false},
	} {
		if err := tt.m.check(&Register{}, limits{}); (err == nil) != tt.ok {
			t.Errorf("register %s: %v", name, err)
		}
	}
	for f, ok := range map[string]bool{"a/+": true, "": false, "a#": false, "$share/g/a": true, "$share/g": false} {
		err := (&SubscribeModifiers{[]Topic{{Filter: codec.Filter{Filter: []byte(f)}}}}).check(nil, limits{})
		if (err == nil) != ok {
			t.Errorf("subscribe %s: %v", f, err)
		}
	}
	refusedTopic := &SubscribeModifiers{[]Topic{{Code: codec.NotAuthorized}}}
	if err := refusedTopic.check(nil, limits{}); err != nil {
		t.Error(err)
	}
}

// TestEventsKeepTheirOrder tells of many clients at once.
func TestEventsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	const clients, events = 20, 50
	var mu sync.Mutex
	got := map[string][]byte{}
	all := make(chan struct{}, clients*events)
	f := &fake{bounds: Bounds{Workers: 4}, hooks: Hooks{OnPublish: Told[Message]{Wait: func(_ context.Context, m *Message) {
		mu.Lock()
		got[m.ID] = append(got[m.ID], m.Payload[0])
		mu.Unlock()
		all <- struct{}{}
	}}}}
	enable(t, r, "p", f)
	for i := range events {
		for c := range clients {
			r.Snapshot().OnPublish(false).Tell(&Message{Client: Client{ID: fmt.Sprint(c)}, Payload: []byte{byte(i)}})
		}
	}
	for range clients * events {
		<-all
	}
	mu.Lock()
	defer mu.Unlock()
	for c, list := range got {
		if !slices.IsSorted(list) || len(list) != events {
			t.Errorf("client %s: %v", c, list)
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	release := make(chan struct{})
	f := &fake{bounds: Bounds{Workers: 1, Waiting: 100, Bytes: 3000}, hooks: Hooks{OnPublish: Told[Message]{Wait: func(context.Context, *Message) { <-release }}}}
	enable(t, r, "p", f)
	for range 100 {
		r.Snapshot().OnPublish(false).Tell(&Message{Payload: make([]byte, 744)}) // 1000 each
	}
	if i := r.Plugins()[0]; i.Events != 100 || i.Dropped < 96 || i.Dropped > 97 {
		t.Errorf("%+v", i)
	}
	close(release)
}

// TestHangingEvents has a plugin that hangs in what it is told: it is asked all
// the same, about other clients, and events are not told out of turn.
func TestHangingEvents(t *testing.T) {
	t.Parallel()
	r, _ := registry(t)
	release := make(chan struct{})
	told := Told[Client]{Wait: func(context.Context, *Client) { <-release }}
	f := publisher(nil, func(context.Context, *Message) PublishAnswer { return PublishAnswer{Result: OK} })
	f.hooks.OnClientGone = told
	f.bounds = Bounds{Workers: 3, Waiting: 20, Bytes: 2000, Timeout: 10 * time.Second}
	enable(t, r, "p", f)
	for i := range 100 {
		r.Snapshot().OnClientGone.Tell(&Client{ID: fmt.Sprint(i)})
	}
	if i := r.Plugins()[0]; i.Dropped == 0 {
		t.Errorf("%+v", i)
	}
	for i := range 30 {
		if a := ask(r, &Message{Client: Client{ID: fmt.Sprint("asks", i)}}); a.Result != OK {
			t.Fatalf("%+v", a.Refusal)
		}
	}
	answer := make(chan PublishAnswer, 1)
	go func() { answer <- ask(r, &Message{Client: Client{ID: "0"}}) }()
	select {
	case a := <-answer:
		t.Errorf("asked before the event of the same client was told: %+v", a)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if a := <-answer; a.Result != OK {
		t.Errorf("%+v", a.Refusal)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for n := range NumNames {
		if got, ok := ParseName(n.String()); !ok || got != n || n.Arity() == 0 {
			t.Errorf("%s: %v %v", n, got, ok)
		}
	}
	if _, ok := ParseName("on_nothing"); ok {
		t.Error("on_nothing is known")
	}
}

func TestCache(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	c := newCache[int](16, func() time.Time { return now })
	key := func(i byte) CacheKey { return CacheKey{0, i} } // all in one shard, which has room for one
	c.Put(key(1), 1, time.Second)
	if v, ok := c.Get(key(1)); v != 1 || !ok {
		t.Error(v, ok)
	}
	now = now.Add(time.Second)
	if _, ok := c.Get(key(1)); !ok {
		t.Error("gone in the second in which it expires")
	}
	now = now.Add(time.Nanosecond)
	if _, ok := c.Get(key(1)); ok {
		t.Error("too old")
	}
	c.Put(key(2), 2, time.Hour)
	c.Put(key(3), 3, time.Hour)
	if _, ok := c.Get(key(2)); ok {
		t.Error("more than the limit")
	}
	n := 0
	c.Each(func(int) { n++ })
	if n != 1 {
		t.Error(n)
	}
	c.Clear()
	if _, ok := c.Get(key(3)); ok {
		t.Error("not cleared")
	}
}

func BenchmarkAsk(b *testing.B) {
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("%d plugins", n), func(b *testing.B) {
			r, _ := registry(b)
			for i := range n {
				says := Next
				if i == n-1 {
					says = OK
				}
				enable(b, r, fmt.Sprint(i), publisher(func(*Message) PublishAnswer { return PublishAnswer{Result: says} }, nil))
			}
			m := &Message{Topic: []byte("a/b"), Payload: []byte("x")}
			b.ReportAllocs()
			for b.Loop() {
				if a, _ := r.Snapshot().View(0).AuthOnPublish(false).Ask(m); a.Result != OK {
					b.Fatal(a)
				}
			}
		})
	}
	b.Run("nobody", func(b *testing.B) {
		r, _ := registry(b)
		b.ReportAllocs()
		for b.Loop() {
			r.Snapshot().OnPublish(false).Tell(nil)
		}
	})
	b.Run("slow", func(b *testing.B) {
		r, _ := registry(b)
		enable(b, r, "p", publisher(nil, func(context.Context, *Message) PublishAnswer { return PublishAnswer{Result: OK} }))
		m := &Message{Topic: []byte("a/b"), Payload: []byte("x")}
		b.ReportAllocs()
		for b.Loop() {
			if a := ask(r, m); a.Result != OK {
				b.Fatal(a)
			}
		}
	})
}

func BenchmarkCache(b *testing.B) {
	c := NewCache[int](1 << 16)
	c.Put(CacheKey{1}, 1, time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		c.Get(CacheKey{1})
	}
}
