package admin

import (
	"context"
	"strings"
)

func pluginCommands() []Command {
	specification := []Param{
		{Name: "name", Short: 'n', Value: "<Plugin>", Type: textType, About: "the plugin"},
		{Name: "path", Short: 'p', Value: "<Directory>", Type: dirType, About: "where it lies"},
		{Name: "module", Short: 'm', Value: "<Module>", Type: textType, About: "a module of VerneMQ"},
		{Name: "function", Short: 'f', Value: "<Function>", Type: textType, About: "its function"},
		{Name: "arity", Short: 'a', Value: "<n>", Type: countType, Refuse: asTerm, About: "arity of the function"},
		{Name: "hook", Value: "<Hook>", Type: textType, About: "the hook. Default: the function."},
	}
	return []Command{
		{Name: "plugin show", About: "Show the plugins that run", run: pluginShow, Text: "Shows the plugins that run, with their hooks.",
			Flags: []Param{{Name: "plugin", Value: "<Plugin>", Type: textType, About: "only this plugin"},
				{Name: "hook", Value: "<Hook>", Type: textType, About: "only this hook"},
				{Name: "internal", Type: bareType, About: "also what the broker itself is made of"}}},
		{Name: "plugin enable", About: "Start a plugin", run: pluginEnable, Flags: specification, Text: "Starts a plugin. It is not started again when the node is."},
		{Name: "plugin disable", About: "Stop a plugin", run: pluginDisable, Flags: specification, Text: "Stops a plugin."},
	}
}

func pluginShow(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	if err := c.Out.Table("Plugin", "Type", "Hook(s)", "M:F/A"); err != nil || b.Plugins == nil {
		return err
	}
	name, named := c.Flag("plugin")
	hook, hooked := c.Flag("hook")
	for _, p := range b.Plugins.List() {
		if named && p.Name != name || !c.On("internal") && (p.Internal || p.Module) {
			continue
		}
		var hooks, functions strings.Builder
		for _, h := range p.Hooks {
			if h.Internal && !c.On("internal") || hooked && h.Name != hook {
				continue
			}
			hooks.WriteString(h.Name + "\n")
			functions.WriteString(h.Function + "\n")
		}
		if hooked && hooks.Len() == 0 {
			continue
		}
		if err := c.Out.Row(p.Name, word(p.Module, "module", "application"), hooks.String(), functions.String()); err != nil {
			return err
		}
	}
	return nil
}

func pluginEnable(ctx context.Context, c *Call) error {
	return c.plugin("enable", func(p Plugins, name, path string) error { return p.Enable(ctx, name, path) },
		func(p Plugins, m Module) error { return p.EnableModule(ctx, m) })
}

func pluginDisable(ctx context.Context, c *Call) error {
	return c.plugin("disable", func(p Plugins, name, _ string) error { return p.Disable(ctx, name) },
		func(p Plugins, m Module) error { return p.DisableModule(ctx, m) })
}

type noPlugin struct{}

func (noPlugin) Error() string { return "plugin_not_found" }

func (c *Call) plugin(verb string, named func(p Plugins, name, path string) error, module func(Plugins, Module) error) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	path, _ := c.Flag("path")
	if name, given := c.Flag("name"); given {
		err := error(noPlugin{})
		if b.Plugins != nil {
			err = named(b.Plugins, name, path)
		}
		if err != nil {
			return c.alert("Can't %s plugin: %s due to %s", verb, name, oneLine(err))
		}
		return c.done()
	}
	m := Module{Arity: c.Int("arity", -1)}
	m.Module, _ = c.Flag("module")
	m.Function, _ = c.Flag("function")
	if m.Hook, _ = c.Flag("hook"); m.Hook == "" {
		m.Hook = m.Function
	}
	if m.Module == "" || m.Function == "" || m.Arity < 0 {
		return c.alert("Incomplete plugin specification")
	}
	err = error(noPlugin{})
	if b.Plugins != nil {
		err = module(b.Plugins, m)
	}
	if err != nil {
		return c.alert("Can't %s module plugin: {%s,%s,%d} due to %s", verb, m.Module, m.Function, m.Arity, oneLine(err))
	}
	return c.done()
}
