package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"vernemq/server/config"
	"vernemq/tuning"
)

var (
	connectionsFlag = &cli.Int64Flag{Name: "connections", DefaultText: "the sum of max_connections of the listeners", Usage: "judge for `N` connections"}
	tlsFlag         = &cli.BoolFlag{Name: "tls", DefaultText: "those of listeners with TLS", Usage: "all connections are over TLS"}
	buffersFlag     = &cli.StringFlag{Name: "buffers", Usage: "`SEND,RECEIVE` buffer sizes in bytes of a socket, 0 = the kernel's", DefaultText: "the largest buffer_sizes of the listeners"}
	rootFlag        = &cli.StringFlag{Name: "root", Value: "/", Usage: "read proc and sys below `DIR`, for a copy of another host's files"}
	pidFlag         = &cli.UintFlag{Name: "pid", DefaultText: "this command", Usage: "judge the limits of the process `PID`"}
)

// The exit codes of vernemq tuning check.
const (
	exitLow    = 1 // something is low
	exitUnread = 2 // no judgement: something cannot be read, or a bad option
)

// unlimitedCounts is what a listener without a limit counts as.
const unlimitedCounts = 1_000_000

func tuningCommand(nodeFlags []cli.Flag) *cli.Command {
	flags := append([]cli.Flag{connectionsFlag, tlsFlag, buffersFlag, rootFlag, pidFlag}, nodeFlags...)
	return &cli.Command{Name: "tuning", Usage: "judge the limits of this host", Action: noCommand, Subcommands: []*cli.Command{
		{Name: "check", Usage: "show what is there and what is wanted; exits with 1 if something is low, 2 if it cannot tell",
			Flags: slices.Concat([]cli.Flag{
				&cli.BoolFlag{Name: "json", Usage: "write JSON"},
				&cli.BoolFlag{Name: "all", Usage: "give the reasons of all settings, not only of those that are low"},
			}, flags),
			OnUsageError: func(_ *cli.Context, err error, _ bool) error { return cli.Exit(err, exitUnread) },
			Action:       tuningCheck},
		{Name: "profile", Usage: "write a file for sysctl.d and a unit for systemd; changes nothing on the running system",
			Flags: slices.Concat([]cli.Flag{
				&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "-", Usage: "write to the directory `DIR`, or with - to standard output"},
				&cli.BoolFlag{Name: "full", Usage: "write all settings, not only those that are low"},
				&cli.BoolFlag{Name: "force", Usage: "write over files that exist"},
			}, flags),
			Action: tuningProfile},
	}}
}

// tuningCheck judges this host. What can be read is shown even if the rest
// cannot.
func tuningCheck(c *cli.Context) error {
	t, err := tune(c)
	if err != nil {
		return cli.Exit(err, exitUnread)
	}
	host, unread := t.read()
	if errors.Is(unread, tuning.ErrNothing) {
		return cli.Exit(unread, exitUnread)
	}
	r := tuning.Judge(host, t.plan)
	if c.Bool("json") {
		err = r.WriteJSON(c.App.Writer)
	} else {
		err = r.WriteTable(c.App.Writer, c.Bool("all"))
	}
	if err = errors.Join(unread, err); err != nil {
		return cli.Exit(err, exitUnread)
	}
	if r.Verdict == tuning.Low {
		return cli.Exit("", exitLow)
	}
	return nil
}

// target is a host and what is wanted of it.
type target struct {
	plan    tuning.Plan
	root    string
	process string
}

func (t target) read() (*tuning.Host, error) { return tuning.Read(os.DirFS(t.root), t.process) }

// tune reads the flags and the configuration. With --connections there need
// not be a configuration.
func tune(c *cli.Context) (target, error) {
	if c.NArg() > 0 {
		return target{}, fmt.Errorf("unexpected argument %q: try vernemq tuning %s --help", c.Args().First(), c.Command.Name)
	}
	t := target{root: c.String("root"), process: "self", plan: tuning.Plan{Connections: c.Int64("connections"), Sockets: 1}}
	if c.IsSet("pid") { // 0 is what systemctl shows of a service that does not run: no process has it
		t.process = strconv.FormatUint(uint64(c.Uint("pid")), 10)
	}
	if _, err := fs.Stat(os.DirFS(t.root), "proc/"+t.process); err != nil {
		return t, fmt.Errorf("cannot read the limits: %w", err)
	}
	l, err := load(c)
	switch {
	case err == nil:
		t.plan = configured(c, l.Config)
	case !c.IsSet("connections"):
		return t, fmt.Errorf("%w\nThe number of connections comes from the configuration: give --connections N or --config FILE", err)
	case c.IsSet("config") || c.IsSet("base") || c.IsSet("set"):
		return t, err
	}
	if c.Bool("tls") {
		t.plan.Secured = t.plan.Connections
	}
	if c.IsSet("buffers") {
		if t.plan.Send, t.plan.Receive, err = parseBuffers(c.String("buffers")); err != nil {
			return t, err
		}
	}
	return t, t.plan.Check()
}

// configured is the plan of a configuration, with the connections of the flag
// if it is given. Of these as large a part is over TLS as of those configured.
func configured(c *cli.Context, cfg *config.Config) tuning.Plan {
	p, unlimited := planOf(cfg)
	for _, li := range unlimited {
		p.Connections += unlimitedCounts
		if li.TLS != nil {
			p.Secured += unlimitedCounts
		}
		if !c.IsSet("connections") {
			fmt.Fprintf(c.App.ErrWriter, "listener %s has no max_connections and counts as %d: give --connections N\n", li.Name, unlimitedCounts)
		}
	}
	n := min(p.Connections, tuning.MaxConnections)
	if c.IsSet("connections") {
		n = c.Int64("connections")
	}
	return withConnections(p, n)
}

// withConnections is a plan for another number of connections.
func withConnections(p tuning.Plan, n int64) tuning.Plan {
	if p.Connections > 0 {
		p.Secured = int64(math.Round(float64(p.Secured) / float64(p.Connections) * float64(n)))
	}
	p.Connections = n
	return p
}

func parseBuffers(s string) (send, receive int64, err error) {
	a, b, ok := strings.Cut(s, ",")
	send, err1 := strconv.ParseInt(a, 10, 64)
	receive, err2 := strconv.ParseInt(b, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("--buffers %s: two whole numbers SEND,RECEIVE were expected", s)
	}
	return send, receive, nil
}

// planOf is what a configuration asks of the host, and the listeners that have
// no limit and are not counted.
func planOf(cfg *config.Config) (p tuning.Plan, unlimited []*config.Listener) {
	for i := range cfg.Listeners {
		li := &cfg.Listeners[i]
		if li.MaxConnections <= 0 {
			unlimited = append(unlimited, li)
		}
		n := int64(min(max(li.MaxConnections, 0), math.MaxInt32))
		p.Connections += n
		if li.TLS != nil {
			p.Secured += n
		}
		p.Sockets++
		if li.Network != "unix" {
			p.Sockets += int64(cfg.Loops) - 1
		}
		p.Send = max(p.Send, int64(min(li.BufferSizes[0], tuning.MaxBuffer)))
		p.Receive = max(p.Receive, int64(min(li.BufferSizes[1], tuning.MaxBuffer)))
	}
	return p, unlimited
}

// judgeLimits warns of kernel limits that the configuration does not fit in.
func judgeLimits(cfg *config.Config, log *slog.Logger) {
	host, err := tuning.ThisHost()
	if err != nil {
		log.Warn("limits not read", "cause", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	p, _ := planOf(cfg)
	if p.Connections == 0 {
		return // without a limit there is nothing to contradict
	}
	p = withConnections(p, min(p.Connections, tuning.MaxConnections))
	for _, s := range tuning.Contradictions(host, p) {
		log.Warn(s)
	}
}
