package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"vernemq/bench/capacity"
	"vernemq/tuning"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name: "plan", Usage: "what a load will need: cores, memory, network, settings, latency",
		Description: "The model is explained in docs/capacity.md. vmq-bench calibrate measures its constants on a machine.",
		Flags: []cli.Flag{
			&cli.Int64Flag{Name: "connections", Required: true, Usage: "clients that are connected"},
			&cli.Float64Flag{Name: "rate", Usage: "messages published per second in all (without it: idle clients)"},
			&cli.Float64Flag{Name: "fanout", Value: 1, Usage: "deliveries of each message"},
			&cli.Int64Flag{Name: "payload", Value: 64, Usage: "`BYTES` of each message"},
			&cli.IntFlag{Name: "qos", Usage: "QoS of publications and deliveries"},
			&cli.Int64Flag{Name: "subscriptions", Usage: "subscriptions in all"},
			&cli.Int64Flag{Name: "queued", Usage: "messages that wait for clients that are away"},
			&cli.Int64Flag{Name: "keep-alive", Value: 60, Usage: "`SECONDS` between the pings of a client (0: none)"},
			&cli.Float64Flag{Name: "link", Value: 1e9, Usage: "network of the host in `BITS` per second"},
			&cli.BoolFlag{Name: "tls", Usage: "all clients connect over TLS"},
			&cli.StringFlag{Name: "calibration", Usage: "constants of vmq-bench calibrate in `FILE` (without it: " + capacity.DefaultFile + " here, with --tls " + capacity.DefaultTLSFile + ", or built-in ones)"},
			&cli.BoolFlag{Name: "explain", Usage: "show the arithmetic"},
			&cli.BoolFlag{Name: "json", Usage: "write JSON"},
		},
		Action: plan,
	}
}

func plan(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unknown argument %q", c.Args().First())
	}
	d := capacity.Demand{
		Connections: c.Int64("connections"), TLS: c.Bool("tls"), Rate: c.Float64("rate"), Fanout: c.Float64("fanout"), Payload: c.Int64("payload"), QoS: c.Int("qos"),
		Subscriptions: c.Int64("subscriptions"), Queued: c.Int64("queued"), KeepAlive: c.Int64("keep-alive"),
	}
	if c.IsSet("rate") && d.Rate <= 0 {
		return fmt.Errorf("cannot plan for rate %v: more than 0; leave --rate out for idle clients", d.Rate)
	}
	k, err := constants(c.String("calibration"), d.TLS)
	if err != nil {
		return err
	}
	host, err := tuning.ThisHost()
	if err != nil {
		return err
	}
	e, err := capacity.Plan(d, k, host, c.Float64("link"))
	if err != nil {
		return err
	}
	if c.Bool("json") {
		enc := json.NewEncoder(c.App.Writer)
		enc.SetIndent("", "  ")
		return enc.Encode(e)
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	e.Print(t, c.Bool("explain"))
	return t.Flush()
}

// constants are those of a file, of the file that calibrate leaves in this
// directory, or built in.
func constants(file string, tls bool) (*capacity.Calibration, error) {
	if file == "" {
		file = capacity.FileOf(tls)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return capacity.Builtin(tls), nil
		}
	}
	return capacity.Read(file)
}
