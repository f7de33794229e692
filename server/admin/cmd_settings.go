package admin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"vernemq/server/admin/output"
)

var nodeFlags = []Param{
	{Name: "node", Short: 'n', Value: "<Node>", Type: textType, About: "on this node"},
	{Name: "all", Short: 'a', Type: bareType, About: "on all nodes of the cluster"},
}

func settingsCommands() []Command {
	origin := Param{Name: "origin", Type: bareType, About: "also shows where each value comes from"}
	return []Command{
		{Name: "set", About: "Change settings until the node ends", run: set, Pairs: true, Flags: nodeFlags,
			Text: "Changes settings, all of them or none. The changes take effect at once, also for clients that are connected, and last until the node ends or config reset takes them back."},
		{Name: "show", About: "Show settings", run: show, Words: "variable", Flags: append(slices.Clone(nodeFlags), origin),
			Text: "Shows the values of settings."},
		{Name: "describe", About: "Explain settings", run: describe, Words: "variable", Text: "Explains settings and says where their values come from."},
		{Name: "config show", About: "Show all settings of an application", run: configShow,
			Keys:  []Param{{Name: "app", Value: "<App>", About: "vmq_server, or a plugin such as vmq_acl"}},
			Flags: []Param{{Name: "key", Short: 'k', Value: "<Key>", Type: textType, About: "only this setting"}},
			Text:  "Shows the settings of an application, each in the column of where it comes from."},
		{Name: "config reset", About: "Take back what set did", run: configReset,
			Keys: []Param{{Name: "app", Value: "<App>", About: "vmq_server, or a plugin such as vmq_acl"}},
			Flags: []Param{{Name: "key", Short: 'k', Value: "<Key>", Type: textType, About: "only this setting"},
				{Name: "local", Short: 'l', Type: bareType, About: "on this node"}, {Name: "global", Short: 'g', Type: bareType, About: "on all nodes"},
				{Name: "config-file", Short: 'f', Value: "<File>", Type: fileType, About: "accepted for compatibility"},
				{Name: "config-val", Short: 'v', Value: "<Value>", Type: textType, About: "accepted for compatibility"}},
			Text: "Takes back what set did: the value of the file, or the default, counts again."},
	}
}

// target checks which nodes a command is for.
func (c *Call) target() (all bool, err error) {
	node, given := c.Flag("node")
	all = c.On("all")
	switch {
	case given && all:
		return false, refuse("Error: Cannot use --all(-a) and --node(-n) at the same time")
	case !given || node == c.Node.Name:
		return all, nil
	}
	if c.Node.Cluster != nil {
		for _, m := range c.Node.Cluster.Members() {
			if m.Node == node && !m.Running {
				return false, refuse("Target node is down: '%s'", node)
			}
		}
	}
	return false, refuse("Invalid node name")
}

// wantsVariables answers a line that names no variable.
func (c *Call) wantsVariables() error { return unreadable("Usage: %s", c.cmd.line()) }

func set(ctx context.Context, c *Call) error {
	if len(c.keys) == 0 {
		return c.wantsVariables()
	}
	all, err := c.target()
	if err != nil {
		return err
	}
	if err := c.checkSettings(); err != nil {
		return err
	}
	if err := c.Node.Settings.Set(ctx, c.keys); err != nil {
		return err
	}
	var lines []string
	for _, k := range c.words {
		lines = append(lines, fmt.Sprintf("%s set to %q", k, c.keys[k]))
	}
	lines = append(lines, c.inert()...)
	said := strings.Join(lines, "\n")
	if !all {
		return c.text(said)
	}
	c.Out.Several()
	if err := c.text("Setting config across the cluster"); err != nil {
		return err
	}
	if err := c.Out.Table("Node", "Node Down/Unreachable", "Result"); err != nil {
		return err
	}
	return c.Out.Row(c.Node.Name, false, said)
}

// inert warns of the settings of the line that have no effect.
func (c *Call) inert() (lines []string) {
	for _, k := range c.words {
		if why := c.Node.Settings.Inert(k); why != "" {
			lines = append(lines, fmt.Sprintf("warning: %s has no effect: %s", k, why))
		}
	}
	return lines
}

// checkSettings refuses what cannot be set, before anything is.
func (c *Call) checkSettings() error {
	var fixed []string
	for _, k := range c.words {
		if !c.Node.Settings.Known(k) {
			return refuse("Unknown variable: %s", k)
		}
		if !c.Node.Settings.Live(k) {
			fixed = append(fixed, fmt.Sprintf("%q", k))
		}
	}
	if len(fixed) > 0 {
		return refuse("The following config keys are not settable: [%s]\n", strings.Join(fixed, ","))
	}
	for _, k := range c.words {
		if why := c.Node.Settings.Check(k, c.keys[k]); why != "" {
			return refuse("Error transforming datatype for: %s\n%s", k, why)
		}
	}
	return nil
}

// known refuses variables that there are not.
func (c *Call) known() error {
	if len(c.words) == 0 {
		return c.wantsVariables()
	}
	bad := ""
	for _, k := range c.words {
		if !c.Node.Settings.Known(k) {
			bad += k + " "
		}
	}
	if bad != "" {
		return refuse("Invalid config keys: %s", bad)
	}
	return nil
}

func show(_ context.Context, c *Call) error {
	if err := c.known(); err != nil {
		return err
	}
	if _, err := c.target(); err != nil {
		return err
	}
	if c.On("origin") {
		return c.showOrigins()
	}
	row := []any{c.Node.Name}
	for _, k := range c.words {
		row = append(row, c.shownValue(k))
	}
	warnings := c.inert()
	err := output.AllRows(c.Out, append([]string{"node"}, c.words...), [][]any{row})
	if err != nil || len(warnings) == 0 || c.Format == output.JSON { // programs want one table
		return err
	}
	return c.alert("%s", strings.Join(warnings, "\n"))
}

func (c *Call) shownValue(key string) any {
	if v := c.Node.Settings.Value(key); v != nil {
		return v
	}
	return output.Undefined
}

func (c *Call) showOrigins() error {
	if err := c.Out.Table("node", "variable", "value", "origin"); err != nil {
		return err
	}
	for _, k := range c.words {
		if err := c.Out.Row(c.Node.Name, k, c.shownValue(k), string(c.Node.Settings.Origin(k))); err != nil {
			return err
		}
	}
	return nil
}

func describe(_ context.Context, c *Call) error {
	if err := c.known(); err != nil {
		return err
	}
	c.severalIf(len(c.words) > 1)
	for _, k := range c.words {
		var b strings.Builder
		b.WriteString(k + ":\n")
		indent(&b, c.Node.Settings.Doc(k), "  ")
		indent(&b, fmt.Sprintf("Value: %v (%s)", c.shownValue(k), c.Node.Settings.Origin(k)), "  ")
		if why := c.Node.Settings.Inert(k); why != "" {
			indent(&b, "It has no effect: "+why+".", "  ")
		}
		if err := c.text(b.String()); err != nil {
			return err
		}
	}
	return nil
}

func (c *Call) severalIf(cond bool) {
	if cond {
		c.Out.Several()
	}
}

func configShow(_ context.Context, c *Call) error {
	app := c.Key("app")
	if app == "" {
		return c.alert("Please provide an app=<App>")
	}
	keys, ok := c.Node.Settings.Group(app)
	if !ok {
		return c.alert("App not configured via vmq_config")
	}
	if key, given := c.Flag("key"); given {
		if !slices.Contains(keys, key) {
			return c.alert("not found")
		}
		return c.text(fmt.Sprintf("Scope: env\nValue: %v", c.shownValue(key)))
	}
	if err := c.Out.Table("Config", "Env", "Node", "Global"); err != nil {
		return err
	}
	for _, k := range keys {
		if err := c.Out.Row(k, c.shownValue(k), "", ""); err != nil {
			return err
		}
	}
	return nil
}

func configReset(ctx context.Context, c *Call) error {
	app := c.Key("app")
	if app == "" {
		return c.usage()
	}
	keys, ok := c.Node.Settings.Group(app)
	if !ok {
		return c.done()
	}
	key, given := c.Flag("key")
	for _, k := range keys {
		if (!given || k == key) && c.Node.Settings.Origin(k) == SetOrigin {
			if err := c.Node.Settings.Reset(ctx, k); err != nil {
				return err
			}
		}
	}
	return c.done()
}
