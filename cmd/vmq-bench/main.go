// Command vmq-bench loads a running MQTT broker and says what that costs it and
// how long messages take.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := app().RunContext(ctx, os.Args); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(os.Stderr, "vmq-bench:", err)
		}
		os.Exit(1)
	}
}

// errReported is a failure that the report has told already.
var errReported = errors.New("the run failed")

func app() *cli.App {
	return &cli.App{
		Name:            "vmq-bench",
		Usage:           "what a load costs an MQTT broker",
		HideVersion:     true,
		HideHelpCommand: true,
		ExitErrHandler:  func(*cli.Context, error) {},
		Action:          noCommand,
		Commands:        []*cli.Command{runCommand(), compareCommand(), agentCommand(), calibrateCommand(), planCommand()},
	}
}

// noCommand is what a line without a known command comes to.
func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown command %q: try vmq-bench --help", c.Args().First())
	}
	return cli.ShowAppHelp(c)
}
