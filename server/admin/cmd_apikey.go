package admin

import (
	"context"
	"slices"
	"time"
)

func apiKeyCommands() []Command {
	scope := Param{Name: "scope", Value: "<scope>", Refuse: byTerm, Type: oneOf(Scopes...),
		About: "what the key is for. Default: mgmt."}
	expires := Param{Name: "expires", Value: "<date>", Refuse: byTerm, Type: dateType,
		About: "until when it is valid, as yyyy-mm-ddThh:mm:ss in local time. Default: for ever."}
	key := Param{Name: "key", Value: "<key>", About: "the key"}
	return []Command{
		{Name: "api-key create", About: "Create an API key", run: apiKeyCreate, Keys: []Param{scope, expires},
			Text: "Creates an API key and shows it. It is not shown whole again: the node keeps only a hash of it."},
		{Name: "api-key add", About: "Add an API key of your own", run: apiKeyAdd, Keys: []Param{key, scope, expires},
			Text: "Adds an API key of your own."},
		{Name: "api-key delete", About: "Delete an API key", run: apiKeyDelete,
			Keys: []Param{{Name: "key", Value: "<key>", About: "the key, or its beginning as api-key show shows it"}, scope},
			Text: "Deletes an API key."},
		{Name: "api-key show", About: "Show the API keys", run: apiKeyShow, Text: "Shows the beginnings of all API keys.",
			Keys: []Param{{Name: "scope", Value: "<scope>", Refuse: byTerm, Type: oneOf(append(slices.Clone(Scopes), "all")...), About: "only those of this scope"}}},
	}
}

// expires is the moment of expires=, zero without it.
func (c *Call) expires() time.Time {
	t, _ := time.ParseInLocation(dateLayout, c.Key("expires"), time.Local)
	return t
}

func (c *Call) scope() string {
	if s := c.Key("scope"); s != "" {
		return s
	}
	return "mgmt"
}

// keyAnswer answers ok, or why not in the form of the reference.
func (c *Call) keyAnswer(err error) error {
	if err != nil {
		return c.text("{error," + oneLine(err) + "}")
	}
	return c.text("ok")
}

func apiKeyCreate(_ context.Context, c *Call) error {
	key, err := c.Node.Keys.Create(c.scope(), c.expires())
	if err != nil {
		return c.keyAnswer(err)
	}
	return c.text(key)
}

func apiKeyAdd(_ context.Context, c *Call) error {
	if c.Key("key") == "" {
		return c.usage()
	}
	return c.keyAnswer(c.Node.Keys.Add(c.Key("key"), c.scope(), c.expires()))
}

func apiKeyDelete(_ context.Context, c *Call) error {
	if c.Key("key") == "" {
		return c.usage()
	}
	return c.keyAnswer(c.Node.Keys.Delete(c.Key("key"), c.scope()))
}

func apiKeyShow(_ context.Context, c *Call) error {
	if err := c.Out.Table("Key", "Scope", "Expires (UTC)", "has expired"); err != nil {
		return err
	}
	scope := c.Key("scope")
	for _, k := range c.Node.Keys.List() {
		if scope != "" && scope != "all" && k.Scope != scope {
			continue
		}
		expires, expired := "never", false
		if !k.Expires.IsZero() {
			expires, expired = k.Expires.UTC().Format(time.DateTime), !c.Node.now().Before(k.Expires)
		}
		if err := c.Out.Row(k.Shown, k.Scope, expires, expired); err != nil {
			return err
		}
	}
	return nil
}
