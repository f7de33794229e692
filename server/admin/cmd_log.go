package admin

import (
	"context"
	"time"

	"vernemq/server/admin/output"
)

func logCommands() []Command {
	return []Command{
		{Name: "tls show", About: "Show the certificates of the listeners", run: tlsShow, Text: "Shows the certificates of the listeners."},
		{Name: "tls check", About: "Check the certificates of the listeners", run: tlsCheck, Text: "Shows the certificates that have expired, expire soon, or are not valid yet.",
			Flags: []Param{{Name: "validity", Short: 'v', Value: "<s>", Type: countType, About: "how long they must be valid. Default: 172800."}}},
		{Name: "tls clear-pem-cache", About: "Read the certificates again", run: tlsReload, Text: "Reads the certificates again."},
		{Name: "log show config", About: "Show what is logged", run: logShow, Text: "Shows what is logged, and where."},
		{Name: "log level", About: "Change a log's level", run: logLevel, Text: "Sets the level of a logger.",
			Keys: []Param{{Name: "logger", Value: "<logger>", About: "console, consolefile, default, crash or syslog, if it is on, or a part of the broker: http, graphite, library"},
				{Name: "level", Value: "<level>", Type: oneOf(Levels...), Refuse: byValue, About: "the lowest level that it takes"}}},
	}
}

func (c *Call) certificates() ([]Certificate, error) {
	b, err := c.broker()
	if err != nil || b.TLS == nil {
		return nil, err
	}
	return b.TLS.Certificates(), nil
}

func tlsShow(_ context.Context, c *Call) error {
	list, err := c.certificates()
	if err != nil {
		return err
	}
	var rows [][]any
	for _, x := range list {
		rows = append(rows, []any{x.File, dateTime(x.NotBefore), dateTime(x.NotAfter), x.CN, x.Issuer, x.SAN})
	}
	return output.AllRows(c.Out, []string{"File", "Not_Before", "Not_After", "CN", "Issuer", "SAN"}, rows)
}

func dateTime(t time.Time) string { return t.UTC().Format(time.DateTime) }

func tlsCheck(_ context.Context, c *Call) error {
	list, err := c.certificates()
	if err != nil {
		return err
	}
	validity := time.Duration(c.Int("validity", 172800)) * time.Second
	now := c.Node.now()
	var rows [][]any
	for _, x := range list {
		if left, until := x.NotAfter.Sub(now), x.NotBefore.Sub(now); left < validity || until > 0 {
			rows = append(rows, []any{x.File, dateTime(x.NotBefore), dateTime(x.NotAfter), int64(left / time.Second), int64(until / time.Second)})
		}
	}
	if len(rows) == 0 {
		return c.text("All fine")
	}
	return output.AllRows(c.Out, []string{"File", "Not_Before", "Not_After", "SecExp", "SecToVal"}, rows)
}

func tlsReload(ctx context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	if b.TLS != nil {
		if err := b.TLS.Reload(ctx); err != nil {
			return err
		}
	}
	return c.done()
}

func logShow(_ context.Context, c *Call) error {
	var rows [][]any
	for _, l := range c.Node.Log.Loggers() {
		file := l.File
		if file == "" {
			file = "-"
		}
		rows = append(rows, []any{l.Name, l.Level, l.Type, file})
	}
	return output.AllRows(c.Out, []string{"logger", "level", "type", "file"}, rows)
}

func logLevel(_ context.Context, c *Call) error {
	logger, level := c.Key("logger"), c.Key("level")
	if logger == "" || level == "" {
		return c.usage()
	}
	found, err := c.Node.Log.SetLevel(logger, level)
	switch {
	case err != nil:
		return err
	case !found:
		return refuse("Unknown logger: %s", logger)
	}
	return c.done()
}
