package admin

import (
	"slices"
	"strings"
)

// tree has all commands, in the order of the reference.
var tree []Command

func init() {
	tree = slices.Concat(nodeCommands(), sessionCommands(), retainCommands(), pluginCommands(), listenerCommands(),
		metricsCommands(), apiKeyCommands(), traceCommands(), logCommands(), settingsCommands(), partCommands())
}

// has tells that the node has what a command is about.
func (n *Node) has(p Part) bool {
	if p == NoPart {
		return true
	}
	b := n.Broker()
	if b == nil {
		return false
	}
	return p == WebhooksPart && b.Webhooks != nil || p == BridgesPart && b.Bridges != nil || p == ScriptsPart && b.Scripts != nil
}

// command finds a command by its words, nil when there is none.
func (n *Node) command(name string) *Command {
	for i := range tree {
		if tree[i].Name == name && n.has(tree[i].Needs) {
			return &tree[i]
		}
	}
	return nil
}

// below are the commands of a group.
func (n *Node) below(group string) (out []*Command) {
	for i := range tree {
		if strings.HasPrefix(tree[i].Name, group+" ") && n.has(tree[i].Needs) {
			out = append(out, &tree[i])
		}
	}
	return out
}

// bringers are the plugins that bring groups of commands.
var bringers = map[string]string{"bridge": "vmq_bridge", "script": "vmq_diversity", "webhooks": "vmq_webhooks", "webui": "vmq_web_ui"}

// lacking gives the plugin that brings a group of commands and does not run.
func (n *Node) lacking(group string) (plugin string, ok bool) {
	plugin, ok = bringers[group]
	return plugin, ok && len(n.below(group)) == 0
}
