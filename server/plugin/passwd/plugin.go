package passwd

import (
	"context"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"vernemq/server/hooks"
	"vernemq/server/plugin/reload"
)

// Plugin is vmq_passwd: it lets in who is in the file with that password. Of
// others it leaves those alone who are not in the file, or come without a user
// name or password.
type Plugin struct {
	log   *slog.Logger
	file  atomic.Pointer[File]
	watch reload.Watch
}

// New makes the plugin with a file that is read again every so often. A file
// that cannot be read is logged, and lets nobody in.
func New(env hooks.Env, path string, every time.Duration) *Plugin {
	p := &Plugin{log: env.Log}
	p.file.Store(Open(path, Options{}))
	_ = p.Configure(path, every)
	return p
}

// Configure takes another file or interval, one call at a time. When another
// file cannot be read, all stays as it is.
func (p *Plugin) Configure(path string, every time.Duration) error {
	f := p.file.Load()
	if path != f.Path() {
		f = Open(path, Options{})
	}
	_, err := f.Reload()
	if err != nil && f != p.file.Load() {
		return err
	}
	if err != nil {
		p.report(f, err)
	}
	p.file.Store(f)
	p.watch.Start(func(ctx context.Context) { f.Run(ctx, every, func(err error) { p.report(f, err) }) })
	return nil
}

// Vet tells what is wrong with a password file.
func Vet(path string) error {
	_, err := Open(path, Options{}).Reload()
	return err
}

func (p *Plugin) report(f *File, err error) {
	if err != nil {
		p.log.Error("can't load the password file", "users", f.Len(), "cause", err.Error())
		return
	}
	p.log.Info("password file loaded", "users", f.Len())
}

// Hooks gives the plugin's functions. A cheap hash is compared on the loop.
func (p *Plugin) Hooks() hooks.Hooks {
	a := hooks.Asked[hooks.Register, hooks.RegisterModifiers]{
		Now: func(r *hooks.Register) hooks.RegisterAnswer {
			if !r.HasUsername || !r.HasPassword {
				return hooks.RegisterAnswer{}
			}
			result, ok := p.file.Load().CheckNow(r.Username, r.Password)
			if !ok {
				return hooks.RegisterAnswer{Result: hooks.Later}
			}
			return answer(result)
		},
		Wait: func(_ context.Context, r *hooks.Register) hooks.RegisterAnswer {
			return answer(p.file.Load().Check(r.Username, r.Password))
		},
	}
	return hooks.Hooks{AuthOnRegister: a, AuthOnRegisterM5: a}
}

func answer(r Result) hooks.RegisterAnswer {
	switch r {
	case Right:
		return hooks.RegisterAnswer{Result: hooks.OK}
	case Wrong:
		return hooks.RegisterAnswer{Result: hooks.Failed, Refusal: hooks.BadCredentials}
	}
	return hooks.RegisterAnswer{}
}

// Bounds leaves a processor to the loops while dear hashes are computed.
func (p *Plugin) Bounds() hooks.Bounds {
	return hooks.Bounds{Workers: max(1, runtime.GOMAXPROCS(0)/2)}
}

// Close ends the plugin.
func (p *Plugin) Close() error {
	p.watch.Stop()
	return nil
}
