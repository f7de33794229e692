// Command vernemq runs the broker and talks to one that runs.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"vernemq/server/config"
)

// version is set by the Makefile.
var version = "0.1.0-dev"

func main() {
	a := app()
	quiet(a.Commands)
	if err := a.Run(os.Args); err != nil {
		os.Exit(report(err))
	}
}

// report prints an error, unless it is only an exit code, and gives the code.
func report(err error) int {
	if s := err.Error(); s != "" {
		fmt.Fprintln(os.Stderr, s)
	}
	var coded cli.ExitCoder
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return 1
}

var (
	baseFlag   = &cli.StringFlag{Name: "base", Value: ".", Usage: "`DIR` that relative paths start from; / is an installed package"}
	configFlag = &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "configuration `FILE` (default: vernemq.conf in the etc directory)"}
	setFlag    = &cli.StringSliceFlag{Name: "set", Usage: "`KEY=VALUE` that wins over the file; may be repeated"}
	helloFlag  = &cli.BoolFlag{Name: "hello", Usage: "say how to send a first message"}
)

func app() *cli.App {
	nodeFlags := []cli.Flag{baseFlag, configFlag, setFlag}
	return &cli.App{
		Name:            "vernemq",
		Usage:           "MQTT broker for a million connections",
		HideVersion:     true,
		HideHelpCommand: true,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    reasonAlone,
		Action:          noCommand,
		Flags:           []cli.Flag{cli.HelpFlag}, // which a command of the name help keeps out
		// A value may contain commas.
		DisableSliceFlagSeparator: true,
		Commands: []*cli.Command{
			{Name: "console", Usage: "run in the foreground", Flags: append([]cli.Flag{helloFlag}, nodeFlags...), Action: console},
			{Name: "start", Usage: "run in the background; returns when clients can connect", Flags: nodeFlags, Action: start},
			{Name: "stop", Usage: "stop a node; returns when it has ended", Flags: nodeFlags, Action: stop},
			{Name: "restart", Usage: "stop a node and start it again", Flags: nodeFlags, Action: restart},
			{Name: "ping", Usage: "answer pong if the node runs", Flags: nodeFlags, Action: ping},
			{Name: "getpid", Usage: "print the number of the node's process", Flags: nodeFlags, Action: getpid},
			{Name: "version", Usage: "print the version", Action: func(c *cli.Context) error {
				fmt.Fprintln(c.App.Writer, version)
				return nil
			}},
			{Name: "chkconfig", Usage: "check the configuration", Flags: nodeFlags, Action: chkconfig},
			{Name: "help", Usage: "list the commands", Action: func(c *cli.Context) error { return cli.ShowAppHelp(c) }},
			{Name: "config", Usage: "show the configuration", Action: noConfigCommand, Subcommands: []*cli.Command{
				{Name: "effective", Usage: "print every setting in force", Flags: nodeFlags, Action: effective},
				{Name: "describe", Usage: "explain a `KEY`", ArgsUsage: "KEY", Flags: nodeFlags, Action: describe},
			}},
			tuningCommand(nodeFlags),
		},
	}
}

// elsewhere are commands of VerneMQ that this one has no use for.
var elsewhere = map[string]string{
	"attach":        "a node has no shell: vmq-admin talks to it",
	"attach-direct": "a node has no shell: vmq-admin talks to it",
	"ertspath":      "there is no Erlang runtime",
	"escript":       "there is no Erlang runtime",
	"generate":      "nothing is generated: the node reads vernemq.conf; vernemq chkconfig checks it",
}

// noCommand is what a line without a known command comes to.
func noCommand(c *cli.Context) error {
	if why, ok := elsewhere[c.Args().First()]; ok {
		return fmt.Errorf("no command %q: %s", c.Args().First(), why)
	}
	if c.NArg() > 0 {
		return fmt.Errorf("unknown command %q: try vernemq --help", c.Args().First())
	}
	return fmt.Errorf("a command is missing: try vernemq --help")
}

// noConfigCommand lists what there is.
func noConfigCommand(c *cli.Context) error {
	if c.NArg() > 0 {
		return noCommand(c)
	}
	fmt.Fprintln(c.App.Writer, "Valid commands for vernemq config are:\n  vernemq config effective\n  vernemq config describe VARIABLE")
	return cli.Exit("", 1)
}

// reasonAlone lets a bad option give its reason without the whole usage.
func reasonAlone(_ *cli.Context, err error, _ bool) error { return err }

// quiet does so for all commands that have no way of their own.
func quiet(commands []*cli.Command) {
	for _, c := range commands {
		if c.OnUsageError == nil {
			c.OnUsageError = reasonAlone
		}
		quiet(c.Subcommands)
	}
}

// load reads the configuration that the flags name.
func load(c *cli.Context) (*config.Loaded, error) {
	file, dirs, err := files(c)
	if err != nil {
		return nil, err
	}
	return config.Load(file, c.StringSlice("set"), dirs)
}

// files are the configuration and the directories that the flags name.
func files(c *cli.Context) (file string, dirs config.Dirs, err error) {
	if c.NArg() > 0 && c.Command.Name != "describe" {
		return "", dirs, fmt.Errorf("unexpected argument %q: try vernemq %s --help", c.Args().First(), c.Command.Name)
	}
	dirs = config.DirsOf(c.String("base"))
	if file = c.String("config"); file == "" {
		file = dirs.Etc + "/vernemq.conf"
	}
	return file, dirs, nil
}

func chkconfig(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	warn(c, l)
	fmt.Fprintln(c.App.Writer, "config is OK")
	return nil
}

func warn(c *cli.Context, l *config.Loaded) {
	for _, w := range l.Warnings {
		fmt.Fprintln(c.App.ErrWriter, "warning:", w)
	}
}

func effective(c *cli.Context) error {
	l, err := load(c)
	if err != nil {
		return err
	}
	for _, line := range l.Effective() {
		fmt.Fprintln(c.App.Writer, line)
	}
	return nil
}

func describe(c *cli.Context) error {
	key := c.Args().First()
	if c.NArg() > 1 {
		return fmt.Errorf("unexpected argument %q: options come before the key", c.Args().Get(1))
	}
	if key == "" {
		return fmt.Errorf("vernemq config describe requires a variable name to query\n  Try `vernemq config describe setting.name`")
	}
	l, err := load(c)
	if err != nil {
		// A broken file is no reason to be silent about a key.
		fmt.Fprintln(c.App.ErrWriter, err)
		if text, ok := config.Describe(key); ok {
			fmt.Fprintln(c.App.Writer, text)
			return nil
		}
		return cli.Exit("", 1)
	}
	text, ok := l.Describe(key)
	if !ok {
		text = fmt.Sprintf("Variable '%s' not found ", key) // which is no failure, as ever
	}
	fmt.Fprintln(c.App.Writer, text)
	return nil
}
