package scram

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"path/filepath"
	"time"

	"vernemq/codec"
	"vernemq/server/hooks"
	"vernemq/server/plugin/reload"
)

// Method is the Authentication Method.
const Method = "SCRAM-SHA-256"

// every is how often the plugin looks at its file.
const every = 10 * time.Second

func init() {
	hooks.Provide("scram", func(env hooks.Env) (hooks.Plugin, error) { return newPlugin(env), nil })
}

// plugin is the running plugin.
type plugin struct {
	log   *slog.Logger
	file  *reload.File[table]
	watch reload.Watch
}

func newPlugin(env hooks.Env) *plugin {
	p := &plugin{log: env.Log}
	p.file = reload.New(filepath.Join(env.Dir, "scram.users"), newTable(), parse)
	_, err := p.file.Reload()
	p.report(err)
	p.watch.Start(func(ctx context.Context) { p.file.Run(ctx, every, p.report) })
	return p
}

func (p *plugin) report(err error) {
	if err != nil {
		p.log.Error("can't load the users", "cause", err.Error())
		return
	}
	p.log.Info("users loaded", "users", len(p.file.Get().users))
}

// Hooks answers at once: what is dear in SCRAM is the client's part.
func (p *plugin) Hooks() (h hooks.Hooks) {
	h.OnAuthM5.Now = p.step
	h.AuthOnRegisterM5.Now = register
	return h
}

func (p *plugin) Bounds() hooks.Bounds { return hooks.Bounds{} }

func (p *plugin) Close() error {
	p.watch.Stop()
	return nil
}

// state is what the plugin keeps with a connection.
type state struct {
	user    string    // whom it has proven to be, "" at first
	current *exchange // nil between authentications
}

// step takes what the client sends and answers it.
func (p *plugin) step(r *hooks.Auth) hooks.AuthAnswer {
	if r.Method != Method {
		return hooks.AuthAnswer{}
	}
	s, _ := r.State.(*state)
	if s == nil {
		s = &state{}
		r.State = s
	}
	if s.current == nil {
		x := &exchange{}
		first, err := x.begin(string(r.Data), p.find)
		if err != nil {
			return refuse(err.Error())
		}
		s.current = x
		return hooks.AuthAnswer{Result: hooks.OK, Modifiers: &hooks.AuthModifiers{Continue: true, Data: []byte(first)}}
	}
	x := s.current
	s.current = nil
	last, err := x.finish(string(r.Data))
	if err != nil {
		return refuse(err.Error())
	}
	if s.user != "" && s.user != x.user {
		return refuse("another user than before")
	}
	s.user = x.user
	return hooks.AuthAnswer{Result: hooks.OK, Modifiers: &hooks.AuthModifiers{Data: []byte(last)}}
}

func refuse(cause string) hooks.AuthAnswer {
	return hooks.AuthAnswer{Result: hooks.Failed, Refusal: &hooks.Refusal{Cause: cause, Code: codec.NotAuthorized}}
}

// register lets in who has proven to be somebody, under that name.
func register(r *hooks.Register) hooks.RegisterAnswer {
	if r.Exchange == nil || r.Exchange.Method != Method {
		return hooks.RegisterAnswer{}
	}
	s, _ := r.Exchange.State.(*state)
	if s == nil || s.user == "" {
		return hooks.RegisterAnswer{}
	}
	return hooks.RegisterAnswer{Result: hooks.OK, Modifiers: &hooks.RegisterModifiers{Username: &s.user}}
}

// find gives the verifier of a user, and for one that is not there what looks
// like one, the same each time, so that nobody learns who is there.
func (p *plugin) find(user string) (*verifier, bool) {
	t := p.file.Get()
	if v := t.users[user]; v != nil {
		return v, true
	}
	salt := append(mac(t.like.serverKey, user), mac(t.like.serverKey, user+"\x00")...)
	return &verifier{t.like.iterations, salt[:len(t.like.salt)], make([]byte, sha256.Size), make([]byte, sha256.Size)}, false
}
