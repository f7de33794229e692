package admin

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Parse reads a command line: the words of a command, then KEY=VALUE, then
// flags. The error is a *Refusal.
func (n *Node) Parse(args []string) (*Call, error) {
	r := &reader{node: n, rest: args}
	if err := r.command(); err != nil {
		return nil, err
	}
	if err := r.pairs(); err != nil {
		return nil, err
	}
	if err := r.options(); err != nil {
		return nil, err
	}
	return r.call, r.checkFlags()
}

// reader walks through the arguments.
type reader struct {
	node    *Node
	rest    []string
	call    *Call
	unknown []string // flags, as they are shown
}

func isWord(arg string) bool { return arg != "" && arg[0] != '-' && !strings.Contains(arg, "=") }

// command finds the command whose words the line begins with.
func (r *reader) command() error {
	k := 0
	for k < len(r.rest) && isWord(r.rest[k]) {
		k++
	}
	words := r.rest[:k]
	r.rest = r.rest[k:]
	cmd, extra := r.node.lookUp(words)
	wantsHelp := slices.Contains(r.rest, "--help") || slices.Contains(r.rest, "-h")
	if len(words) > 0 {
		if plugin, ok := r.node.lacking(words[0]); ok {
			return unreadable("No command %q: the plugin %s does not run.", words[0], plugin)
		}
	}
	if cmd == nil || len(extra) > 0 && cmd.Words == "" {
		return &Refusal{Text: r.node.Usage(words), Plain: true, Code: 1}
	}
	if wantsHelp {
		return &Refusal{Text: cmd.usageText(), Plain: true, Code: 0}
	}
	r.call = &Call{Node: r.node, cmd: cmd, words: slices.Clone(extra), keys: map[string]string{}, Format: "human"}
	return nil
}

// lookUp finds the command with the words, or the one that takes the last ones
// as its own.
func (n *Node) lookUp(words []string) (cmd *Command, extra []string) {
	for k := len(words); k > 0; k-- {
		if c := n.command(strings.Join(words[:k], " ")); c != nil {
			return c, words[k:]
		}
	}
	return nil, nil
}

// pairs reads KEY=VALUE up to the first flag.
func (r *reader) pairs() error {
	var bad []string
	for len(r.rest) > 0 && !strings.HasPrefix(r.rest[0], "-") {
		arg := r.rest[0]
		r.rest = r.rest[1:]
		if key, value, ok := strings.Cut(arg, "="); ok && (key == "" || value == "") {
			return unreadable("Empty value in argument: %q", arg)
		}
		if !r.takesKeys() {
			bad = append(bad, arg)
			continue
		}
		if err := r.pair(arg); err != nil {
			return err
		}
	}
	if len(bad) > 0 {
		slices.Reverse(bad)
		return unreadable("Invalid arguments: %s ", strings.Join(bad, " "))
	}
	return nil
}

func (r *reader) takesKeys() bool { return r.call.cmd.Pairs || len(r.call.cmd.Keys) > 0 }

func (r *reader) pair(arg string) error {
	key, value, ok := strings.Cut(arg, "=")
	switch {
	case !ok:
		return unreadable("Invalid arguments: %s ", arg)
	case r.call.cmd.Pairs:
		if _, twice := r.call.keys[key]; !twice {
			r.call.words = append(r.call.words, key)
		}
		r.call.keys[key] = value
		return nil
	}
	p := find(r.call.cmd.Keys, key)
	if p == nil {
		return unreadable("Invalid key: %q", key)
	}
	if !p.takes(value) {
		return p.refuseKey(value)
	}
	r.call.keys[key] = value
	return nil
}

// options reads the flags.
func (r *reader) options() error {
	for len(r.rest) > 0 {
		arg := r.rest[0]
		r.rest = r.rest[1:]
		var err error
		switch {
		case strings.HasPrefix(arg, "--") && len(arg) > 2:
			err = r.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-':
			err = r.short(arg[1], arg[2:])
		case r.afterSwitch(arg):
			err = r.pair(arg)
		default:
			err = unreadable("Invalid flag: %q", arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// afterSwitch tells that KEY=VALUE stands behind a flag that never has a
// value.
func (r *reader) afterSwitch(arg string) bool {
	key, value, ok := strings.Cut(arg, "=")
	fs := r.call.flags
	if !ok || value == "" || len(fs) == 0 || !fs[len(fs)-1].Bare || find(r.call.cmd.Keys, key) == nil {
		return false
	}
	p := find(r.call.cmd.Flags, fs[len(fs)-1].Name)
	return p != nil && p.Type.bare
}

func (r *reader) long(arg string) error {
	name, value, ok := strings.Cut(arg, "=")
	if name == "format" {
		if v, given := r.valueOf(value, ok && value != "", nil); given {
			r.call.Format = v
		}
		return nil
	}
	p := find(r.call.cmd.Flags, name)
	if p == nil {
		r.unknown = append(r.unknown, strconv.Quote(name))
		r.valueOf(value, ok && value != "", nil) // a value is its own
		return nil
	}
	return r.flag(p, value, ok && value != "")
}

func (r *reader) short(c byte, glued string) error {
	p := findShort(r.call.cmd.Flags, c)
	if p == nil {
		r.unknown = append(r.unknown, strconv.Itoa(int(c)))
		r.valueOf("", glued != "", nil)
		return nil
	}
	glued = strings.TrimPrefix(glued, "=")
	return r.flag(p, glued, glued != "")
}

func (r *reader) flag(p *Param, value string, has bool) error {
	given, has := r.valueOf(value, has, p)
	if value = given; p.Type.path && given != "" && !filepath.IsAbs(given) {
		value = filepath.Join(r.node.Base, given)
	}
	switch {
	case has && p.Type.only:
		return p.refuseFlag(given)
	case has && !p.takes(value):
		return p.refuseFlag(given)
	case !has && !p.Type.bare:
		return p.refuseFlag("")
	}
	r.call.flags = append(r.call.flags, Arg{Name: p.Name, Value: value, Bare: !has})
	return nil
}

// valueOf gives the value that stands in a flag or is the next word. A flag
// that can stand alone leaves KEY=VALUE of the command to it.
func (r *reader) valueOf(value string, has bool, p *Param) (string, bool) {
	if has || len(r.rest) == 0 || strings.HasPrefix(r.rest[0], "-") {
		return value, has
	}
	if p != nil && p.Type.bare && !r.call.cmd.Fields {
		if key, v, ok := strings.Cut(r.rest[0], "="); ok && v != "" && find(r.call.cmd.Keys, key) != nil {
			return "", false
		}
	}
	value = r.rest[0]
	r.rest = r.rest[1:]
	return value, true
}

// checkFlags refuses unknown flags, in the words that depend on whether the
// command has any.
func (r *reader) checkFlags() error {
	switch {
	case len(r.unknown) == 0:
		return nil
	case len(r.call.cmd.Flags) > 0:
		return unreadable("Invalid key: %s", r.unknown[len(r.unknown)-1])
	}
	if text, ok := charList(r.unknown); ok {
		return unreadable("Invalid Flags: %q", text)
	}
	return unreadable("Invalid Flags: [%s]", strings.Join(r.unknown, ","))
}

// charList gives short flags as a word, if there are no others.
func charList(shown []string) (string, bool) {
	text := ""
	for _, s := range shown {
		n, err := strconv.Atoi(s)
		if err != nil {
			return "", false
		}
		text += fmt.Sprintf("%c", rune(n))
	}
	return text, true
}
