package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"vernemq/bench"
	"vernemq/bench/report"
)

// runCommand has a command for each scenario, so that help shows the scenario's
// own defaults.
func runCommand() *cli.Command {
	c := &cli.Command{
		Name: "run", Usage: "run a scenario: vmq-bench run SCENARIO [flags]",
		Description: "Exit code 1: messages were lost, a connection failed or the run broke off.",
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return cli.ShowSubcommandHelp(c)
			}
			_, err := bench.Find(c.Args().First())
			return err
		},
	}
	for _, s := range bench.Scenarios() {
		sub := &cli.Command{
			Name: s.Name, Usage: s.Summary, Flags: flags(s.Load), HideHelpCommand: true,
			Action: func(c *cli.Context) error { return run(c, s.Name) },
		}
		if s.Suite() {
			sub.Aliases = []string{"singlenode-" + s.Name}
		}
		c.Subcommands = append(c.Subcommands, sub)
	}
	return c
}

func run(c *cli.Context, name string) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown argument %q", c.Args().First())
	}
	s, err := bench.Find(name)
	if err != nil {
		return err
	}
	l, o := s.Load, bench.Options{Agents: list(c, "agents")}
	if err := apply(c, &l); err != nil {
		return err
	}
	if n := len(o.Agents); n > 0 {
		err = l.CheckElsewhere(n)
	} else {
		err = l.Check(1)
	}
	if err != nil {
		return err
	}
	if n := c.Int("runs"); n < 1 || n > 1000 {
		return fmt.Errorf("%d runs: 1 to 1000", n)
	}
	for _, name := range []string{"json", "html"} {
		if err := writable(name, c.String(name)); err != nil {
			return err
		}
	}
	p := newProgress(os.Stderr, c.Bool("quiet"))
	o.Progress = p.show
	result := bench.NewResult(l, len(o.Agents))
	for i := range c.Int("runs") {
		p.begin(i+1, c.Int("runs"))
		result.Runs = append(result.Runs, bench.Execute(c.Context, l, o))
		p.end()
		if c.Context.Err() != nil {
			break
		}
	}
	return write(c, result)
}

// write gives the result in the forms that were asked for.
func write(c *cli.Context, r *bench.Result) error {
	if c.Bool("brief") {
		report.Brief(c.App.Writer, r)
	} else if c.String("json") != "-" {
		report.Text(c.App.Writer, r)
	}
	if f := c.String("json"); f != "" {
		if err := r.Write(f); err != nil {
			return err
		}
	}
	if f := c.String("html"); f != "" {
		if err := writeHTML(f, r); err != nil {
			return err
		}
	}
	if r.Failed() {
		if c.Bool("brief") || c.String("json") == "-" {
			report.Failures(os.Stderr, r)
		}
		return errReported
	}
	return nil
}

// writable finds out before anything is measured whether the file of an option
// can be written. It leaves the file as it is.
func writable(option, file string) error {
	if file == "" || file == "-" {
		return nil
	}
	i, err := os.Stat(file)
	if err == nil && !i.Mode().IsRegular() && !i.IsDir() {
		return nil // such as a pipe, which is not to be opened twice
	}
	f, e := os.OpenFile(file, os.O_WRONLY|os.O_CREATE, 0o644)
	if e != nil {
		return fmt.Errorf("cannot write the file of --%s: %w", option, e)
	}
	if err != nil {
		_ = os.Remove(file)
	}
	return f.Close()
}

func writeHTML(file string, r *bench.Result) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	err = report.HTML(f, r)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

func list(c *cli.Context, name string) (out []string) {
	for _, s := range strings.Split(c.String(name), ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// flags are those of a scenario; the load gives the defaults.
func flags(l bench.Load) []cli.Flag {
	fs := []cli.Flag{
		&cli.StringFlag{Name: "addr", Value: addrFor(l.TLS != nil), Usage: "`HOST:PORT` of the broker"},
		&cli.IntFlag{Name: "pid", Usage: "`PID` of a broker on this machine, for its CPU time and memory"},
		&cli.IntFlag{Name: "v", Value: int(l.Level), Usage: "protocol `LEVEL`: 4 (MQTT 3.1.1) or 5"},
		&cli.StringFlag{Name: "username", Usage: "user `NAME` of all clients, in which %c is a client's identifier, %i its number in its group from 0, %% a percent sign"},
		&cli.StringFlag{Name: "password", Usage: "password of all clients, with the same signs; no report holds it", EnvVars: []string{"VMQ_BENCH_PASSWORD"}},
		&cli.StringFlag{Name: "password-file", Usage: "the password is the first line of `FILE`"},
		&cli.Float64Flag{Name: "scale", Value: 1, Usage: "multiply clients and rates; in a fan-out the subscribers only"},
		&cli.DurationFlag{Name: "duration", Value: l.Duration, Usage: "time measured"},
		&cli.Float64Flag{Name: "connect-rate", Value: l.ConnectRate, Usage: "connections per second; 0: as fast as it goes"},
		&cli.IntFlag{Name: "parallel", Value: l.Parallel, Usage: "handshakes under way at once"},
		&cli.IntFlag{Name: "keep-alive", Value: l.KeepAlive, Usage: "keep alive in `SECONDS`"},
		&cli.DurationFlag{Name: "timeout", Value: l.Timeout, Usage: "time without any progress after which the run breaks off"},
		&cli.IntFlag{Name: "workers", Value: l.Workers, Usage: "threads that drive the clients"},
		&cli.StringFlag{Name: "source", Usage: "local `ADDRESSES`, separated by commas"},
		&cli.StringFlag{Name: "agents", Usage: "`ADDRESSES` of vmq-bench agents that share the clients, separated by commas"},
		&cli.IntFlag{Name: "runs", Value: 1, Usage: "runs, one after the other"},
		&cli.StringFlag{Name: "json", Usage: "write the result to `FILE` (-: standard output)"},
		&cli.StringFlag{Name: "html", Usage: "write a report to `FILE`"},
		&cli.BoolFlag{Name: "brief", Usage: "one line of name=value for each run instead of tables"},
		&cli.BoolFlag{Name: "quiet", Usage: "no progress"},
	}
	fs = append(fs, tlsFlags(l.TLS != nil)...)
	fs = append(fs, &cli.BoolFlag{Name: "resume", Value: l.TLS != nil && l.TLS.Resume, Usage: "a client that connects again resumes its TLS session"})
	if l.Clients > 0 {
		fs = append(fs, &cli.IntFlag{Name: "n", Value: l.Clients, Usage: "clients without messages"})
	}
	if l.Kind == bench.Auth {
		fs = append(fs, &cli.IntFlag{Name: "wrong", Usage: "of the clients, those with a wrong password; a broker that lets them in fails the run"})
	}
	if l.Publishers == 0 {
		return fs
	}
	return append(fs, messageFlags(l)...)
}

func messageFlags(l bench.Load) []cli.Flag {
	fs := []cli.Flag{
		&cli.IntFlag{Name: "pubs", Value: l.Publishers, Usage: "publishers"},
		&cli.IntFlag{Name: "subs", Value: l.Subscribers, Usage: "subscribers"},
		&cli.IntFlag{Name: "qos", Value: int(l.QoS), Usage: "QoS of publications and subscriptions"},
		&cli.IntFlag{Name: "size", Value: l.Size, Usage: "payload `BYTES`, at least 16"},
		&cli.IntFlag{Name: "inflight", Value: l.Inflight, Usage: "unacknowledged messages of a publisher"},
		&cli.IntFlag{Name: "batch", Value: l.Batch, Usage: "closed loop: messages per write"},
	}
	switch l.Kind {
	case bench.Offline, bench.Retained:
		return append(fs, &cli.IntFlag{Name: "burst", Value: l.Burst, Usage: "messages of each publisher"})
	case bench.SlowGroup:
		fs = append(fs, &cli.IntFlag{Name: "slow", Value: l.Slow, Usage: "subscribers that stop reading"})
	}
	return append(fs,
		&cli.BoolFlag{Name: "persistent", Usage: "the subscribers' sessions outlive their connections (with -v 5)"},
		&cli.Float64Flag{Name: "rate", Value: l.Rate, Usage: "messages published per second in all (open loop); 0: closed loop, as fast as the window lets"},
		&cli.IntFlag{Name: "window", Usage: "closed loop: deliveries under way at once (default: 64 per publisher and 20 per delivery of a message, at least 2000)"},
		&cli.DurationFlag{Name: "warm", Value: l.Warm, Usage: "time before measuring"},
		&cli.BoolFlag{Name: "step", Usage: "raise the rate by a quarter each --duration until the objective or the delivery breaks"},
		&cli.StringFlag{Name: "objective", Value: "p99=50ms", Usage: "what steps must hold: a percentile and a `LATENCY`"})
}

// apply puts the flags into a load.
func apply(c *cli.Context, l *bench.Load) (err error) {
	scale := c.Float64("scale")
	if err := l.Rescale(scale); err != nil {
		return err
	}
	if l.TLS, err = tlsOf(c); err != nil {
		return err
	}
	if l.Password, err = passwordOf(c); err != nil {
		return err
	}
	l.Addr, l.PID, l.Username = addrOf(c), c.Int("pid"), c.String("username")
	l.Sources = list(c, "source")
	for name, to := range map[string]*int{
		"n": &l.Clients, "wrong": &l.Wrong, "pubs": &l.Publishers, "subs": &l.Subscribers, "slow": &l.Slow, "size": &l.Size, "window": &l.Window, "batch": &l.Batch,
		"inflight": &l.Inflight, "burst": &l.Burst, "parallel": &l.Parallel, "keep-alive": &l.KeepAlive, "workers": &l.Workers,
	} {
		if c.IsSet(name) {
			*to = c.Int(name)
		}
	}
	for name, to := range map[string]*byte{"v": &l.Level, "qos": &l.QoS} {
		if n := c.Int(name); c.IsSet(name) {
			if n < 0 || n > 255 {
				return fmt.Errorf("--%s %d is out of range", name, n)
			}
			*to = byte(n)
		}
	}
	for name, to := range map[string]*time.Duration{"duration": &l.Duration, "timeout": &l.Timeout, "warm": &l.Warm} {
		if c.IsSet(name) {
			*to = c.Duration(name)
		}
	}
	for name, to := range map[string]*float64{"rate": &l.Rate, "connect-rate": &l.ConnectRate} {
		if c.IsSet(name) {
			*to = c.Float64(name)
		}
	}
	l.Persistent = c.Bool("persistent")
	if l.Window == 0 && !c.IsSet("window") {
		l.DefaultWindow()
	}
	if l.Step = c.Bool("step"); l.Step {
		l.Quantile, l.Objective, err = bench.ParseObjective(c.String("objective"))
	}
	return err
}
