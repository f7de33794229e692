package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vernemq/server/admin"
	"vernemq/server/hooks"
	"vernemq/server/plugin/webhooks"
)

// plugins are the plugins to an operator.
type plugins struct{ *Broker }

// shown is the order in which `plugin show` tells the hooks, which is VerneMQ's.
var shown = [hooks.NumNames]hooks.Name{
	hooks.AuthOnRegister, hooks.AuthOnPublish, hooks.AuthOnSubscribe, hooks.OnRegister, hooks.OnPublish, hooks.OnSubscribe,
	hooks.OnUnsubscribe, hooks.OnTopicUnsubscribed, hooks.OnDeliver,
	hooks.AuthOnRegisterM5, hooks.AuthOnPublishM5, hooks.AuthOnSubscribeM5, hooks.OnRegisterM5, hooks.OnPublishM5, hooks.OnSubscribeM5,
	hooks.OnUnsubscribeM5, hooks.OnDeliverM5, hooks.OnAuthM5,
	hooks.OnOfflineMessage, hooks.OnClientWakeup, hooks.OnClientOffline, hooks.OnSessionExpired, hooks.OnClientGone, hooks.OnMessageDrop,
	hooks.OnConfigChange,
}

// modules are the Erlang modules that serve the hooks of VerneMQ's plugins.
var modules = map[string]string{"vmq_webhooks": "vmq_webhooks_plugin"}

// List shows the enabled plugins.
func (b plugins) List() (out []admin.Plugin) {
	for _, p := range b.Plugins() {
		x := admin.Plugin{Name: p.Name}
		module := p.Name
		if m := modules[p.Name]; m != "" {
			module = m
		}
		for _, h := range shown {
			// An endpoint of vmq_webhooks may be registered for any that it accepts.
			if slices.Contains(p.Hooks, h) || p.Name == "vmq_webhooks" && webhooks.Accepts(h) {
				x.Hooks = append(x.Hooks, admin.Hook{Name: h.String(), Function: fmt.Sprintf("%s:%s/%d", module, h, h.Arity())})
			}
		}
		out = append(out, x)
	}
	return out
}

func (b plugins) Enable(_ context.Context, name, path string) error {
	return b.EnablePlugin(name, path)
}

func (b plugins) Disable(_ context.Context, name string) error { return b.DisablePlugin(name) }

var errNoModules = errors.New("functions of Erlang modules cannot be called")

func (plugins) EnableModule(context.Context, admin.Module) error { return errNoModules }

func (plugins) DisableModule(context.Context, admin.Module) error { return hooks.ErrNotFound }

// webhookEndpoints are the endpoints of vmq_webhooks to an operator.
type webhookEndpoints struct{ plugin *webhooks.Plugin }

// AdminWebhooks gives them, nil while the plugin is not enabled.
func (b *Broker) AdminWebhooks() admin.Webhooks {
	if p, ok := b.Plugin("vmq_webhooks").(*webhooks.Plugin); ok {
		return webhookEndpoints{p}
	}
	return nil
}

// Hooks are those that an endpoint may be registered for.
func (webhookEndpoints) Hooks() (out []string) {
	for n := range hooks.NumNames {
		if webhooks.Accepts(n) {
			out = append(out, n.String())
		}
	}
	return out
}

// List shows the endpoints, the last hook first as in VerneMQ.
func (w webhookEndpoints) List() (out []admin.Webhook) {
	for _, e := range w.plugin.Endpoints() {
		out = append(out, admin.Webhook{Hook: e.Hook.String(), Endpoint: e.URL, Base64: !e.Plain, NoPayload: e.NoPayload, Timeout: e.ResponseTimeout})
	}
	slices.SortStableFunc(out, func(a, b admin.Webhook) int { return strings.Compare(b.Hook, a.Hook) })
	return out
}

func (w webhookEndpoints) Register(_ context.Context, x admin.Webhook) error {
	hook, ok := hooks.ParseName(x.Hook)
	if !ok {
		return fmt.Errorf("unknown hook %q", x.Hook)
	}
	return w.plugin.Register(webhooks.Endpoint{Hook: hook, URL: x.Endpoint, Plain: !x.Base64, NoPayload: x.NoPayload, ResponseTimeout: x.Timeout})
}

func (w webhookEndpoints) Deregister(_ context.Context, hook, endpoint string) error {
	n, ok := hooks.ParseName(hook)
	if !ok {
		return fmt.Errorf("unknown hook %q", hook)
	}
	return w.plugin.Deregister(n, endpoint)
}

// Cache gives the figures of the cache that are not 0, in the order of List.
func (w webhookEndpoints) Cache() (out []admin.CacheStat) {
	for _, f := range w.plugin.Figures() {
		for _, x := range []admin.CacheStat{{Stat: "hits", Value: int64(f.Hits)}, {Stat: "misses", Value: int64(f.Misses)}, {Stat: "entries", Value: int64(f.Entries)}} {
			if x.Value != 0 {
				x.Endpoint, x.Hook = f.Endpoint, f.Hook.String()
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b admin.CacheStat) int { return strings.Compare(b.Hook, a.Hook) })
	return out
}

func (w webhookEndpoints) ResetCache() { w.plugin.ResetCacheFigures() }

func (w webhookEndpoints) ClearCache() { w.plugin.ClearCache() }
