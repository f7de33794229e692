package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"vernemq/bench"
	"vernemq/bench/report"
)

func compareCommand() *cli.Command {
	return &cli.Command{
		Name: "compare", Usage: "compare two results: vmq-bench compare A.json B.json", ArgsUsage: "A.json B.json",
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return fmt.Errorf("%d files: two results to compare", c.NArg())
			}
			a, err := bench.Read(c.Args().Get(0))
			if err != nil {
				return err
			}
			b, err := bench.Read(c.Args().Get(1))
			if err != nil {
				return err
			}
			return report.Compare(c.App.Writer, a, b)
		},
	}
}

func agentCommand() *cli.Command {
	return &cli.Command{
		Name: "agent", Usage: "drive a share of the clients for a run elsewhere",
		Description: "An agent does what any peer that reaches its address tells it. It belongs on a private network.",
		Flags:       []cli.Flag{&cli.StringFlag{Name: "listen", Value: "127.0.0.1:7883", Usage: "`ADDRESS:PORT` for the run"}},
		Action:      func(c *cli.Context) error { return bench.Agent(c.Context, c.String("listen"), c.App.Writer) },
	}
}
