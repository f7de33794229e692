package admin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vernemq/server/admin"
	"vernemq/server/admin/output"
	"vernemq/server/config"
)

// TestBatch disconnects a random sample of those that are meant, and spares
// those that are named.
func TestBatch(t *testing.T) {
	seen := map[string]int{}
	for range 200 {
		n := newNode(t)
		if got := runLine(n, "session disconnect batch count=2 -f dash-1"); got != "Done\n--- exit 0\n" {
			t.Fatal(got)
		}
		if len(n.Sessions.Done) != 2 || n.Sessions.Done[0] == n.Sessions.Done[1] {
			t.Fatal(n.Sessions.Done)
		}
		for _, d := range n.Sessions.Done {
			seen[d]++
		}
	}
	for _, id := range []string{"legacy-1", "worker-1", "anon-t6WD"} {
		if c := seen["disconnect /"+id]; c < 80 || c > 190 {
			t.Errorf("%s was chosen %d times of 200", id, c)
		}
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
	n := newNode(t)
	runLine(n, "session disconnect batch count=10 --cleanup --is_online=false --offline_messages=2")
	runLine(n, "session disconnect batch count=10 --user=alice -m mp")
	runLine(n, "session disconnect batch count=0")
	runLine(n, "session disconnect clients client-ids=a,b -m mp -c")
	if got := strings.Join(n.Sessions.Done, ";"); got != "remove /off-1;remove mp/a;remove mp/b" {
		t.Error(got)
	}
}

// TestEmptyValue gives a field an empty value as its own word, as a script with an
// empty variable does: nothing is equal to it.
func TestEmptyValue(t *testing.T) {
	n := newNode(t)
	for line, want := range map[string]string{
		"session show --client_id '' --format=csv":        "--- exit 0\n",
		"retain show --topic '' --format=csv":             "--- exit 0\n",
		"session disconnect batch count=2 --client_id ''": "Done\n--- exit 0\n",
	} {
		if got := runLine(n, line); got != want {
			t.Errorf("%s: %q\nwant %q", line, got, want)
		}
	}
	if n.Sessions.Done != nil {
		t.Error(n.Sessions.Done)
	}
}

// TestRelativeFile names files by paths that start from the node's directory.
func TestRelativeFile(t *testing.T) {
	n := newNode(t)
	n.Base = t.TempDir()
	if err := os.WriteFile(filepath.Join(n.Base, "c.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"listener start address=127.0.0.1 port=5 --ssl --certfile=c.pem":    "Done\n--- exit 0\n",
		"listener start address=127.0.0.1 port=6 --ssl --certfile=nope.pem": "Invalid value: \"nope.pem\" for flag: certfile\n--- exit 1\n",
	} {
		if got := runLine(n, line); got != want {
			t.Errorf("%s: %q\nwant %q", line, got, want)
		}
	}
}

func TestComplete(t *testing.T) {
	for line, want := range map[string]string{
		"":                                    "api-key bridge cluster config describe listener log metrics node plugin query retain script session set show tls trace webhooks",
		"se":                                  "session set",
		"session ":                            "disconnect reauthorize show unsubscribe",
		"session d":                           "disconnect",
		"session show --or":                   "--order-by=",
		"session show --client_id --is_on":    "--is_online",
		"session disconnect c":                "client-id= clients",
		"session disconnect client-id=x --cl": "--cleanup",
		"session unsubscribe client-id=x t":   "topic=",
		"metrics show --aggregate=":           "--aggregate=false --aggregate=true",
		"metrics show --format=":              "--format=csv --format=human --format=json",
		"set max_inf":                         "max_inflight_messages=",
		"set max_inflight_messages=1 max_online_": "max_online_messages=",
		"show max_inf":                          "max_inflight_messages",
		"show max_inflight_messages max_online": "max_online_messages",
		"api-key create scope=m":                "scope=metrics scope=mgmt",
		"log level logger=x level=d":            "level=debug",
		"nosuch ":                               "",
		"trace client client-id=x --rate-":      "--rate-interval= --rate-max=",
	} {
		args := strings.Split(line, " ")
		if got := strings.Join(admin.Complete(args, config.LiveKeys()), " "); got != want {
			t.Errorf("%q: %s\nwant %s", line, got, want)
		}
	}
}

// TestReference holds docs/vmq-admin.md.
func TestReference(t *testing.T) {
	const file = "../../docs/vmq-admin.md"
	var b bytes.Buffer
	if err := admin.WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not up to date: go test ./server/admin -run TestReference -update (%v)", file, err)
	}
}

// TestTree holds what every command must have.
func TestTree(t *testing.T) {
	for _, c := range admin.Commands() {
		if c.About == "" || c.Text == "" {
			t.Errorf("%s has no help", c.Name)
		}
		if len(c.Keys) > 0 && c.Pairs {
			t.Errorf("%s takes its own keys and any", c.Name)
		}
		shorts := map[byte]bool{}
		for _, f := range c.Flags {
			if f.Short != 0 && shorts[f.Short] || f.Short == 'h' {
				t.Errorf("%s: -%c stands for two flags", c.Name, f.Short)
			}
			shorts[f.Short] = true
		}
	}
}

// failing takes so many pieces of an answer.
type failing struct {
	output.Format
	left int
}

var errFull = errors.New("nobody reads")

func (f *failing) Row(cells ...any) error {
	if f.left--; f.left < 0 {
		return errFull
	}
	return nil
}

// TestNobodyReads ends a command when its answer is not wanted any more.
func TestNobodyReads(t *testing.T) {
	n := newNode(t)
	for _, line := range []string{"session show", "retain show", "listener show", "plugin show", "config show app=vmq_server", "session show --order-by=client_id"} {
		f := &failing{output.New(output.JSON, &bytes.Buffer{}, nil, false), 1}
		c, err := n.Parse(words(line))
		if err != nil {
			t.Fatal(err)
		}
		c.Out = f
		if err := c.Run(context.Background()); !errors.Is(err, errFull) || f.left != -1 {
			t.Errorf("%s: %v after %d rows too many", line, err, -1-f.left)
		}
	}
}

// FuzzParse gives command lines: they are read or refused, and a line that is
// read holds only what its command knows.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"session show --client_id --limit=1", "set a=b -n x", "listener start port=1 address=::1 --ssl -m x", "api-key create -xy",
		"show a b --all", "session disconnect --cleanup client-id=x", "trace client client-id=x --rate-max", "-h", "x=y", "query ql=SELECT"} {
		f.Add(line)
	}
	n := newNode(f)
	f.Fuzz(func(t *testing.T, line string) {
		args := words(line)
		given := slices.Clone(args)
		c, err := n.Parse(args)
		if !slices.Equal(args, given) {
			t.Fatalf("%q has become %q", given, args)
		}
		var r *admin.Refusal
		if err != nil && (!errors.As(err, &r) || r.Text == "") {
			t.Fatalf("%q: %v", line, err)
		}
		if err == nil && c.Command() == nil {
			t.Fatalf("%q: no command", line)
		}
		if err != nil || c.Command().Terminal {
			return
		}
		c.Out = output.New(c.Format, &bytes.Buffer{}, &bytes.Buffer{}, false)
		_ = c.Run(context.Background())
	})
}
