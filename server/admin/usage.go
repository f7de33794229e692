package admin

import (
	"fmt"
	"slices"
	"strings"
)

// help is the text of a command: its line, what it does, its flags. A command
// that lacks a key answers with it.
func (c *Command) help() string {
	var b strings.Builder
	b.WriteString(c.line() + "\n\n")
	if c.Text != "" {
		indent(&b, c.Text, "  ")
		b.WriteByte('\n')
	}
	for i := range c.Keys {
		k := &c.Keys[i]
		describeParam(&b, k, k.Name+"="+k.shownValue())
	}
	for i := range c.Flags {
		f := &c.Flags[i]
		describeParam(&b, f, f.sign())
	}
	if c.After != "" {
		b.WriteByte('\n')
		indent(&b, c.After, "  ")
	}
	return b.String()
}

func describeParam(b *strings.Builder, p *Param, sign string) {
	b.WriteString("  " + sign + "\n")
	about := p.About
	if len(p.Type.choice) > 0 && !p.Type.bare && !strings.Contains(sign, p.Type.choice[0]) {
		about = strings.TrimSuffix(about, ".") + ". One of " + strings.Join(p.Type.choice, ", ") + "."
	}
	if about != "" {
		indent(b, about, "      ")
	}
}

// usageText is the answer to --help.
func (c *Command) usageText() string { return "Usage: " + c.help() }

// line is how the command is called.
func (c *Command) line() string {
	line := "vmq-admin " + c.Name
	switch {
	case c.Pairs:
		line += " <variable>=<value> ..."
	case c.Words != "":
		line += " <" + c.Words + "> ..."
	}
	if c.onNodes() {
		line += " [[--node | -n] <node> | --all]"
	}
	for i := range c.Keys {
		line += " " + c.Keys[i].Name + "=" + c.Keys[i].shownValue()
	}
	return line
}

// onNodes tells that the command may be for other nodes.
func (c *Command) onNodes() bool { return find(c.Flags, "all") != nil }

func (p *Param) shownValue() string {
	if p.Value != "" {
		return p.Value
	}
	return "<" + p.Name + ">"
}

// indent writes lines of at most 76 characters.
func indent(b *strings.Builder, text, by string) {
	for par := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(par, " ") || par == "" {
			b.WriteString(strings.TrimRight(by+par, " ") + "\n")
			continue
		}
		line := by
		for _, w := range strings.Fields(par) {
			if len(line)+len(w) > 76 && line != by {
				b.WriteString(strings.TrimRight(line, " ") + "\n")
				line = by
			}
			line += w + " "
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// group is what stands above the commands that share their first words.
type group struct{ name, about, text string }

// groups are in the order of the top-level help. Those without about are not
// listed there.
var groups = []group{
	{"node", "Manage this node", "Administrate this broker node."},
	{"cluster", "Manage this node's cluster membership", "Administrate cluster membership for this particular broker node."},
	{"session", "Retrieve session information", "Manage sessions."},
	{"session disconnect", "", "Disconnects sessions."},
	{"retain", "Show and delete MQTT retained messages", "Inspect and remove retained messages."},
	{"plugin", "Manage plugin system", "Manage plugins."},
	{"listener", "Manage listener interfaces", "Manage listeners."},
	{"metrics", "Retrieve system metrics", "Retrieve system metrics."},
	{"api-key", "Manage API keys for the HTTP management interface", "Manage the keys of the HTTP interfaces."},
	{"trace", "Trace various aspects of the broker", "Trace what clients and broker say to each other."},
	{"tls", "Show and check certificates", "Show and check the certificates of the listeners."},
	{"log", "Manage logging subsystem", "Show and change what is logged."},
	{"log show", "", "Show what is logged."},
	{"bridge", "Manage MQTT bridges", "Manage bridges to other brokers."},
	{"script", "Manage lua scripts", "Manage Lua scripts."},
	{"webhooks", "Manage webhooks", "Manage webhooks."},
	{"webhooks cache", "", "The cache of webhooks' answers."},
	{"config", "", "Show where settings come from, and undo changes."},
}

// Usage is the help of what the first words name: a command, a group, or all.
func (n *Node) Usage(words []string) string {
	for k := len(words); k > 0; k-- {
		name := strings.Join(words[:k], " ")
		if c := n.command(name); c != nil {
			return c.usageText()
		}
		if i := slices.IndexFunc(groups, func(g group) bool { return g.name == name }); i >= 0 && len(n.below(name)) > 0 {
			return n.groupUsage(&groups[i])
		}
	}
	var b strings.Builder
	b.WriteString("Usage: vmq-admin <sub-command>\n\n  Administrate the broker.\n\n  Sub-commands:\n")
	for i := range groups {
		if g := &groups[i]; g.about != "" && len(n.below(g.name)) > 0 {
			fmt.Fprintf(&b, "    %-11s %s\n", g.name, g.about)
		}
	}
	b.WriteString("  Use --help after a sub-command for more details.\n")
	return b.String()
}

func (n *Node) groupUsage(g *group) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: vmq-admin %s <sub-command>\n\n  %s\n\n  Sub-commands:\n", g.name, g.text)
	seen := map[string]bool{}
	for _, c := range n.below(g.name) {
		word, rest, deeper := strings.Cut(strings.TrimPrefix(c.Name, g.name+" "), " ")
		if c.Hidden || seen[word] {
			continue
		}
		seen[word] = true
		about := c.About
		if deeper && rest != "" {
			for _, sub := range groups {
				if sub.name == g.name+" "+word {
					about = sub.text
				}
			}
		}
		fmt.Fprintf(&b, "    %-20s %s\n", word, about)
	}
	b.WriteString("  Use --help after a sub-command for more details.\n")
	return b.String()
}
