// Command vmq-admin administrates a running broker over its control socket.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"vernemq/server/config"
	"vernemq/server/daemon"
)

func main() {
	t := &tool{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	if err := t.app().Run(passHelp(os.Args)); err != nil {
		os.Exit(t.report(err))
	}
}

// passHelp leaves --help to the broker, which knows the commands.
func passHelp(args []string) []string {
	for i := 1; i < len(args) && strings.HasPrefix(args[i], "-"); i++ {
		switch {
		case args[i] == "--help" || args[i] == "-h":
			return slices.Insert(slices.Clone(args), i, "--")
		case !strings.Contains(args[i], "="):
			i++ // its value
		}
	}
	return args
}

// tool is the command with its files.
type tool struct {
	in       *os.File
	out, err *os.File
}

// report prints an error, unless it is only an exit code, and gives the code.
func (t *tool) report(err error) int {
	var code cli.ExitCoder
	if errors.As(err, &code) {
		return code.ExitCode()
	}
	fmt.Fprintln(t.err, err)
	return 1
}

const defaultTimeout = 60 * time.Second

func (t *tool) app() *cli.App {
	return &cli.App{
		Name:            "vmq-admin",
		Usage:           "administrate a running broker",
		Writer:          t.out,
		ErrWriter:       t.err,
		HideVersion:     true,
		HideHelp:        true,
		HideHelpCommand: true,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    func(_ *cli.Context, err error, _ bool) error { return err },
		Action:          t.run,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "socket", EnvVars: []string{"VMQ_ADMIN_SOCKET"}, Usage: "control socket of the broker"},
			&cli.StringFlag{Name: "base", Value: ".", EnvVars: []string{"VERNEMQ_BASE"}, Usage: "directory that relative paths start from; / is an installed package"},
			&cli.StringFlag{Name: "config", Aliases: []string{"c"}, EnvVars: []string{"VERNEMQ_CONFIG"}, Usage: "configuration that names the data directory"},
			&cli.StringFlag{Name: "rpctimeout", Usage: "milliseconds that a command may take, or infinity"},
		},
	}
}

func (t *tool) run(c *cli.Context) error {
	args, timeout, err := withoutTimeout(c.Args().Slice(), c.String("rpctimeout"))
	if err != nil {
		return err
	}
	if len(args) > 0 && args[0] == "completion" {
		return t.completion(args[1:])
	}
	socket, name, wrong := socketOf(c)
	if socket == "" {
		return cannotFind(wrong)
	}
	code, err := t.ask(socket, args, timeout)
	switch {
	case errors.Is(err, daemon.ErrNotRunning) && wrong != nil:
		return cannotFind(wrong)
	case errors.Is(err, daemon.ErrNotRunning):
		return notResponding(name)
	}
	if err == nil && code != 0 {
		err = cli.Exit("", code)
	}
	return err
}

// cannotFind is the error when a configuration leads to no node.
func cannotFind(wrong error) error {
	first, _, _ := strings.Cut(wrong.Error(), "\n")
	return fmt.Errorf("cannot find the node: %s", first)
}

// withoutTimeout takes -rpctimeout out of a line, wherever it stands.
func withoutTimeout(args []string, value string) (rest []string, timeout time.Duration, err error) {
	for i := 0; i < len(args); i++ {
		switch v, ok := strings.CutPrefix(args[i], "-rpctimeout="); {
		case ok:
			value = v
		case args[i] == "-rpctimeout" && i+1 < len(args):
			i++
			value = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	switch value {
	case "":
		timeout = defaultTimeout
		if len(rest) > 0 && rest[0] == "trace" {
			timeout = 0
		}
	case "infinity":
	default:
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 {
			return nil, 0, fmt.Errorf("bad -rpctimeout %q: milliseconds or infinity were expected", value)
		}
		timeout = time.Duration(n) * time.Millisecond
	}
	return rest, timeout, nil
}

// socketOf finds the control socket and the name of the node. wrong is what is
// wrong with the configuration, if somebody named it.
func socketOf(c *cli.Context) (path, node string, wrong error) {
	dirs := config.DirsOf(c.String("base"))
	file := c.String("config")
	if file == "" {
		file = dirs.Etc + "/vernemq.conf"
	}
	place, wrong := config.Locate(file, nil, dirs)
	if !c.IsSet("config") {
		wrong = nil
		if place.DataDir == "" {
			place.DataDir = dirs.Data
		}
	}
	switch s := c.String("socket"); {
	case s != "":
		return s, place.NodeName, nil
	case place.DataDir == "":
		return "", "", wrong
	}
	return daemon.SocketPath(place.DataDir), place.NodeName, wrong
}

// notResponding is the error when no broker answers, in the reference's words.
type notResponding string

func (n notResponding) Error() string {
	return fmt.Sprintf("Node '%s' not responding to pings.", string(n))
}
