package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"vernemq/bench/capacity"
)

func calibrateCommand() *cli.Command {
	return &cli.Command{
		Name: "calibrate", Usage: "measure the constants of plan against a broker on this machine",
		Description: "Under two minutes of bounded load: 12,000 connections at most, half a core of messages. Start the broker afresh for it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "addr", Value: "127.0.0.1:1883", Usage: "`HOST:PORT` of the broker"},
			&cli.IntFlag{Name: "pid", Required: true, Usage: "`PID` of the broker"},
			&cli.StringFlag{Name: "json", Value: capacity.DefaultFile, Usage: "write the constants to `FILE` (-: standard output)"},
			&cli.BoolFlag{Name: "quick", Usage: "under 30 seconds, less sure"},
			&cli.BoolFlag{Name: "quiet", Usage: "no progress"},
		},
		Action: calibrate,
	}
}

func calibrate(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown argument %q", c.Args().First())
	}
	o := capacity.Options{Addr: c.String("addr"), PID: c.Int("pid"), Quick: c.Bool("quick")}
	if !c.Bool("quiet") {
		o.Progress = func(s string) { fmt.Fprintln(os.Stderr, s) }
	}
	k, err := capacity.Calibrate(c.Context, o)
	if err != nil {
		return err
	}
	if err := k.Write(c.String("json")); err != nil {
		return err
	}
	if c.String("json") == "-" {
		return nil
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	k.Print(t)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "\nwritten to %s\n", c.String("json"))
	return nil
}
