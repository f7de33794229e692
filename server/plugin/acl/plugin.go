package acl

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"vernemq/server/hooks"
	"vernemq/server/plugin/reload"
)

// Plugin is vmq_acl: it allows what the file permits, and leaves the rest to
// others. A SUBSCRIBE is allowed when all its topics are.
type Plugin struct {
	log   *slog.Logger
	file  atomic.Pointer[File]
	watch reload.Watch
}

// New makes the plugin with a file that is read again every so often. A file
// that cannot be read is logged, and permits nothing.
func New(env hooks.Env, path string, every time.Duration) *Plugin {
	p := &Plugin{log: env.Log}
	p.file.Store(Open(path))
	_ = p.Configure(path, every)
	return p
}

// Configure takes another file or interval, one call at a time. When another
// file cannot be read, all stays as it is.
func (p *Plugin) Configure(path string, every time.Duration) error {
	f := p.file.Load()
	if path != f.Path() {
		f = Open(path)
	}
	_, err := f.Reload()
	if err != nil && f != p.file.Load() {
		return err
	}
	if err != nil {
		p.report(f, err)
	}
	if old := p.file.Swap(f); old != f {
		p.watch.Stop() // it changes its table no more
		old.Table().epoch.End()
	}
	p.watch.Start(func(ctx context.Context) { f.Run(ctx, every, func(err error) { p.report(f, err) }) })
	return nil
}

// Vet tells what is wrong with an ACL file.
func Vet(path string) error {
	_, err := Open(path).Reload()
	return err
}

func (p *Plugin) report(f *File, err error) {
	if err != nil {
		p.log.Error("can't load the ACL file", "rules", f.Table().Len(), "cause", err.Error())
		return
	}
	p.log.Info("ACL file loaded", "rules", f.Table().Len())
}

// Hooks gives the plugin's functions, which all answer at once.
func (p *Plugin) Hooks() hooks.Hooks {
	publish := hooks.Asked[hooks.Message, hooks.PublishModifiers]{Now: func(r *hooks.Message) hooks.PublishAnswer {
		table := p.file.Load().Table()
		if table.Check(r.Username, r.ID, r.Mountpoint, r.Topic, Publish) {
			return hooks.PublishAnswer{Result: hooks.OK, Lasts: table.epoch}
		}
		return hooks.PublishAnswer{}
	}}
	subscribe := hooks.Asked[hooks.Subscribe, hooks.SubscribeModifiers]{Now: func(r *hooks.Subscribe) hooks.SubscribeAnswer {
		table := p.file.Load().Table()
		for i := range r.Topics {
			if !table.Check(r.Username, r.ID, r.Mountpoint, r.Topics[i].Filter.Filter, Subscribe) {
				return hooks.SubscribeAnswer{}
			}
		}
		return hooks.SubscribeAnswer{Result: hooks.OK}
	}}
	return hooks.Hooks{AuthOnPublish: publish, AuthOnPublishM5: publish, AuthOnSubscribe: subscribe, AuthOnSubscribeM5: subscribe}
}

// Bounds has nothing to bound.
func (p *Plugin) Bounds() hooks.Bounds { return hooks.Bounds{} }

// Close ends the plugin.
func (p *Plugin) Close() error {
	p.watch.Stop()
	return nil
}
