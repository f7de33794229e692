// Command vmq-bench loads a running MQTT broker and says what that costs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/urfave/cli/v2"

	"vernemq/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := app().RunContext(ctx, os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

var common = []cli.Flag{
	&cli.StringFlag{Name: "addr", Value: "127.0.0.1:1883", Usage: "`HOST:PORT` of the broker"},
	&cli.IntFlag{Name: "pid", Usage: "`PID` of the broker on this machine", Required: true},
	&cli.IntFlag{Name: "v", Value: 4, Usage: "protocol `LEVEL`: 4 or 5"},
}

func app() *cli.App {
	return &cli.App{
		Name:            "vmq-bench",
		Usage:           "what a load costs an MQTT broker",
		HideVersion:     true,
		HideHelpCommand: true,
		ExitErrHandler:  func(*cli.Context, error) {},
		Commands: []*cli.Command{
			{Name: "flow", Usage: "messages: CPU time of the broker per delivery", Action: flow, Flags: append(common,
				&cli.StringFlag{Name: "shape", Value: "fanin", Usage: "fanin, fanout, pairs or shared"},
				&cli.IntFlag{Name: "pubs", Value: 100, Usage: "publishers"},
				&cli.IntFlag{Name: "subs", Value: 1, Usage: "subscribers"},
				&cli.IntFlag{Name: "qos", Usage: "QoS of publications and subscriptions"},
				&cli.IntFlag{Name: "size", Value: 64, Usage: "payload `BYTES`"},
				&cli.IntFlag{Name: "window", Usage: "deliveries under way at once (default: 64 per publisher, at least 2000)"},
				&cli.IntFlag{Name: "batch", Value: 16, Usage: "messages per write"},
				&cli.DurationFlag{Name: "warm", Value: 2 * time.Second, Usage: "time before measuring"},
				&cli.DurationFlag{Name: "dur", Value: 8 * time.Second, Usage: "time measured"})},
			{Name: "hold", Usage: "idle connections: memory of a freshly started broker per connection", Action: hold, Flags: append(common,
				&cli.IntFlag{Name: "n", Value: 10000, Usage: "connections"},
				&cli.IntFlag{Name: "parallel", Value: 64, Usage: "handshakes at once"},
				&cli.DurationFlag{Name: "settle", Value: 3 * time.Second, Usage: "rest before measuring"})},
		},
	}
}

func flow(c *cli.Context) error {
	o := bench.FlowOptions{
		Addr: c.String("addr"), PID: c.Int("pid"), Shape: c.String("shape"), Publishers: c.Int("pubs"),
		Subscribers: c.Int("subs"), QoS: byte(c.Int("qos")), Level: byte(c.Int("v")), Size: c.Int("size"),
		Window: c.Int("window"), Batch: c.Int("batch"), Warm: c.Duration("warm"), Duration: c.Duration("dur"),
	}
	if o.Window == 0 {
		o.Window = max(2000, 64*o.Publishers)
	}
	r, err := bench.Flow(c.Context, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "shape=%s pubs=%d subs=%d qos=%d v=%d size=%d delivered=%d msgs_per_s=%.0f cpu_us_per_msg=%.3f rss_mib=%.0f\n",
		o.Shape, o.Publishers, o.Subscribers, o.QoS, o.Level, o.Size, r.Delivered, r.PerSecond, r.CPU/1000, float64(r.Memory)/(1<<20))
	return nil
}

func hold(c *cli.Context) error {
	if c.Int("parallel") < 1 {
		return errors.New("--parallel must be at least 1")
	}
	r, err := bench.Hold(c.Context, bench.HoldOptions{
		Addr: c.String("addr"), PID: c.Int("pid"), Connections: c.Int("n"), Parallel: c.Int("parallel"),
		Settle: c.Duration("settle"), Level: byte(c.Int("v")),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "conns=%d rss_bytes_per_conn=%d cpu_us_per_connect=%.1f\n", r.Connections, r.Memory, r.CPU/1000)
	return nil
}
