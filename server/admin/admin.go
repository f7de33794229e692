// Package admin is what an operator can do with a running broker: one tree of
// commands, from which vmq-admin, the HTTP API, help texts, completion and the
// reference page come (reference: the commands of VerneMQ 2.x). It knows nothing
// of the broker but the interfaces in node.go and broker.go.
//
// A command runs on the goroutine of who asked for it, never on a loop, and
// writes its answer to an Output while it goes.
package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vernemq/server/admin/output"
)

// Command is one command of the tree.
type Command struct {
	Name   string // its words
	About  string // one line, for the list of its group
	Text   string // what it does, for its help
	After  string // what its help ends with
	Keys   []Param
	Flags  []Param
	Words  string // what further words stand for, such as "variable"; none if empty
	Pairs  bool   // any key is taken
	Fields bool   // flags are fields of rows: each may be given with and without a value, and several times
	Needs  Part   // of the broker
	// Terminal tells that the command talks to a terminal until that ends it.
	Terminal bool
	Hidden   bool // from its group's usage, as in VerneMQ
	run      func(context.Context, *Call) error
}

// Part is something that a broker may not have.
type Part uint8

// The parts of a broker without which some commands do not exist.
const (
	NoPart Part = iota
	WebhooksPart
	BridgesPart
	ScriptsPart
)

// Call is one run of a command.
type Call struct {
	Node   *Node
	Out    output.Output
	Format string
	cmd    *Command
	words  []string
	keys   map[string]string
	flags  []Arg
}

// Arg is a flag as it was given.
type Arg struct {
	Name  string // without dashes; the long name
	Value string
	Bare  bool // without a value
}

// Refusal is an error that is the answer: a text for the operator.
type Refusal struct {
	Text string
	// Plain tells that the line could not be read at all, or asks for help: the
	// text has no format then.
	Plain bool
	// Answer tells that the text is an ordinary answer.
	Answer bool
	Code   int // exit code
}

func (r *Refusal) Error() string { return r.Text }

func refuse(format string, args ...any) error {
	return &Refusal{Text: fmt.Sprintf(format, args...), Code: 1}
}

func unreadable(format string, args ...any) *Refusal {
	return &Refusal{Text: fmt.Sprintf(format, args...), Plain: true, Code: 1}
}

// Run reads a command line and runs it. It returns the exit code; the error is
// that of out, or of ctx.
func (n *Node) Run(ctx context.Context, args []string, out output.Output) (code int, err error) {
	c, err := n.Parse(args)
	if err == nil {
		c.Out = out
		err = c.Run(ctx)
	}
	return Report(out, err)
}

// Report writes the error of a command as its answer and gives the exit code.
func Report(out output.Output, err error) (code int, failed error) {
	var r *Refusal
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &r):
		return 1, out.Alert(oneLine(err))
	case r.Plain:
		return r.Code, out.Plain(r.Text)
	case r.Answer:
		return r.Code, out.Text(r.Text)
	}
	return r.Code, out.Alert(r.Text)
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", " ") }

// Run runs the command.
func (c *Call) Run(ctx context.Context) error { return c.cmd.run(ctx, c) }

// Command is the command that is called.
func (c *Call) Command() *Command { return c.cmd }

// Key gives the value of KEY=VALUE, empty if it was not given.
func (c *Call) Key(name string) string { return c.keys[name] }

// Flag gives the last value of a flag. given tells that it was there at all.
func (c *Call) Flag(name string) (value string, given bool) {
	for _, f := range c.flags {
		if f.Name == name {
			value, given = f.Value, true
		}
	}
	return value, given
}

// Has tells that a flag was given.
func (c *Call) Has(name string) bool {
	_, given := c.Flag(name)
	return given
}

// On tells that a flag was given alone or as true.
func (c *Call) On(name string) bool {
	v, given := c.Flag(name)
	return given && v != "false"
}

// Int gives the value of a flag that its type has checked.
func (c *Call) Int(name string, otherwise int) int {
	v, given := c.Flag(name)
	if !given {
		return otherwise
	}
	return atoi(v)
}

func (c *Call) text(s string) error { return c.Out.Text(s) }

func (c *Call) done() error { return c.Out.Text("Done") }

func (c *Call) alert(format string, args ...any) error {
	return c.Out.Alert(fmt.Sprintf(format, args...))
}

// usage answers a line that lacks a key with the help of its command.
func (c *Call) usage() error { return c.Out.Alert(c.cmd.help()) }
