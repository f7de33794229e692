package admin

import (
	"context"
	"fmt"
	"time"

	"vernemq/server/admin/output"
)

// partCommands are those of plugins: they exist while the plugin runs.
func partCommands() []Command {
	path := []Param{{Name: "path", Value: "<File>", Type: fileType, Refuse: byValue, About: "the script"}}
	hook := Param{Name: "hook", Value: "<Hook>", About: "the hook"}
	return []Command{
		{Name: "webhooks show", Needs: WebhooksPart, About: "Show the webhooks", run: webhooksShow, Text: "Shows the endpoints of webhooks."},
		{Name: "webhooks register", Needs: WebhooksPart, About: "Register a webhook", run: webhooksRegister, Text: "Registers a webhook endpoint with a hook.",
			Keys: []Param{hook, {Name: "endpoint", Value: "<Url>", Type: urlType, Refuse: byValue, About: "the endpoint"}},
			Flags: []Param{
				{Name: "base64payload", Value: "<true|false>", Type: boolType, Refuse: byValue, About: "encodes payloads in base64. Default: true."},
				{Name: "no_payload", Value: "<true|false>", Type: boolType, Refuse: byValue, About: "leaves the payload out, in auth_on_publish and auth_on_publish_m5. Default: false."},
				{Name: "response_timeout", Value: "<ms>", Type: positiveType, Refuse: byValue, About: "how long to wait for the answer. Default: 5000."}}},
		{Name: "webhooks deregister", Needs: WebhooksPart, About: "Take a webhook back", run: webhooksDeregister, Text: "Deregisters a webhook endpoint.",
			Keys: []Param{hook, {Name: "endpoint", Value: "<Url>", About: "the endpoint"}}},
		{Name: "webhooks cache show", Needs: WebhooksPart, About: "Show the figures of the cache", run: webhooksCacheShow, Text: "Shows the figures of the cache.",
			Flags: []Param{{Name: "reset", Type: bareType, About: "sets them to 0 instead"}}},
		{Name: "webhooks cache clear", Needs: WebhooksPart, About: "Empty the cache", run: webhooksCacheClear, Text: "Empties the cache."},
		{Name: "bridge show", Needs: BridgesPart, About: "Show the bridges", run: bridgeShow, Text: "Shows the bridges."},
		{Name: "bridge start", Needs: BridgesPart, About: "Start the bridges again", run: bridgeStart, Text: "Starts the bridges again."},
		{Name: "script show", Needs: ScriptsPart, About: "Show the scripts", run: scriptShow, Text: "Shows the scripts with the mean run times of their hooks, in microseconds."},
		{Name: "script load", Needs: ScriptsPart, About: "Load a script", run: script(Scripts.Load, "load"), Keys: path, Text: "Loads a script."},
		{Name: "script reload", Needs: ScriptsPart, About: "Load a script again", run: script(Scripts.Reload, "reload"), Keys: path, Text: "Loads a script again."},
		{Name: "script unload", Needs: ScriptsPart, About: "Unload a script", run: script(Scripts.Unload, "unload"), Keys: path, Text: "Unloads a script."},
	}
}

// webhooks gives the webhooks, which may have been switched off since the line
// was read.
func (c *Call) webhooks() (Webhooks, error) {
	b, err := c.broker()
	if err == nil && b.Webhooks == nil {
		err = refuse("vmq_webhooks does not run")
	}
	if err != nil {
		return nil, err
	}
	return b.Webhooks, nil
}

func webhooksShow(_ context.Context, c *Call) error {
	w, err := c.webhooks()
	if err != nil {
		return err
	}
	var rows [][]any
	for _, x := range w.List() {
		rows = append(rows, []any{x.Hook, x.Endpoint, x.Base64, x.Timeout.Milliseconds()})
	}
	return output.AllRows(c.Out, []string{"hook", "endpoint", "base64payload", "response_timeout"}, rows)
}

func webhooksRegister(ctx context.Context, c *Call) error {
	hook, endpoint := c.Key("hook"), c.Key("endpoint")
	if hook == "" || endpoint == "" {
		return c.usage()
	}
	w, err := c.webhooks()
	if err != nil {
		return err
	}
	if err := knownHook(w, hook); err != nil {
		return err
	}
	base64, given := c.Flag("base64payload")
	err = w.Register(ctx, Webhook{Hook: hook, Endpoint: endpoint, Base64: !given || base64 == "true", NoPayload: c.On("no_payload"),
		Timeout: time.Duration(c.Int("response_timeout", 5000)) * time.Millisecond})
	if err != nil {
		return c.alert("can't register endpoint due to '%s'", oneLine(err))
	}
	return c.done()
}

func knownHook(w Webhooks, hook string) error {
	for _, h := range w.Hooks() {
		if h == hook {
			return nil
		}
	}
	return unreadable("Invalid value: %q", hook)
}

func webhooksDeregister(ctx context.Context, c *Call) error {
	hook, endpoint := c.Key("hook"), c.Key("endpoint")
	if hook == "" || endpoint == "" {
		return c.usage()
	}
	w, err := c.webhooks()
	if err != nil {
		return err
	}
	if err := knownHook(w, hook); err != nil {
		return err
	}
	if err := w.Deregister(ctx, hook, endpoint); err != nil {
		return c.alert("can't deregister endpoint due to '%s'", oneLine(err))
	}
	return c.done()
}

func webhooksCacheShow(_ context.Context, c *Call) error {
	w, err := c.webhooks()
	if err != nil {
		return err
	}
	if c.On("reset") {
		w.ResetCache()
		return c.done()
	}
	var rows [][]any
	for _, s := range w.Cache() {
		rows = append(rows, []any{s.Stat, s.Endpoint, s.Hook, s.Value})
	}
	return output.AllRows(c.Out, []string{"stat", "endpoint", "hook", "value"}, rows)
}

func webhooksCacheClear(_ context.Context, c *Call) error {
	w, err := c.webhooks()
	if err != nil {
		return err
	}
	w.ClearCache()
	return c.done()
}

func (c *Call) bridges() (Bridges, error) {
	b, err := c.broker()
	if err == nil && b.Bridges == nil {
		err = refuse("vmq_bridge does not run")
	}
	if err != nil {
		return nil, err
	}
	return b.Bridges, nil
}

func bridgeShow(_ context.Context, c *Call) error {
	bridges, err := c.bridges()
	if err != nil {
		return err
	}
	var rows [][]any
	for _, x := range bridges.List() {
		rows = append(rows, []any{x.Name, x.Endpoint, x.BufferSize, x.BufferMax, x.Dropped, x.QueuedOut})
	}
	return output.AllRows(c.Out, []string{"name", "endpoint", "buffer size", "buffer max", "buffer dropped msgs", "MQTT process mailbox len"}, rows)
}

func bridgeStart(ctx context.Context, c *Call) error {
	bridges, err := c.bridges()
	if err != nil {
		return err
	}
	if err := bridges.Restart(ctx); err != nil {
		return err
	}
	return c.alert("VerneMQ Bridges restarted.")
}

func (c *Call) scripts() (Scripts, error) {
	b, err := c.broker()
	if err == nil && b.Scripts == nil {
		err = refuse("vmq_diversity does not run")
	}
	if err != nil {
		return nil, err
	}
	return b.Scripts, nil
}

// scriptShow gives a table for each script: they have different columns.
func scriptShow(_ context.Context, c *Call) error {
	scripts, err := c.scripts()
	if err != nil {
		return err
	}
	list := scripts.List()
	c.severalIf(len(list) > 1)
	for _, s := range list {
		row := []any{s.Path}
		for _, t := range s.Times {
			row = append(row, t)
		}
		if err := output.AllRows(c.Out, append([]string{"script"}, s.Hooks...), [][]any{row}); err != nil {
			return err
		}
	}
	return nil
}

func script(do func(Scripts, string) error, verb string) func(context.Context, *Call) error {
	return func(_ context.Context, c *Call) error {
		if c.Key("path") == "" {
			return c.usage()
		}
		scripts, err := c.scripts()
		if err != nil {
			return err
		}
		if do(scripts, c.Key("path")) != nil {
			return c.text(fmt.Sprintf("Can't %s script!", verb))
		}
		return c.text(fmt.Sprintf("Script successfully %sed!", verb))
	}
}
