package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/passwd"
)

// fakePlugin is a plugin made of functions.
type fakePlugin struct{ h hooks.Hooks }

func (f *fakePlugin) Hooks() hooks.Hooks   { return f.h }
func (f *fakePlugin) Bounds() hooks.Bounds { return hooks.Bounds{} }
func (f *fakePlugin) Close() error         { return nil }

// plug enables a plugin made of functions.
func plug(t testing.TB, b *Broker, name string, h hooks.Hooks) {
	t.Helper()
	f := &fakePlugin{h}
	if err := b.hooks.Enable(hooks.Start{Name: name, Factory: func(hooks.Env) (hooks.Plugin, error) { return f, nil }}); err != nil {
		t.Fatal(err)
	}
}

// closedConfig is a configuration whose clients have to authenticate.
func closedConfig(loops int) *config.Config {
	c := testConfig(loops)
	c.Listeners[0].AllowAnonymous = false
	return c
}

// welcome lets everybody in and everything happen, and is the start of a plugin
// that does more.
func welcome() (h hooks.Hooks) {
	h.AuthOnRegister.Now = func(*hooks.Register) hooks.RegisterAnswer { return hooks.RegisterAnswer{Result: hooks.OK} }
	h.AuthOnRegisterM5 = h.AuthOnRegister
	h.AuthOnPublish.Now = func(*hooks.Message) hooks.PublishAnswer { return hooks.PublishAnswer{Result: hooks.OK} }
	h.AuthOnPublishM5 = h.AuthOnPublish
	h.AuthOnSubscribe.Now = func(*hooks.Subscribe) hooks.SubscribeAnswer { return hooks.SubscribeAnswer{Result: hooks.OK} }
	h.AuthOnSubscribeM5 = h.AuthOnSubscribe
	return h
}

// filesConfig has both files.
func filesConfig(t testing.TB, loops int, acl string, users ...string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	c := closedConfig(loops)
	c.PasswordFile, c.ACLFile = filepath.Join(dir, "vmq.passwd"), filepath.Join(dir, "vmq.acl")
	var text strings.Builder
	for _, u := range users {
		name, password, _ := strings.Cut(u, ":")
		hash, err := passwd.Hash("vmq", []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s:%s\n", name, hash)
	}
	for file, text := range map[string]string{c.PasswordFile: text.String(), c.ACLFile: acl} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.Plugins = []config.Plugin{{Name: "vmq_acl"}, {Name: "vmq_passwd"}}
	return c
}

// versioned is a client of any version.
type versioned struct {
	*peer
	v codec.Version
}

// try sends a CONNECT and gives the code of the CONNACK.
func try(t testing.TB, b *Broker, c *codec.Connect) (versioned, codec.Connack) {
	t.Helper()
	p := versioned{&peer{t: t}, c.Version}
	p.open(b)
	c.RequestProblemInfo = true
	p.send(codec.AppendConnect(nil, c))
	f := p.next()
	var a codec.Connack
	if err := codec.DecodeConnack(c.Version, f, &a); err != nil {
		t.Fatalf("%v % x: %v", f.Type(), f.Body, err)
	}
	return p, a
}

// enter connects a client that is let in.
func enter(t testing.TB, b *Broker, c *codec.Connect) versioned {
	t.Helper()
	p, a := try(t, b, c)
	if a.Reason != 0 {
		t.Fatalf("%s: CONNACK %02x", c.ClientID, byte(a.Reason))
	}
	return p
}

func asClient(v codec.Version, id, user, password string) *codec.Connect {
	c := &codec.Connect{Version: v, CleanStart: true, ClientID: []byte(id)}
	if user != "" {
		c.HasUsername, c.Username = true, []byte(user)
	}
	if password != "" {
		c.HasPassword, c.Password = true, []byte(password)
	}
	return c
}

// put sends a PUBLISH.
func (p versioned) put(topic string, qos byte, id uint16, payload string) {
	p.t.Helper()
	b := codec.AppendPublishHead(nil, p.v, codec.PublishFirst(qos, false, false), []byte(topic), id, nil, len(payload))
	p.send(append(b, payload...))
}

// ack reads an acknowledgement and gives its code.
func (p versioned) ack(t codec.Type, id uint16) codec.ReasonCode {
	p.t.Helper()
	f := p.next()
	var a codec.Ack
	if err := codec.DecodeAck(p.v, f, &a); err != nil || f.Type() != t || a.PacketID != id {
		p.t.Fatalf("%v % x (%v), want %v %d", f.Type(), f.Body, err, t, id)
	}
	return a.Reason
}

// sub subscribes and gives the codes.
func (p versioned) sub(filters ...string) []byte {
	p.t.Helper()
	var list []codec.Filter
	for _, f := range filters {
		list = append(list, codec.Filter{Filter: []byte(f), QoS: 1})
	}
	p.send(codec.AppendSubscribe(nil, p.v, 9, 0, list))
	f := p.next()
	var a codec.Suback
	if err := codec.DecodeSuback(p.v, f, &a); err != nil || f.Type() != codec.SUBACK {
		p.t.Fatalf("%v % x: %v", f.Type(), f.Body, err)
	}
	return a.Codes
}

// gone waits for the end of the connection, without any packet before.
func (p versioned) gone() {
	p.t.Helper()
	if f, err := p.read(); err == nil {
		p.t.Errorf("%v % x instead of the end", f.Type(), f.Body)
	}
}

// got reads the next message, which is acknowledged.
func (p versioned) got() codec.Publish {
	p.t.Helper()
	f := p.next()
	var m codec.Publish
	if err := codec.DecodePublish(p.v, f, &m); err != nil || f.Type() != codec.PUBLISH {
		p.t.Fatalf("%v % x: %v", f.Type(), f.Body, err)
	}
	if m.QoS == 1 {
		p.send(codec.AppendAck(nil, p.v, codec.PUBACK, m.PacketID, codec.Success, ""))
	}
	return m
}

var allVersions = []codec.Version{codec.V31, codec.V311, codec.V5}

func forVersions(t *testing.T, f func(t *testing.T, v codec.Version)) {
	for _, v := range allVersions {
		t.Run(fmt.Sprint("level ", v), func(t *testing.T) { f(t, v) })
	}
}

// TestFiles has a password file and an ACL file decide.
func TestFiles(t *testing.T) {
	t.Parallel()
	b := startBroker(t, filesConfig(t, 2, "topic read all/#\nuser alice\ntopic alice/#\npattern write %c/x\n", "alice:secret", "bob:pw"))
	forVersions(t, func(t *testing.T, v codec.Version) {
		code := func(v3, v5 codec.ReasonCode) codec.ReasonCode {
			if v == codec.V5 {
				return v5
			}
			return v3
		}
		for _, tt := range []struct {
			user, password string
			want           codec.ReasonCode
		}{
			{"alice", "secret", 0}, {"alice", "wrong", code(4, 0x86)}, {"mallory", "secret", code(5, 0x86)},
			{"", "", code(5, 0x86)}, {"alice", "", code(5, 0x86)},
		} {
			p, a := try(t, b, asClient(v, "c", tt.user, tt.password))
			if a.Reason != tt.want {
				t.Errorf("%s %q: CONNACK %02x, want %02x", tt.user, tt.password, byte(a.Reason), byte(tt.want))
			}
			if a.Reason != 0 {
				p.gone()
			}
		}
		id := fmt.Sprint("id", v)
		p := enter(t, b, asClient(v, id, "alice", "secret"))
		if got := p.sub("alice/#"); got[0] != 1 {
			t.Errorf("% x", got)
		}
		refused := byte(code(0x80, 0x87))
		if got := p.sub("alice/+", "#"); got[0] != refused || got[1] != refused {
			t.Errorf("% x: all are refused when one is", got)
		}
		p.put("alice/1", 1, 1, "mine")
		if m := p.got(); string(m.Payload) != "mine" { // from ourselves, before the PUBACK
			t.Error(m)
		}
		if got := p.ack(codec.PUBACK, 1); got != 0 {
			t.Error(got)
		}
		p.put(id+"/x", 0, 0, "by the pattern")
		p.put("all/1", 0, 0, "refused")
		if v == codec.V311 {
			p.gone()
			return
		}
		p.put("all/1", 1, 2, "refused")
		if got := p.ack(codec.PUBACK, 2); got != code(0, 0x87) {
			t.Error(got)
		}
		p.put("all/1", 2, 3, "refused")
		if got := p.ack(codec.PUBREC, 3); got != code(0, 0x87) {
			t.Error(got)
		}
	})
}

// TestDisconnectUnauthorizedV3 closes MQTT 3.1 clients, too.
func TestDisconnectUnauthorizedV3(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 1, "", "alice:secret")
	c.DisconnectUnauthorizedV3 = true
	p := enter(t, startBroker(t, c), asClient(codec.V31, "c", "alice", "secret"))
	p.put("x", 1, 1, "")
	p.gone()
}

// TestRefusedWill: the client does not come, and takes nobody's place
// [MQTT-3.1.4-3].
func TestRefusedWill(t *testing.T) {
	t.Parallel()
	b := startBroker(t, filesConfig(t, 2, "topic ok/#\n", "alice:secret"))
	forVersions(t, func(t *testing.T, v codec.Version) {
		id := fmt.Sprint("w", v)
		first := enter(t, b, asClient(v, id, "alice", "secret"))
		c := asClient(v, id, "alice", "secret")
		c.HasWill, c.Will.Topic = true, []byte("no")
		want := codec.ReasonCode(5)
		if v == codec.V5 {
			want = 0x87
		}
		if _, a := try(t, b, c); a.Reason != want {
			t.Errorf("CONNACK %02x", byte(a.Reason))
		}
		if _, a := try(t, b, asClient(v, id, "alice", "wrong")); a.Reason == 0 {
			t.Error("let in with a wrong password")
		}
		first.put("ok/1", 1, 1, "")
		if got := first.ack(codec.PUBACK, 1); got != 0 {
			t.Error(got)
		}
		c.Will.Topic = []byte("ok/will")
		enter(t, b, c)
		if v == codec.V5 {
			if f := first.next(); f.Type() != codec.DISCONNECT || f.Body[0] != 0x8e {
				t.Errorf("%v % x", f.Type(), f.Body)
			}
		}
		first.gone()
	})
}

// TestAnonymous: with allow_anonymous nobody is asked about who comes, and the
// ACL file still decides; without any plugin everything is allowed.
func TestAnonymous(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 1, "topic ok\n", "alice:secret")
	c.Listeners[0].AllowAnonymous = true
	b := startBroker(t, c)
	p := enter(t, b, asClient(codec.V5, "c", "alice", "wrong"))
	if got := p.sub("ok"); got[0] != 1 {
		t.Errorf("% x", got)
	}
	if got := p.sub("no"); got[0] != 0x87 {
		t.Errorf("% x", got)
	}
	if err := b.DisablePlugin("vmq_acl"); err != nil {
		t.Fatal(err)
	}
	if got := p.sub("no"); got[0] != 1 {
		t.Errorf("% x", got)
	}
	closed := closedConfig(1)
	closed.PasswordFile, closed.Plugins = c.PasswordFile, []config.Plugin{{Name: "vmq_passwd"}}
	p = enter(t, startBroker(t, closed), asClient(codec.V5, "c", "alice", "secret"))
	if got := p.sub("no"); got[0] != 0x87 {
		t.Errorf("% x: nobody has allowed it", got)
	}
}

// TestEnableAtRunTime has plugins come and go under a connected client.
func TestEnableAtRunTime(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 2, "topic a\n", "alice:secret")
	c.Plugins = nil
	b := startBroker(t, c)
	if _, a := try(t, b, asClient(codec.V311, "c", "alice", "secret")); a.Reason != 5 {
		t.Error(a.Reason)
	}
	for _, name := range []string{"vmq_passwd", "vmq_acl"} {
		if err := b.EnablePlugin(name, ""); err != nil {
			t.Fatal(err)
		}
	}
	p := enter(t, b, asClient(codec.V5, "c", "alice", "secret"))
	p.put("a", 1, 1, "")
	if got := p.ack(codec.PUBACK, 1); got != codec.Success {
		t.Error(got)
	}
	if err := b.DisablePlugin("vmq_acl"); err != nil {
		t.Fatal(err)
	}
	p.put("a", 1, 2, "")
	if got := p.ack(codec.PUBACK, 2); got != codec.NotAuthorized {
		t.Error(got)
	}
	if err := b.EnablePlugin("nosuch", ""); err != hooks.ErrNotFound {
		t.Error(err)
	}
	if err := b.EnablePlugin("vmq_passwd", ""); err != hooks.ErrAlreadyEnabled {
		t.Error(err)
	}
}

// TestListenerChains has listeners with plugins of their own.
func TestListenerChains(t *testing.T) {
	t.Parallel()
	c := filesConfig(t, 1, "topic a\n", "alice:secret")
	own := c.Listeners[0]
	own.Name, own.AuthPlugins, own.AuthzPlugins, own.ForwardConnectionOpts = "own", []string{"vmq_passwd"}, []string{"vmq_acl"}, true
	c.Listeners = append(c.Listeners, own)
	b := startBroker(t, c)
	var told sync.Map
	h := welcome()
	now := h.AuthOnRegister.Now
	h.AuthOnRegister.Now = func(r *hooks.Register) hooks.RegisterAnswer { told.Store(r.ID, r.Connection); return now(r) }
	plug(t, b, "open", h)
	for i, want := range []codec.ReasonCode{0, 5} {
		c := asClient(codec.V311, fmt.Sprint("c", i), "", "")
		p := versioned{&peer{t: t}, c.Version}
		p.openAt(b, i)
		p.send(codec.AppendConnect(nil, c))
		if f := p.next(); codec.ReasonCode(f.Body[1]) != want {
			t.Errorf("listener %d: % x", i, f.Body)
		}
	}
	if x, ok := told.Load("c0"); !ok || x.(*hooks.Connection) != nil {
		t.Error("connection is forwarded without being asked for")
	}
	bad := closedConfig(1)
	bad.Listeners[0].AuthPlugins = []string{"nosuch"}
	broken, err := New(bad, b.store, b.log)
	if err != nil {
		t.Fatal(err)
	}
	if err := broken.Listen(); err == nil || !strings.Contains(err.Error(), "unknown or disabled plugin nosuch in auth_plugins chain") {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = broken.reactor.Stop(ctx)
}

// openAt connects the socket to a listener.
func (p *peer) openAt(b *Broker, listener int) {
	p.t.Helper()
	a := b.Listeners()[listener].Addr()
	p.dialAddress(a)
}

// TestForwardedConnection tells auth_on_register about the listener.
func TestForwardedConnection(t *testing.T) {
	t.Parallel()
	c := closedConfig(1)
	c.Listeners[0].ForwardConnectionOpts = true
	b := startBroker(t, c)
	got := make(chan hooks.Register, 1)
	h := welcome()
	h.AuthOnRegisterM5.Now = func(r *hooks.Register) hooks.RegisterAnswer { got <- *r; return hooks.RegisterAnswer{Result: hooks.OK} }
	plug(t, b, "p", h)
	p := enter(t, b, asClient(codec.V5, "c", "u", "pw"))
	r := <-got
	if x := r.Connection; x == nil || x.ListenerAddr != "127.0.0.1" || x.ListenerType != "mqtt" || fmt.Sprint(x.ListenerAddr, ":", x.ListenerPort) != b.Listeners()[0].Addr().String() {
		t.Errorf("%+v", x)
	}
	if r.Peer.String() != p.conn.LocalAddr().String() || r.Username != "u" {
		t.Errorf("%+v", r)
	}
}
