package admin

import (
	"context"
	"slices"
	"strings"

	"vernemq/server/admin/ql"
)

var (
	mountpointFlag = Param{Name: "mountpoint", Short: 'm', Value: "<Mountpoint>", Type: fieldType, About: "specifies the mountpoint, defaults to the default mountpoint"}
	cleanupFlag    = Param{Name: "cleanup", Short: 'c', Type: bareType, About: "removes the session as well, with its subscriptions and stored messages"}
	clientKey      = Param{Name: "client-id", Value: "<ClientId>", About: "the client"}
)

var sessionDefaults = []string{"client_id", "is_online", "mountpoint", "peer_host", "peer_port", "user"}

func sessionCommands() []Command {
	return []Command{
		{Name: "session show", About: "Show and filter running sessions", run: sessionShow, Fields: true,
			Flags: append(fieldFlags(), rowFlags...),
			Text: "Shows sessions. A field without a value, as in --client_id, is shown; with a value, as in --client_id=c1, " +
				"it selects rows, and with ~ before the value it selects by a regular expression: --client_id=~^sensor. All conditions must hold.\n" +
				"Shown without any field: " + strings.Join(sessionDefaults, ", ") + "."},
		{Name: "session disconnect", About: "Forcefully disconnect sessions", run: sessionDisconnect,
			Keys: []Param{clientKey}, Flags: []Param{mountpointFlag, cleanupFlag},
			Text: "Forcefully disconnects a client from the cluster.",
			After: "Sub-commands:\n  clients     Forcefully disconnect several clients\n" +
				"  batch       Forcefully disconnect a number of random sessions"},
		{Name: "session disconnect clients", About: "Forcefully disconnect several clients", run: sessionDisconnectClients,
			Keys: []Param{{Name: "client-ids", Value: "<ClientId,...>", About: "the clients"}}, Flags: []Param{mountpointFlag, cleanupFlag},
			Text: "Forcefully disconnects several clients."},
		{Name: "session disconnect batch", About: "Forcefully disconnect a number of random sessions", run: sessionDisconnectBatch, Fields: true,
			Keys: []Param{{Name: "count", Value: "<n>", Type: countType, Refuse: byValue, About: "how many at most"}},
			Flags: append([]Param{mountpointFlag, cleanupFlag,
				{Name: "filter-client-ids", Short: 'f', Value: "<ClientId,...>", Type: textType, About: "spares these clients"},
				{Name: "node", Short: 'n', Value: "<Node>", Type: textType, About: "only on this node"},
			}, conditionFlags()...),
			Text: "Forcefully disconnects random sessions that are connected. Fields with a value choose among them as in session show."},
		{Name: "session unsubscribe", About: "End a subscription of a client", run: sessionUnsubscribe,
			Keys: []Param{clientKey, {Name: "topic", Value: "<Topic>", About: "the topic filter"}},
			Flags: []Param{{Name: "plugin", Short: 'p', Type: bareType, About: "also tells the plugins"},
				mountpointFlag},
			Text: "Ends a subscription of a client."},
		{Name: "session reauthorize", About: "Ask the plugins again about the subscriptions of a client", run: sessionReauthorize,
			Keys:  []Param{{Name: "username", Value: "<Username>", About: "the user name to ask with"}, clientKey},
			Flags: []Param{mountpointFlag}, Text: "Reauthorizes all current subscriptions of an existing client session."},
		{Name: "query", About: "Answer a query in the query language", run: query,
			Keys: []Param{{Name: "ql", Value: "<query>", About: "the query"}},
			Text: "Answers a query:\n  SELECT f1,f2|* FROM sessions|retain_srv [WHERE condition]\n    [ORDER BY f] [LIMIT n] [ROWTIMEOUT ms]\n" +
				"A condition joins comparisons with AND, OR and parentheses; the operators are = != < =< > >= and MATCH, for regular expressions."},
	}
}

func fieldFlags() (flags []Param) {
	for _, f := range sessionFields("") {
		flags = append(flags, Param{Name: f.name, Type: fieldType, About: f.about})
	}
	return flags
}

// conditionFlags are the fields by which a batch is chosen.
func conditionFlags() (flags []Param) {
	for _, f := range sessionFields("") {
		if f.details&^Connections == 0 && f.name != "mountpoint" && f.name != "node" {
			flags = append(flags, Param{Name: f.name, Value: "<value>", Type: textType, About: f.about})
		}
	}
	return flags
}

func fieldNames() map[string]bool {
	names := map[string]bool{}
	for _, f := range sessionFields("") {
		names[f.name] = true
	}
	return names
}

// sessionTable is the table of the sessions of a broker.
func sessionTable(node string, sessions Sessions) *table[*Session] {
	t := &table[*Session]{columns: ql.Columns[*Session]{}}
	details := map[string]Details{}
	for _, f := range sessionFields(node) {
		t.columns[f.name] = ql.Column[*Session]{Kind: f.kind, Get: f.get}
		details[f.name] = f.details
		if f.base {
			t.all = append(t.all, f.name)
		}
	}
	t.each = func(ctx context.Context, fields []string, where *ql.Expr, yield func(*Session) bool) error {
		s := &Scan{}
		for _, f := range fields {
			s.Details |= details[f]
		}
		if v, ok := where.Exact("client_id"); ok {
			s.ClientID = &v
		}
		if v, ok := where.Exact("mountpoint"); ok {
			s.Mountpoint = &v
		}
		return sessions.Each(ctx, s, yield)
	}
	return t
}

func sessionShow(ctx context.Context, c *Call) error {
	b, err := c.broker()
	if err != nil {
		return err
	}
	after, paged := c.Flag("after")
	q := queryOf(c, fieldNames(), sessionDefaults)
	if paged && q.OrderBy == "" {
		return unreadable("Invalid value: %q for flag: after", after)
	}
	return sessionTable(c.Node.Name, b.Sessions).run(ctx, c, q, after)
}

func query(ctx context.Context, c *Call) error {
	text := c.Key("ql")
	if text == "" {
		return c.usage()
	}
	q, err := ql.Parse(text)
	if err != nil {
		return refuse("%v", err)
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	switch q.From {
	case "sessions":
		return sessionTable(c.Node.Name, b.Sessions).run(ctx, c, q, "")
	case "retain_srv":
		return retainedTable(b.Retained).run(ctx, c, q, "")
	}
	return refuse("cannot answer the query: there is no table %q", q.From)
}

// mountpoint gives the value of --mountpoint. ok is false after the answer to
// one without a value.
func (c *Call) mountpoint() (value string, ok bool, err error) {
	value, given := c.Flag("mountpoint")
	if given && value == "" {
		return "", false, c.alert("Invalid mountpoint value")
	}
	return value, true, nil
}

func sessionDisconnect(ctx context.Context, c *Call) error {
	id := c.Key("client-id")
	if id == "" {
		return c.usage()
	}
	return disconnectAll(ctx, c, []string{id})
}

func sessionDisconnectClients(ctx context.Context, c *Call) error {
	if c.Key("client-ids") == "" {
		return c.Out.Alert(c.Node.command("session disconnect").help())
	}
	return disconnectAll(ctx, c, strings.Split(c.Key("client-ids"), ","))
}

func disconnectAll(ctx context.Context, c *Call, ids []string) error {
	mountpoint, ok, err := c.mountpoint()
	if !ok {
		return err
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := b.Sessions.Disconnect(ctx, Client{mountpoint, id}, c.On("cleanup")); err != nil {
			return err
		}
	}
	return c.done()
}

// sessionDisconnectBatch chooses before it ends: a session that comes back at
// once does not count twice.
func sessionDisconnectBatch(ctx context.Context, c *Call) error {
	if c.Key("count") == "" {
		return c.Out.Alert(c.Node.command("session disconnect").help())
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	if node, given := c.Flag("node"); given && node != c.Node.Name {
		return refuse("Invalid node name")
	}
	mountpoint, ok, err := c.mountpoint()
	if !ok {
		return err
	}
	q := queryOf(c, fieldNames(), nil)
	var conditions []*ql.Expr
	if _, chosen := q.Where.Exact("is_online"); !chosen {
		conditions = append(conditions, &ql.Expr{Field: "is_online", Op: ql.Equal, Value: "true"})
	}
	if c.Has("mountpoint") {
		conditions = append(conditions, &ql.Expr{Field: "mountpoint", Op: ql.Equal, Value: mountpoint})
	}
	if q.Where != nil {
		conditions = append(conditions, q.Where)
	}
	chosen, err := c.chooseSessions(ctx, b, ql.And(conditions...))
	if err != nil {
		return err
	}
	for _, x := range chosen {
		if _, err := b.Sessions.Disconnect(ctx, x, c.On("cleanup")); err != nil {
			return err
		}
	}
	return c.done()
}

// chooseSessions takes a random sample of the clients that fulfil a condition.
func (c *Call) chooseSessions(ctx context.Context, b *Broker, where *ql.Expr) ([]Client, error) {
	spare, _ := c.Flag("filter-client-ids")
	spared := strings.Split(spare, ",")
	t := sessionTable(c.Node.Name, b.Sessions)
	match, err := t.columns.Compile(where)
	if err != nil {
		return nil, refuseCondition(err)
	}
	var used []string
	where.Fields(func(f string) { used = append(used, f) })
	r := reservoir{limit: atoi(c.Key("count"))}
	err = t.each(ctx, used, where, func(s *Session) bool {
		if match(s) && !slices.Contains(spared, s.ID) {
			r.offer(s.Client)
		}
		return true
	})
	return r.kept, err
}

func sessionUnsubscribe(ctx context.Context, c *Call) error {
	if c.Key("client-id") == "" || c.Key("topic") == "" {
		return c.usage()
	}
	mountpoint, ok, err := c.mountpoint()
	if !ok {
		return err
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	if _, err := b.Sessions.Unsubscribe(ctx, Client{mountpoint, c.Key("client-id")}, c.Key("topic"), c.On("plugin")); err != nil {
		return err
	}
	return c.done()
}

func sessionReauthorize(ctx context.Context, c *Call) error {
	if c.Key("client-id") == "" || c.Key("username") == "" {
		return c.usage()
	}
	mountpoint, ok, err := c.mountpoint()
	if !ok {
		return err
	}
	b, err := c.broker()
	if err != nil {
		return err
	}
	changed, err := b.Sessions.Reauthorize(ctx, Client{mountpoint, c.Key("client-id")}, c.Key("username"))
	if err != nil {
		return err
	}
	if !changed {
		return c.text("Unchanged")
	}
	return c.done()
}
