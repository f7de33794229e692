package admin

import (
	"context"
	"encoding/base64"
	"unicode/utf8"

	"vernemq/server/admin/ql"
)

func retainCommands() []Command {
	field := func(name, about string) Param { return Param{Name: name, Type: fieldType, About: about} }
	return []Command{
		{Name: "retain show", About: "Show and filter retained messages", run: retainShow, Fields: true,
			Flags: append([]Param{field("payload", "payload of the message"), field("topic", "topic of the message, exactly"),
				field("mountpoint", "mountpoint of the message; without it, the default one")}, rowFlags...),
			Text: "Shows retained messages. A field without a value is shown, with a value it selects messages, as in session show. " +
				"A payload that is no text is shown in base64."},
		{Name: "retain delete", About: "Delete a retained message", run: retainDelete,
			Flags: []Param{{Name: "topic", Short: 't', Value: "<Topic>", Type: fieldType, About: "the topic"}, mountpointFlag},
			Text:  "Deletes the retained message of a topic."},
		{Name: "retain delete-expired", About: "Delete expired retained messages", run: retainDeleteExpired,
			Text: "Deletes the retained messages that have expired, and says how many."},
	}
}

type retainedRow struct {
	mountpoint, topic string
	payload           []byte
}

// text is the payload as a table shows it.
func (r *retainedRow) text() string {
	if utf8.Valid(r.payload) {
		return string(r.payload)
	}
	return base64.StdEncoding.EncodeToString(r.payload)
}

func retainedTable(retained Retained) *table[*retainedRow] {
	return &table[*retainedRow]{
		columns: ql.Columns[*retainedRow]{
			"payload":    {Kind: ql.String, Get: func(r *retainedRow) ql.Value { return ql.Text(r.text()) }},
			"topic":      {Kind: ql.String, Get: func(r *retainedRow) ql.Value { return ql.Text(r.topic) }},
			"mountpoint": {Kind: ql.String, Get: func(r *retainedRow) ql.Value { return ql.Text(r.mountpoint) }},
		},
		all: []string{"payload", "topic", "mountpoint"},
		each: func(ctx context.Context, _ []string, _ *ql.Expr, yield func(*retainedRow) bool) error {
			row := &retainedRow{}
			retained.Each(func(mountpoint, topic string, payload []byte) bool {
				*row = retainedRow{mountpoint, topic, payload}
				return ctx.Err() == nil && yield(row)
			})
			return ctx.Err()
		},
	}
}

func retainShow(ctx context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	after, paged := c.Flag("after")
	q := queryOf(c, map[string]bool{"payload": true, "topic": true, "mountpoint": true}, []string{"payload", "topic"})
	if paged && q.OrderBy == "" {
		return unreadable("Invalid value: %q for flag: after", after)
	}
	if !c.Has("mountpoint") {
		none := &ql.Expr{Field: "mountpoint", Op: ql.Equal, Value: ""}
		if q.Where != nil {
			none = ql.And(none, q.Where)
		}
		q.Where = none
	}
	return retainedTable(b.Retained).run(ctx, c, q, after)
}

func retainDelete(_ context.Context, c *Call) error {
	topic, _ := c.Flag("topic")
	if topic == "" {
		return c.alert("No valid topic given.")
	}
	mountpoint, ok, err := c.mountpoint()
	if !ok {
		return err
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	b.Retained.Delete(mountpoint, topic)
	return c.done()
}

func retainDeleteExpired(_ context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	if err := c.Out.Table("expired"); err != nil {
		return err
	}
	return c.Out.Row(int64(b.Retained.DeleteExpired()))
}
