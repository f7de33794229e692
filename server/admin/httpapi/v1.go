package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"vernemq/server/admin"
	"vernemq/server/admin/output"
)

// v1 runs commands.
type v1 struct {
	node  *admin.Node
	guard Guard
}

// Management serves /api/v1/: the words of a command are the path, its keys and
// flags are the query.
func Management(node *admin.Node, keys Keys) http.Handler {
	return &v1{node, Guard{keys, "mgmt"}}
}

func (h *v1) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !mayRead(w, r) {
		return
	}
	allowed := h.guard.allows(r)
	asked := *r.URL
	if !allowed {
		asked.RawQuery = "" // to read it is to look for the files that it names
	}
	call, usage, ok := h.call(&asked)
	switch {
	case !ok:
		w.WriteHeader(http.StatusBadRequest)
	case !allowed:
		unauthorized(w)
	case r.Method == http.MethodOptions:
		preflight(w)
	case !acceptsJSON(r):
		w.WriteHeader(http.StatusNotAcceptable)
	case call == nil:
		out := &answer{w: w, status: http.StatusOK}
		f := output.NewJSON(out)
		_ = errors.Join(f.Text(usage), f.Close()) // who asked is gone
	default:
		run(w, r, call)
	}
}

// call makes a command line of a URL. It gives no call but a usage where that
// was asked for.
func (h *v1) call(u *url.URL) (c *admin.Call, usage string, ok bool) {
	args, ok := arguments(u)
	if !ok {
		return nil, "", false
	}
	c, err := h.node.Parse(args)
	var refused *admin.Refusal
	if errors.As(err, &refused) {
		return nil, refused.Text, refused.Code == 0
	}
	return c, "", err == nil && !c.Command().Terminal
}

// arguments takes a URL apart.
func arguments(u *url.URL) (args []string, ok bool) {
	path, found := strings.CutPrefix(u.EscapedPath(), "/api/v1/")
	if !found {
		return nil, false
	}
	for part := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		word, err := url.PathUnescape(part)
		if err != nil || word == "" || word[0] == '-' || strings.Contains(word, "=") {
			return nil, false
		}
		args = append(args, word)
	}
	args = withoutAliases(args)
	if u.RawQuery == "" {
		return args, true
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, has := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, false
		}
		switch {
		case name == "" && !has:
			continue
		case has:
			name += "=" + value
		}
		if isBare := name != "" && name[0] != '-' && !has; isBare {
			return nil, false
		}
		args = append(args, name)
	}
	return args, true
}

// withoutAliases replaces older names of some commands.
func withoutAliases(words []string) []string {
	plural := map[string]string{"sessions": "session", "listeners": "listener", "plugins": "plugin"}
	one, ok := plural[words[0]]
	if !ok {
		return words
	}
	if len(words) == 1 {
		return []string{one, "show"}
	}
	return append([]string{one}, words[1:]...)
}

// run runs a command and streams its answer.
func run(w http.ResponseWriter, r *http.Request, c *admin.Call) {
	out := &answer{w: w, status: http.StatusOK}
	f := output.NewJSON(out)
	c.Out, c.Format = f, output.JSON
	err := c.Run(r.Context())
	if err == nil {
		err = f.Close()
		if err == nil {
			return
		}
	}
	if out.started {
		panic(http.ErrAbortHandler) // nobody takes the torso for an answer
	}
	out.status = http.StatusInternalServerError
	var refused *admin.Refusal
	if errors.As(err, &refused) {
		out.status = http.StatusBadRequest
		err = errors.New(refused.Text)
	}
	f = output.NewJSON(out)
	_ = errors.Join(f.Alert(err.Error()), f.Close()) // who asked is gone
}

// answer begins the response with the first byte of the body.
type answer struct {
	w       http.ResponseWriter
	status  int
	started bool
}

func (a *answer) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if !a.started {
		a.started = true
		a.w.Header().Set("Content-Type", typeJSON)
		a.w.WriteHeader(a.status)
	}
	return a.w.Write(b)
}
