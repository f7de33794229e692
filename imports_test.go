// Package vernemq holds the rules of the whole house.
package vernemq

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// allowed lists what a part may import of this module and from outside the
// standard library. A part is the first element of the path below the module;
// a rule for a longer path wins. "*" stands for anything outside the module.
var allowed = map[string][]string{
	"codec":             {},
	"trie":              {"github.com/cespare/xxhash/v2"},
	"tuning":            {},
	"queue":             {"codec", "queue", "github.com/cespare/xxhash/v2"},
	"queue/store/disk":  {"queue", "*github.com/cockroachdb/pebble/v2*"},
	"reactor":           {"codec", "tuning", "reactor", "*"},
	"reactor/proxy":     {},
	"reactor/ws":        {},
	"clusterlink":       {"queue", "codec", "*"},
	"server":            {"server", "clusterlink", "queue", "reactor", "codec", "trie", "tuning", "*"},
	"server/session":    {"queue", "codec", "server/metrics", "github.com/valyala/bytebufferpool"},
	"server/config":     {},
	"server/metrics":    {"github.com/VictoriaMetrics/metrics"},
	"server/http":       {"server/config", "server/metrics"},
	"server/logging":    {"server/config"},
	"server/systree":    {"server/config", "server/metrics"},
	"server/graphite":   {"server/config", "server/metrics"},
	"server/status":     {"server/http", "server/metrics"},
	"server/pki":        {"server/config", "server/plugin/reload"},
	"server/pki/pemkey": {},
	// What an operator can do, over interfaces.
	"server/admin":         {"server/config"},
	"server/admin/httpapi": {"server/admin", "codec"},
	"server/trace":         {"codec"},
	// Plugins know nothing of the broker but its hooks.
	"server/hooks":           {"codec"},
	"server/plugin":          {"server/hooks", "codec"},
	"server/plugin/reload":   {},
	"server/plugin/passwd":   {"server/hooks", "server/plugin/reload", "golang.org/x/crypto/argon2", "golang.org/x/crypto/bcrypt"},
	"server/plugin/acl":      {"server/hooks", "server/plugin/reload"},
	"server/plugin/webhooks": {"server/hooks", "codec", "server/pki/pemkey"},
	"server/plugin/scram":    {"server/hooks", "server/plugin/reload", "codec"},
	// of tests only
	"reactor/tlstest":  {},
	"server/mqttmodel": {"codec", "pgregory.net/rapid"},
	"bench":            {"bench", "codec", "tuning", "*"},
	"cmd":              {"server", "queue", "tuning", "*"},
	"cmd/vmq-bench":    {"bench", "tuning", "*"},
}

const module = "vernemq/"

// TestImportDirections holds the picture in ARCHITECTURE.md: imports point one
// way.
func TestImportDirections(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		part, rules := rulesOf(path.Dir(filepath.ToSlash(file)))
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !permitted(part, rules, p) {
				t.Errorf("%s: %s may not import %s", file, part, p)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func rulesOf(dir string) (part string, rules []string) {
	for p := dir; p != "."; p = path.Dir(p) {
		if r, ok := allowed[p]; ok {
			return p, r
		}
	}
	return dir, nil
}

func permitted(part string, rules []string, p string) bool {
	own, inside := strings.CutPrefix(p, module)
	if !inside && !strings.Contains(strings.SplitN(p, "/", 2)[0], ".") {
		return true // standard library
	}
	if inside && (own == part || strings.HasPrefix(own, part+"/")) {
		return true
	}
	for _, r := range rules {
		switch {
		case inside && (own == r || strings.HasPrefix(own, r+"/")),
			!inside && (r == "*" || r == p || strings.HasPrefix(r, "*") && strings.Contains(p, strings.Trim(r, "*"))):
			return true
		}
	}
	return false
}
