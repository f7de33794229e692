package server

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vernemq/codec"
	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/scram"
)

// challenge is a plugin for the method "count": the client has to send 1, 2, 3,
// each asked for with the number before it. Anything else is refused.
func challenge(slow bool) (h hooks.Hooks) {
	h = welcome()
	h.OnAuthM5 = atOnce(slow, func(r *hooks.Auth) hooks.AuthAnswer {
		if r.Method != "count" {
			return hooks.AuthAnswer{}
		}
		n, _ := r.State.(int)
		n++
		r.State = n
		switch {
		case string(r.Data) != fmt.Sprint(n):
			return hooks.AuthAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Code: codec.NotAuthorized, Reason: "wrong number"}}
		case n == 3:
			r.State = 0
			return hooks.AuthAnswer{Result: hooks.OK, Modifiers: &hooks.AuthModifiers{Data: []byte("done")}}
		}
		return hooks.AuthAnswer{Result: hooks.OK, Modifiers: &hooks.AuthModifiers{Continue: true, Data: fmt.Append(nil, n)}}
	})
	h.AuthOnRegisterM5 = atOnce(slow, func(r *hooks.Register) hooks.RegisterAnswer {
		if r.Exchange == nil || r.Exchange.Method != "count" {
			return hooks.RegisterAnswer{}
		}
		return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: &hooks.RegisterModifiers{Username: new("counted")}}
	})
	return h
}

func methodConnect(id, method, data string) *codec.Connect {
	c := asClient(codec.V5, id, "", "")
	c.HasAuthMethod, c.AuthMethod, c.AuthData = true, []byte(method), []byte(data)
	return c
}

// auth reads an AUTH and checks it.
func (p versioned) auth(reason codec.ReasonCode, method, data string) {
	p.t.Helper()
	f := p.next()
	var a codec.Auth
	if err := codec.DecodeAuth(f, &a); err != nil || f.Type() != codec.AUTH || a.Reason != reason || string(a.Method) != method || string(a.Data) != data {
		p.t.Fatalf("%v %+v (%v) % x, want AUTH %v %s %s", f.Type(), a, err, f.Body, reason, method, data)
	}
	// Nothing that a client may find too large [MQTT-3.15.2-2] [MQTT-3.15.2-3].
	for range a.Props.Users {
		p.t.Error("a User Property")
	}
	if a.Props.ReasonString() != nil {
		p.t.Error("a Reason String")
	}
}

func (p versioned) answer(reason codec.ReasonCode, method, data string) {
	p.t.Helper()
	p.send(codec.AppendAuth(nil, reason, method, []byte(data), ""))
}

func (p versioned) connack() (a codec.Connack) {
	p.t.Helper()
	f := p.next()
	if err := codec.DecodeConnack(codec.V5, f, &a); err != nil || f.Type() != codec.CONNACK {
		p.t.Fatalf("%v % x: %v", f.Type(), f.Body, err)
	}
	return a
}

func (p versioned) disconnect(code codec.ReasonCode) {
	p.t.Helper()
	if f := p.next(); f.Type() != codec.DISCONNECT || codec.ReasonCode(f.Body[0]) != code {
		p.t.Errorf("%v % x, want DISCONNECT %v", f.Type(), f.Body, code)
	}
	p.gone()
}

// TestEnhancedAuthentication has clients of every loop authenticate step by step
// [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5], and again while they are
// connected [MQTT-4.12.1-1].
func TestEnhancedAuthentication(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		b := startBroker(t, closedConfig(3))
		plug(t, b, "p", challenge(slow))
		for i := range 6 {
			p := knock(t, b, methodConnect(fmt.Sprint("c", i), "count", "1"))
			p.auth(codec.ContinueAuthentication, "count", "1")
			p.answer(codec.ContinueAuthentication, "count", "2")
			p.auth(codec.ContinueAuthentication, "count", "2")
			// What follows the last AUTH is kept.
			p.send(codec.AppendPingreq(codec.AppendAuth(nil, codec.ContinueAuthentication, "count", []byte("3"), "")))
			if a := p.connack(); a.Reason != 0 || string(a.AuthMethod) != "count" || string(a.AuthData) != "done" {
				t.Fatalf("%+v", a)
			}
			if f := p.next(); f.Type() != codec.PINGRESP {
				t.Fatal(f.Type())
			}
			p.answer(codec.Reauthenticate, "count", "1")
			p.auth(codec.ContinueAuthentication, "count", "1")
			p.put("t", 1, 7, "") // other packets go on meanwhile
			p.ack(codec.PUBACK, 7)
			p.answer(codec.ContinueAuthentication, "count", "2")
			p.auth(codec.ContinueAuthentication, "count", "2")
			p.answer(codec.ContinueAuthentication, "count", "3")
			p.auth(codec.Success, "count", "done")
		}
	})
}

// TestEnhancedAuthenticationFails has it fail at every step [MQTT-4.12.0-4], and
// with packets that do not belong there [MQTT-3.1.2-30].
func TestEnhancedAuthenticationFails(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		c := closedConfig(2)
		c.ConnectTimeout = time.Second
		b := startBroker(t, c)
		plug(t, b, "p", challenge(slow))
		begin := func() versioned {
			p := knock(t, b, methodConnect("c", "count", "1"))
			p.auth(codec.ContinueAuthentication, "count", "1")
			return p
		}
		for name, tt := range map[string]struct {
			send []byte
			want codec.ReasonCode
		}{
			"wrong":              {codec.AppendAuth(nil, codec.ContinueAuthentication, "count", []byte("x"), ""), codec.NotAuthorized},
			"other method":       {codec.AppendAuth(nil, codec.ContinueAuthentication, "other", []byte("2"), ""), codec.ProtocolError},
			"re-authentication":  {codec.AppendAuth(nil, codec.Reauthenticate, "count", []byte("2"), ""), codec.ProtocolError},
			"success":            {codec.AppendAuth(nil, codec.Success, "count", []byte("2"), ""), codec.ProtocolError},
			"a message":          {codec.AppendPublishHead(nil, codec.V5, 0x30, []byte("t"), 0, nil, 0), codec.ProtocolError},
			"ping":               {codec.AppendPingreq(nil), codec.ProtocolError},
			"second CONNECT":     {codec.AppendConnect(nil, methodConnect("c", "count", "1")), codec.ProtocolError},
			"AUTH without a way": {[]byte{0xf0, 0}, codec.ProtocolError},
		} {
			p := begin()
			p.send(tt.send)
			if a := p.connack(); a.Reason != tt.want {
				t.Errorf("%s: %v, want %v", name, a.Reason, tt.want)
			}
			p.gone()
		}
		p := begin()
		p.send(codec.AppendDisconnect(nil, codec.V5, codec.Success, "", ""))
		p.gone()
		p = begin() // and says nothing more
		p.gone()
		if _, a := try(t, b, methodConnect("c", "count", "x")); a.Reason != codec.NotAuthorized || string(a.Props.ReasonString()) != "wrong number" {
			t.Errorf("%+v", a)
		}
		if _, a := try(t, b, methodConnect("c", "unknown", "1")); a.Reason != codec.BadAuthenticationMethod { // [MQTT-4.12.0-1]
			t.Error(a.Reason)
		}
		small := methodConnect("c", "count", "1")
		small.MaxPacketSize = 10 // no room for an AUTH
		p = knock(t, b, small)
		if a := p.connack(); a.Reason != codec.PacketTooLarge {
			t.Error(a.Reason)
		}
	})
}

// TestReauthenticationFails ends the connection [MQTT-4.12.1-2].
func TestReauthenticationFails(t *testing.T) {
	t.Parallel()
	forSpeeds(t, func(t *testing.T, slow bool) {
		b := startBroker(t, closedConfig(2))
		plug(t, b, "p", challenge(slow))
		for name, tt := range map[string]struct {
			reason       codec.ReasonCode
			method, data string
			want         codec.ReasonCode
		}{
			"wrong":        {codec.Reauthenticate, "count", "x", codec.NotAuthorized},
			"other method": {codec.Reauthenticate, "other", "1", codec.ProtocolError},
			"continues":    {codec.ContinueAuthentication, "count", "1", codec.ProtocolError},
		} {
			p := knock(t, b, methodConnect("c"+name, "count", "1"))
			p.auth(codec.ContinueAuthentication, "count", "1")
			p.answer(codec.ContinueAuthentication, "count", "2")
			p.auth(codec.ContinueAuthentication, "count", "2")
			p.answer(codec.ContinueAuthentication, "count", "3")
			p.connack()
			p.answer(tt.reason, tt.method, tt.data)
			p.disconnect(tt.want)
		}
	})
}

// TestMethodWithoutPlugin refuses a method that nobody knows [MQTT-4.12.0-1].
func TestMethodWithoutPlugin(t *testing.T) {
	t.Parallel()
	b := startBroker(t, testConfig(1))
	if _, a := try(t, b, methodConnect("c", "m", "d")); a.Reason != codec.BadAuthenticationMethod {
		t.Error(a.Reason)
	}
}

// TestScram logs in with SCRAM-SHA-256, and cannot with a wrong password.
func TestScram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	line, err := scram.Verifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "scram.users"), []byte("alice:"+line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := closedConfig(2)
	c.Plugins = []config.Plugin{{Name: "scram", Dir: dir}}
	b := startBroker(t, c)
	who := make(chan string, 10)
	plug(t, b, "watch", hooks.Hooks{
		AuthOnPublishM5: hooks.Asked[hooks.Message, hooks.PublishModifiers]{Now: func(*hooks.Message) hooks.PublishAnswer { return hooks.PublishAnswer{Result: hooks.OK} }},
		OnPublishM5:     hooks.Told[hooks.Message]{Wait: func(_ context.Context, m *hooks.Message) { who <- m.Username }},
	})
	for password, want := range map[string]codec.ReasonCode{"secret": 0, "Secret": codec.NotAuthorized} {
		const bare = "n=alice,r=clientnonce"
		p := knock(t, b, methodConnect("c", scram.Method, "n,,"+bare))
		f := p.next()
		var a codec.Auth
		if err := codec.DecodeAuth(f, &a); err != nil || f.Type() != codec.AUTH {
			t.Fatalf("%v % x", f.Type(), f.Body)
		}
		p.answer(codec.ContinueAuthentication, scram.Method, scramProof(t, password, bare, string(a.Data)))
		if got := p.connack(); got.Reason != want || want == 0 && !strings.HasPrefix(string(got.AuthData), "v=") {
			t.Errorf("%s: %+v", password, got)
		}
		if want != 0 {
			continue
		}
		p.put("t", 0, 0, "")
		if got := <-who; got != "alice" {
			t.Error(got)
		}
	}
}

func scramProof(t *testing.T, password, bare, first string) string {
	t.Helper()
	fields := strings.Split(first, ",")
	salt, err := base64.StdEncoding.DecodeString(fields[1][2:])
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, 4096, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	without := "c=biws," + fields[0]
	key := mac(salted, "Client Key")
	stored := sha256.Sum256(key)
	subtle.XORBytes(key, key, mac(stored[:], bare+","+first+","+without))
	return without + ",p=" + base64.StdEncoding.EncodeToString(key)
}
