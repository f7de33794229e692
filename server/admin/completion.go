package admin

import (
	"slices"
	"strings"
)

// Complete gives the words with which a command line may go on. The last
// argument is the word that is being written, which may be empty. live are the
// names of settings that may change. It asks no broker, so that commands of
// plugins are among them.
func Complete(args, live []string) (out []string) {
	if len(args) == 0 {
		args = []string{""}
	}
	before, last := args[:len(args)-1], args[len(args)-1]
	n := &Node{Broker: everything}
	k := 0
	for k < len(before) && isWord(before[k]) {
		k++
	}
	cmd, extra := n.lookUp(before[:k])
	if k == len(before) && isWordPart(last) {
		out = nextWords(before)
	}
	if cmd != nil && (len(extra) == 0 || cmd.Words != "") {
		out = append(out, cmd.complete(before[k:], last, live)...)
	}
	out = slices.DeleteFunc(out, func(w string) bool { return !strings.HasPrefix(w, last) })
	slices.Sort(out)
	return slices.Compact(out)
}

// What a broker with all plugins has, to those who only ask for commands.
type (
	anyWebhooks struct{ Webhooks }
	anyBridges  struct{ Bridges }
	anyScripts  struct{ Scripts }
)

func everything() *Broker {
	return &Broker{Webhooks: anyWebhooks{}, Bridges: anyBridges{}, Scripts: anyScripts{}}
}

func isWordPart(s string) bool { return s == "" || s[0] != '-' && !strings.Contains(s, "=") }

// nextWords are the words of commands that begin with others.
func nextWords(before []string) (out []string) {
	prefix := strings.Join(before, " ")
	if prefix != "" {
		prefix += " "
	}
	for i := range tree {
		if rest, ok := strings.CutPrefix(tree[i].Name, prefix); ok && rest != "" {
			word, _, _ := strings.Cut(rest, " ")
			out = append(out, word)
		}
	}
	return out
}

// complete gives the keys, flags and values that may stand at the end.
func (c *Command) complete(given []string, last string, live []string) (out []string) {
	if name, _, ok := strings.Cut(last, "="); ok {
		params := c.Keys
		if strings.HasPrefix(name, "--") {
			params = append(c.Flags[:len(c.Flags):len(c.Flags)], Param{Name: "format", Type: oneOf("human", "json", "csv")})
		}
		if p := find(params, strings.TrimPrefix(name, "--")); p != nil {
			for _, v := range p.Type.choice {
				out = append(out, name+"="+v)
			}
		}
		return out
	}
	switch {
	case c.Pairs:
		for _, k := range live {
			out = append(out, k+"=")
		}
	case c.Words != "":
		out = append(out, live...)
	}
	for _, k := range c.Keys {
		if !slices.ContainsFunc(given, func(g string) bool { return strings.HasPrefix(g, k.Name+"=") }) {
			out = append(out, k.Name+"=")
		}
	}
	for _, f := range c.Flags {
		switch {
		case f.Type.bare && f.Value == "":
			out = append(out, "--"+f.Name)
		default:
			out = append(out, "--"+f.Name+"=")
		}
	}
	return append(out, "--help", "--format=")
}
