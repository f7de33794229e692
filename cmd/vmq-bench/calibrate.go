package main

import (
	"cmp"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"vernemq/bench/capacity"
)

func calibrateCommand() *cli.Command {
	return &cli.Command{
		Name: "calibrate", Usage: "measure the constants of plan against a broker on this machine",
		Description: "Under two minutes of bounded load: 13,000 connections at most, half a core of messages; with --tls under four minutes, most of them waiting. Start the broker afresh for it.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "addr", Value: plainAddr, Usage: "`HOST:PORT` of the broker"},
			&cli.IntFlag{Name: "pid", Required: true, Usage: "`PID` of the broker"},
			&cli.StringFlag{Name: "json", Usage: "write the constants to `FILE` (-: standard output)", DefaultText: capacity.DefaultFile + ", with --tls " + capacity.DefaultTLSFile},
			&cli.BoolFlag{Name: "quick", Usage: "under 30 seconds, with --tls two minutes; less sure"},
			&cli.BoolFlag{Name: "quiet", Usage: "no progress"},
		}, tlsFlags(false)...),
		Action: calibrate,
	}
}

func calibrate(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown argument %q", c.Args().First())
	}
	secure, err := tlsOf(c)
	if err != nil {
		return err
	}
	file := cmp.Or(c.String("json"), capacity.FileOf(secure != nil))
	if err := writable("json", file); err != nil {
		return err
	}
	o := capacity.Options{Addr: addrOf(c), PID: c.Int("pid"), TLS: secure, Quick: c.Bool("quick")}
	if !c.Bool("quiet") {
		o.Progress = func(s string) { fmt.Fprintln(os.Stderr, s) }
	}
	k, err := capacity.Calibrate(c.Context, o)
	if err != nil {
		return err
	}
	if err := k.Write(file); err != nil {
		return err
	}
	if file == "-" {
		return nil
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	k.Print(t)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\nwritten to %s\n", file)
	return nil
}
