package config

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Describe explains a key. ok is false when there is no such key.
func Describe(name string) (text string, ok bool) {
	k := find(name)
	if k == nil {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Documentation for %s\n%s\n\n", name, k.doc)
	if to, ok := aliases[name]; ok {
		fmt.Fprintf(&b, "   Old name of   : %s\n", to)
	}
	fmt.Fprintf(&b, "   Valid Values: \n     - %s\n", k.typ.name)
	fmt.Fprintf(&b, "   Default Value : %s\n", shown(k.def))
	fmt.Fprintf(&b, "   Run time      : %s\n", k.runTime())
	fmt.Fprintf(&b, "   Status        : %s", k.status())
	return b.String(), true
}

func shown(def string) string {
	switch def {
	case none:
		return "(none)"
	case "":
		return "(empty)"
	}
	return def
}

func (k *key) runTime() string {
	if k.has(live) {
		return "may change at run time"
	}
	return "read at start"
}

func (k *key) status() string {
	switch {
	case k.has(ignored):
		return "accepted for compatibility, without effect"
	case k.has(later):
		return "not available yet"
	}
	return "in force"
}

// Describe explains a key and says what it is set to, and where.
func (l *Loaded) Describe(name string) (string, bool) {
	text, ok := Describe(name)
	if !ok {
		return "", false
	}
	if to, old := aliases[name]; old {
		name = to
	}
	if s, set := l.settings[name]; set {
		return fmt.Sprintf("%s\n   Set Value     : %s (%s)", text, s.Value, s.where()), true
	}
	return text + "\n   Not set", true
}

// Effective gives every setting in force as KEY = VALUE, sorted.
func (l *Loaded) Effective() (lines []string) {
	for name, v := range l.values() {
		lines = append(lines, name+" = "+v)
	}
	slices.Sort(lines)
	return lines
}

// Settings gives every setting in force by its name. Passwords are not shown.
func (l *Loaded) Settings() map[string]string {
	values := l.values()
	for name, v := range values {
		if v != "" && isSecret(name) {
			values[name] = secretShown
		}
	}
	return values
}

// Same tells that the settings of two configurations are the same.
func (l *Loaded) Same(other *Loaded) bool { return maps.Equal(l.values(), other.values()) }

// values are what is set, the defaults of all keys without a free word, and
// those of the options of each listener that exists.
func (l *Loaded) values() map[string]string {
	values := map[string]string{}
	for name := range exact {
		if v, ok := l.defaultOf(name); ok {
			values[name] = v
		}
	}
	for name := range l.settings {
		w := splitWords(name)
		if len(w) != 3 || w[0] != "listener" || optional[w[2]] {
			continue
		}
		for i := range schema {
			p := splitWords(schema[i].name)
			if len(p) == 4 && p[0] == w[0] && p[1] == w[1] && p[2] == "$name" && schema[i].def != none {
				values[fillIn(schema[i].name, append(w[:3:3], p[3]))] = schema[i].def
			}
		}
	}
	for name, s := range l.settings {
		values[name] = s.Value
	}
	return values
}

// WriteTable writes all keys as a Markdown document, docs/configuration.md.
func WriteTable(w io.Writer) error {
	_, err := fmt.Fprint(w, "# Keys of vernemq.conf\n\nMade from the schema in server/config by `go test ./server/config -run TestDocument -update`.\n"+
		"A word that begins with $ stands for a name of your own. DATA, LOG, ETC and SHARE are directories of the node.\n\n")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "| key | type | default | run time | status | meaning |\n|---|---|---|---|---|---|"); err != nil {
		return err
	}
	keys := slices.Clone(schema)
	slices.SortFunc(keys, func(a, b key) int { return strings.Compare(a.name, b.name) })
	escape := strings.NewReplacer("|", "\\|")
	for i := range keys {
		k := &keys[i]
		_, err := fmt.Fprintf(w, "| `%s` | %s | `%s` | %s | %s | %s |\n",
			k.name, escape.Replace(k.typ.name), escape.Replace(shown(k.def)), k.runTime(), k.status(), escape.Replace(k.doc))
		if err != nil {
			return err
		}
	}
	return nil
}
