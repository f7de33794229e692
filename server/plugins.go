package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"vernemq/server/config"
	"vernemq/server/hooks"
	"vernemq/server/plugin/acl"
	"vernemq/server/plugin/passwd"
	"vernemq/server/plugin/webhooks"
)

// pluginsEnd is how long plugins may take to tell what they have not told yet
// when the broker stops.
const pluginsEnd = 5 * time.Second

// factory finds a plugin: one of VerneMQ's, or one that was compiled in.
func (b *Broker) factory(name string) hooks.Factory {
	switch name {
	case "vmq_passwd":
		return func(env hooks.Env) (hooks.Plugin, error) {
			c := b.config.Load()
			return passwd.New(env, c.PasswordFile, c.PasswordReload), nil
		}
	case "vmq_acl":
		return func(env hooks.Env) (hooks.Plugin, error) {
			c := b.config.Load()
			return acl.New(env, c.ACLFile, c.ACLReload), nil
		}
	case "vmq_webhooks":
		return func(env hooks.Env) (hooks.Plugin, error) { return newWebhooks(env, b.config.Load()) }
	case "vmq_http_pub":
		return func(hooks.Env) (hooks.Plugin, error) { return httpPublishing{}, nil }
	}
	f, _ := hooks.Provided(name)
	return f
}

// httpPublishing is the plugin vmq_http_pub. It has no hooks: as long as it is
// enabled, messages may be published over HTTP.
type httpPublishing struct{}

func (httpPublishing) Hooks() hooks.Hooks   { return hooks.Hooks{} }
func (httpPublishing) Bounds() hooks.Bounds { return hooks.Bounds{} }
func (httpPublishing) Close() error         { return nil }

func webhookOptions(s config.WebhookSettings) webhooks.Options {
	o := webhooks.Options{MaxConnections: s.MaxConnections, IdleTimeout: s.IdleTimeout, CAFile: s.CAFile, CertFile: s.CertFile,
		KeyFile: s.KeyFile, KeyPassword: s.KeyPassword, TLSVersion: s.TLSVersion, SkipVerify: s.SkipVerify, Depth: s.Depth}
	if o.Depth == 0 {
		o.Depth = -1
	}
	return o
}

func newWebhooks(env hooks.Env, c *config.Config) (hooks.Plugin, error) {
	var list []webhooks.Endpoint
	for _, w := range c.Webhooks {
		hook, ok := hooks.ParseName(w.Hook)
		if !ok {
			return nil, fmt.Errorf("unknown hook %q", w.Hook)
		}
		list = append(list, webhooks.Endpoint{Hook: hook, URL: w.Endpoint, Plain: !w.Base64, NoPayload: w.NoPayload, ResponseTimeout: w.ResponseTimeout})
	}
	return webhooks.New(env, webhookOptions(c.WebhookSettings), list)
}

// startPlugins enables the plugins of the configuration in their order. One
// that does not exist is logged, as nothing that it would allow is allowed; one
// that cannot start is an error.
func (b *Broker) startPlugins(c *config.Config) error {
	var list []hooks.Start
	for _, p := range c.Plugins {
		list = append(list, hooks.Start{Name: p.Name, Priority: p.Priority, HasPriority: p.HasPriority, Dir: p.Dir, Factory: b.factory(p.Name)})
	}
	hooks.Sort(list)
	for _, s := range list {
		err := b.hooks.Enable(s)
		if errors.Is(err, hooks.ErrNotFound) {
			b.log.Error("can't load application plugin "+s.Name, "cause", err.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// EnablePlugin starts a plugin and puts it at the end of the chains. The errors
// are hooks.ErrAlreadyEnabled, hooks.ErrNotFound, or those of the plugin. dir is
// where its files lie, "" the directory of the configuration.
func (b *Broker) EnablePlugin(name, dir string) error {
	if dir == "" {
		dir = b.config.Load().EtcDir
	}
	if err := b.hooks.Enable(hooks.Start{Name: name, Dir: dir, Factory: b.factory(name)}); err != nil {
		return err
	}
	b.registry.Run(name)
	return nil
}

// DisablePlugin ends a plugin. The error is hooks.ErrNotFound, or that of the
// plugin.
func (b *Broker) DisablePlugin(name string) error { return b.hooks.Disable(name) }

// Plugins are those that are enabled, in the order of the chains.
func (b *Broker) Plugins() []hooks.Info { return b.hooks.Plugins() }

// Plugin gives an enabled plugin, nil if there is none of that name.
func (b *Broker) Plugin(name string) hooks.Plugin { return b.hooks.Plugin(name) }

// stopPlugins ends all plugins.
func (b *Broker) stopPlugins(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pluginsEnd)
	defer cancel()
	return b.hooks.Close(ctx)
}

// chainsOf gives the number of the plugin chains of a listener.
func (b *Broker) chainsOf(li *config.Listener) (int, error) {
	if li.AuthPlugins == nil && li.AuthzPlugins == nil {
		return 0, nil
	}
	n, err := b.hooks.AddView(slices.Clone(li.AuthPlugins), slices.Clone(li.AuthzPlugins))
	if err != nil {
		return 0, fmt.Errorf("listener mqtt: %w", err)
	}
	return n, nil
}
