package admin

import (
	"context"
	"time"
)

func traceCommands() []Command {
	return []Command{
		{Name: "trace client", About: "Trace a client", run: traceClient, Keys: []Param{clientKey}, Terminal: true,
			Flags: []Param{
				{Name: "mountpoint", Short: 'm', Value: "<Mountpoint>", Type: textType, About: "mountpoint of the client. Default: the default mountpoint."},
				{Name: "rate-max", Value: "<n>", Type: countType, Refuse: asTerm, About: "ends the trace when there are more packets than this in --rate-interval. Default: 10."},
				{Name: "rate-interval", Value: "<ms>", Type: positiveType, Refuse: asTerm, About: "that interval. Default: 100."},
				{Name: "trunc-payload", Value: "<bytes>", Type: countType, Refuse: asTerm, About: "shows so much of a payload. Default: 200."},
				{Name: "no-time", Type: bareType, About: "lines do not begin with the time"}},
			Text: "Shows what a client and the broker say to each other, from before the client connects, until the input ends or Ctrl-C. Passwords are not shown."},
		{Name: "trace stop_all", About: "End all traces", run: traceStopAll, Hidden: true, Text: "Ends all traces."},
	}
}

func traceClient(ctx context.Context, c *Call) error {
	if c.Key("client-id") == "" {
		return c.usage()
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	o := TraceOptions{RateMax: c.Int("rate-max", 10), RateInterval: time.Duration(c.Int("rate-interval", 100)) * time.Millisecond,
		Truncate: c.Int("trunc-payload", 200), Times: !c.On("no-time")}
	o.ID = c.Key("client-id")
	o.Mountpoint, _ = c.Flag("mountpoint")
	if err := b.Tracer.Trace(ctx, o, c.Out.Plain); err != nil {
		return err
	}
	if c.Format == "json" {
		return c.alert("Done.")
	}
	return c.Out.Plain("Done.")
}

func traceStopAll(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	b.Tracer.StopAll()
	return c.done()
}
